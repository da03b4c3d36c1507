"""How a script leaves its course: `exit`, `break`, and errors that end a shell."""

from __future__ import annotations


class Leave(Exception):  # noqa: N818 (a way out, not a fault)
    """`exit`, or an error that ends the shell."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Jump(Exception):  # noqa: N818 (a way out, not a fault)
    """`break`, `continue` and `return` (whose count is its code)."""

    def __init__(self, how: str, count: int) -> None:
        super().__init__(how)
        self.how, self.count = how, count


class ShellFault(Exception):  # noqa: N818 (a simulated shell's)
    """An error that ends a shell that is not interactive (`${x:?}`, bad arithmetic)."""

    def __init__(self, message: str, code: int = 2) -> None:
        super().__init__(message)
        self.code = code
