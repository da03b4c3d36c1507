"""Regular expressions that are compiled when they are first used: a start needs few of the hundreds there are."""

from __future__ import annotations

import re
from typing import Any, cast


class _Pattern:
    """Stands for a `re.Pattern`; its methods are the compiled pattern's."""

    __slots__ = ("_args", "findall", "finditer", "fullmatch", "groupindex", "match", "pattern", "search", "sub")

    def __init__(self, *args: Any) -> None:
        self._args = args

    def __getattr__(self, name: str) -> Any:
        """Asked only for what is not there yet: compiles, and keeps every method, so that later uses cost nothing."""
        compiled = re.compile(*self._args)
        for method in self.__slots__[1:]:
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def regex(text: str, flags: int | re.RegexFlag = 0) -> re.Pattern[str]:
    """A regular expression, not compiled yet. A mistake in it shows when it is first used, so every one has a test."""
    return cast("re.Pattern[str]", _Pattern(text, flags))
