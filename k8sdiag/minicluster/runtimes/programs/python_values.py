"""What a simulated Python program's values are: real small ones, and stand-ins for classes, modules and big blocks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from k8sdiag.minicluster.runtimes.machine.machine import Machine

if TYPE_CHECKING:
    import ast

Value = Any
Work = Generator[float | None, None, Value]

BIG = 64 * 1024  # from which on a text or list is only counted


class Raised(Exception):  # noqa: N818 (a simulated program's)
    """A Python exception of the simulated program, and the lines that it passed."""

    def __init__(self, value: BaseException) -> None:
        super().__init__(str(value))
        self.value = value
        self.trace: list[tuple[int, str]] = []
        self.inside = ""  # frames within the library


class Returned(Exception):  # noqa: N818 (a way out, not a fault)
    """`return`."""

    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Broke(Exception):  # noqa: N818 (a way out, not a fault)
    """`break`."""


class Continued(Exception):  # noqa: N818 (a way out, not a fault)
    """`continue`."""


class Unsupported(Exception):  # noqa: N818 (a limit, not a fault)
    """Something that this Python does not know."""


class Blob:
    """A block of memory: its size counts as the container's for as long as somebody holds it."""

    __slots__ = ("_machine", "size")

    def __init__(self, machine: Machine, size: int) -> None:
        self._machine: Machine | None = None
        self.size = max(0, size)
        if not machine.killed:
            machine.allocate(self.size)
            self._machine = machine

    def __del__(self) -> None:
        if self._machine is not None and not self._machine.killed:
            self._machine.release(self.size)

    def __len__(self) -> int:
        return self.size


class Environ(dict[str, str]):
    """os.environ, which says in a traceback that it is the library's."""


@dataclass(eq=False, slots=True)
class Native:
    """A function that Python brings. It may wait, as a generator."""

    call: Callable[[list[Value], dict[str, Value]], Value]


@dataclass(eq=False, slots=True)
class Function:
    """`def` and `lambda`."""

    name: str
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    scope: Scope
    defaults: list[Value]


@dataclass(eq=False, slots=True)
class Method:
    """A function of an object."""

    owner: Value
    function: Value


@dataclass(eq=False, slots=True)
class Klass:
    """A class that the program made, or one of the library's that it may build on."""

    name: str
    bases: tuple[Klass, ...] = ()
    attributes: dict[str, Value] = field(default_factory=dict)

    def find(self, name: str) -> Value | None:
        if name in self.attributes:
            return self.attributes[name]
        for base in self.bases:
            found = base.find(name)
            if found is not None:
                return found
        return None

    def is_a(self, other: Klass) -> bool:
        return self is other or any(base.is_a(other) for base in self.bases)


@dataclass(eq=False, slots=True)
class Instance:
    """An object of a class."""

    klass: Klass
    attributes: dict[str, Value] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Module:
    """A module of the library; what is not in it is opaque."""

    name: str
    attributes: Mapping[str, Value]


class Opaque:
    """Something of the library that nobody describes: it can be called and has any attribute."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


@dataclass(eq=False, slots=True)
class Scope:
    """Names of a function or module."""

    names: dict[str, Value]
    outer: Scope | None = None
    shared: set[str] = field(default_factory=set)  # declared global or nonlocal
    function: str = "<module>"

    def find(self, name: str) -> tuple[bool, Value]:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return True, scope.names[name]
            scope = scope.outer
        return False, None

    def put(self, name: str, value: Value) -> None:
        scope = self
        if name in self.shared:
            while scope.outer is not None and name not in scope.names:
                scope = scope.outer
        scope.names[name] = value


def error(kind: type[BaseException], *arguments: Value) -> Raised:
    """An exception of one of Python's own kinds."""
    return Raised(kind(*arguments))


def error_named(name: str, base: type[Exception], *arguments: Value) -> Raised:
    """An exception of the library's (`socket.gaierror`)."""
    return Raised(type(name, (base,), {"__module__": "builtins"})(*arguments))
