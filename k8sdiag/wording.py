"""Filling a playbook's texts with values: data, never interpreted again, cut when long, quoted in commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

from k8sdiag.clock import short_duration
from k8sdiag.patterns import regex

_PLACEHOLDER = regex(r"\{([a-z_A-Z][\w.]*)\}")
_OPTIONAL = regex(r"\[\[(.*?)\]\]", re.DOTALL)
_SPACES = regex(r"\s+")
MAX_VALUE = 400
_SAFE = regex(r"[\w@%+=:,./-]+")


def fill(template: str, values: Mapping[str, Any], quote: bool = False) -> str:
    """`template` with each {name} replaced, and each [[part]] that lacks a value left out.

    `quote` is for shell commands: a value with anything but plain characters is quoted.
    """
    shown: Callable[[str], str] = _quoted if quote else _cut

    def one(found: re.Match[str]) -> str:
        name = found.group(1)
        if quote and name.endswith(".shell"):  # several words, which the fact has quoted (shlex.join)
            return str(values.get(name) or "")
        return shown(text_of(values.get(name), name))

    def part(found: re.Match[str]) -> str:
        inner = found.group(1)
        lacking = any(not text_of(values.get(name), name) for name in _PLACEHOLDER.findall(inner))
        return "" if lacking else inner

    return _PLACEHOLDER.sub(one, _OPTIONAL.sub(part, template)).strip()


def text_of(value: object, name: str = "") -> str:
    """A fact's value in words; '' where there is none. Fields that hold seconds become durations."""
    if value is None or (isinstance(value, str | tuple) and not value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if name.rsplit(".", 1)[-1] in ("seconds", "age", "ran", "stalled", "overdue", "sinceSchedule"):
            return short_duration(float(value))
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple | list):
        words = [str(item) for item in value]
        return ", ".join(words) if len(words) <= 6 else f"{', '.join(words[:5])} and {len(words) - 5} more"
    return " ".join(str(value).split()) if "\n" in str(value) else str(value)


def _cut(text: str) -> str:
    """A value within a sentence: without the columns and indentations of a log line."""
    text = _SPACES.sub(" ", text).strip()
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"


def _quoted(text: str) -> str:
    text = _cut(" ".join(text.split()))
    if text.startswith("-"):  # a name, never an option: none of Kubernetes' names begins so
        text = f"./{text}"
    return text if _SAFE.fullmatch(text) else shlex.quote(text)
