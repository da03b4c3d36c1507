"""What a container's command comes to, where that can be told from the words alone.

The stand-in for a kubelet runs no processes. Commands in plain forms (`true`, `sleep 5`, `sh -c 'echo hi; exit 3'`)
are played; any other program is taken for a server, which runs until it is stopped.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.patterns import regex
from k8sdiag.quantity import parse_duration

_SHELLS = frozenset("sh bash ash dash /bin/sh /bin/bash /bin/ash /bin/dash".split())
_SHELL_IMAGES = frozenset("busybox alpine debian ubuntu bash hello-world".split())  # end at once without a command
TELLS_AND_ENDS = frozenset("env printenv hostname whoami id pwd uname date ps ls".split())
TO_STDERR = frozenset((">&2", "1>&2", ">/dev/stderr"))
_STATEMENT = regex(r"\s*(?:;|&&|\n)\s*")
_STEP = 0.05  # what a command that does next to nothing takes
_JOB = 2.0  # what an unknown program takes in a Job


@dataclass(frozen=True, slots=True)
class Run:
    """One run: how long (None: until stopped), the exit code, and what it writes when (seconds from the start)."""

    seconds: float | None = None
    code: int = 0
    lines: tuple[tuple[float, str], ...] = ()


def run_of(container: Json, in_job: bool = False) -> Run:
    """What running a container comes to."""
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    if not words:
        name = str(container.get("image", "")).rsplit("/", 1)[-1].partition("@")[0].partition(":")[0]
        return Run(_STEP) if name in _SHELL_IMAGES and not container.get("stdin") else Run()
    run = _shell(words[2:3]) if words[0] in _SHELLS and words[1:2] in (["-c"], ["-ec"], ["-exc"]) else _program(words)
    if run is None:
        return Run(_JOB) if in_job else Run()
    return run


def _shell(script: list[str]) -> Run | None:
    """The statements of a script one after the other, up to the first that runs on or is not understood."""
    at, code = 0.0, 0
    lines: list[tuple[float, str]] = []
    for statement in _STATEMENT.split(script[0].strip() if script else ""):
        if not statement:
            continue
        try:
            words = shlex.split(statement)
        except ValueError:
            return None
        if words[:1] == ["exit"]:
            return Run(at + _STEP, _exit_code(words[1:], code), tuple(lines))
        run = _program(words)
        if run is None:
            return Run(None, 0, tuple(lines)) if lines else None
        lines += [(at + offset, text) for offset, text in run.lines]
        if run.seconds is None:
            return Run(None, 0, tuple(lines))
        at, code = at + run.seconds, run.code
    return Run(at + _STEP, code, tuple(lines))


def _exit_code(words: list[str], last: int) -> int:
    return int(words[0]) % 256 if words and words[0].isdigit() else last


def _program(words: list[str]) -> Run | None:
    name = words[0].rsplit("/", 1)[-1] if words else ""
    if name == "sleep":
        spans = [float(word) if word.isdecimal() else parse_duration(word) for word in words[1:]]
        return Run(None if None in spans else sum(span or 0.0 for span in spans))  # `infinity` is no duration
    if name in ("true", ":", "set", "cd", "export", "umask", "touch", "mkdir"):
        return Run(_STEP)
    if name in TELLS_AND_ENDS or (name == "cat" and words[1:]):
        return Run(_STEP)
    if name == "false":
        return Run(_STEP, 1)
    if name == "echo" and not set(words).intersection((">", ">>", "|", "&")):
        return Run(_STEP, 0, ((0.0, " ".join(word for word in words[1:] if word not in TO_STDERR)),))
    return None
