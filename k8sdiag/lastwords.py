"""The last words of a run: which log holds them, its tail without time stamps, the line that most tells why it ended.

Errors are rarely the last line: stack frames, "npm ERR!" trailers and buffered output of the healthy start follow them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from k8sdiag.evidence import ContainerLog, Snapshot
from k8sdiag.patterns import regex
from k8sdiag.podstate import ContainerView

MAX_LINES, MAX_LINE, MAX_BYTES = 200, 2000, 1 << 18
LAST = 25
"""How many of the last lines can hold the reason."""
_STAMP = regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ?")
_UNAVAILABLE = regex(
    r"unable to retrieve container logs for|previous terminated container .* not found|is waiting to start|"
    r"failed to try resolving symlinks in path|the server rejected our request"
)
_NOISE = regex(
    r"^\s+at |^\s*File \"|^[\s~^]+$|^npm (?:ERR!|error) (?!code|[Mm]issing|enoent (?!This)|Could not|Invalid|Cannot)"
    r"|^Node\.js v|^goroutine \d|^\s*\.\.\. \d+ "
    r"|^\s+(?:code|errno|syscall|address|port|path|hostname|requireStack|dest|spawnargs|routine|length|severity): "
    r"|^(?:exit status \d|During handling of|The above exception|created by |\[signal |\s*from .*:\d+:in )|^\s+throw "
    r"|Background on this error at|A complete log of this run|^note: run with `RUST|^Require stack|^-{3,}$|^\s+raise "
    r"|^Traceback|^\t/|^main\.\w+\("
)
_ERROR = regex(
    r"error|exception|fatal|panic|emerg|crit|fail|cannot|can't|could not|couldn't|unable|invalid|abort|denied|refused"
    r"|not found|no such|missing|must ",
    re.IGNORECASE,
)
_TELLING = regex(
    r"no module named|cannot import name|cannot find (?:module|package)|ClassNotFound|NoClassDef|main class|jarfile"
    r"|cannot load such file|could not find gem|shared librar|shared object|GLIBC|no such file|ENOENT|FileNotFound"
    r"|open file|KeyError|(?:is|are|be|been|was) (?:not )?(?:set|defined|specified|required|missing|empty)\b|not set"
    r"|missing .*(?:env|variable|setting)|environment variable|permission denied|EACCES|EPERM|not permitted"
    r"|AccessDenied|read-only file|EROFS|space left|ENOSPC|in use|EADDRINUSE|allocated|name or service|name resolution"
    r"|no such host|NXDOMAIN|SERVFAIL|getaddrinfo|ENOTFOUND|EAI_AGAIN|bad address|UnknownHost|resolve|host not found"
    r"|unknown host|refused|can't connect|cannot connect|could not connect|timed? ?-?out|deadline exceeded|no route"
    r"|unreachable|x509|certificate|\bTLS\b|\bSSL\b|authentication|access denied|unauthorized|forbidden|\b40[13]\b"
    r"|WRONGPASS|NOAUTH|does(?: not|n't) exist|no such table|illegal option|invalid option|not defined: -"
    r"|unknown (?:database|flag|option|command|shorthand|column|directive|argument)|unexpected argument|unrecognized"
    r"|heap|out ?of ?memory|MemoryError|allocat|bad_alloc|too many open|EMFILE|inotify|syntax error|SyntaxError"
    r"|unexpected (?:token|char|end|identifier|indent)|JSONDecode|json|yaml|toml|\bparse|parsing|unmarshal|\[emerg\]"
    r"|\bpanic|nil pointer|segmentation|core dumped|SIGSEGV|lock|another process|exec format|: not found"
    r"|command not found|new thread|resource temporarily|x86-64-v|uninitialized|is too low|no matches for kind",
    re.IGNORECASE,
)
_LEVEL = regex(
    r"\b(?:(?P<calm>info|debug|trace|notice)|(?P<warn>warn\w*)|"
    r"(?P<bad>error|err|fatal|critical|crit|severe|emerg|panic))\b",
    re.IGNORECASE,
)
_CLOSING = regex(r"giving up|shutting down|\bexit(?:ing|ed)\b|\bbye\b|\bstopp(?:ed|ing)\b|\bquitting\b", re.IGNORECASE)
_ECHO = regex(
    r"^(?:(?P<bare>Aborted|Terminated|Hangup|Killed)|Bus error|Segmentation fault|Illegal instruction"
    r"|Trace/breakpoint trap"
    r"|Floating point exception)(?: \(core dumped\))?$"
)
"""What a shell says of the signal that ended its child: the line before it tells more."""
_USAGE = regex(r"^usage\b", re.IGNORECASE)
_PLACE = regex(r"\bin \"(?P<file>[^\"]+)\", line (?P<line>\d+)|^\s*File \"(?P<code>[^\"]+)\", line (?P<at>\d+)$")
_FINAL = regex(
    r"\bfatal\b|\bcritical\b|\bpanic:|\[emerg\]|^[A-Za-z_.]+(?:Error|Exception): |^Caused by: |^Error: ", re.IGNORECASE
)
_LISTENS = regex(
    r"\b(?:listening|listen|serving|running|started|start|bound|ready|available)\b[^\n]{0,60}?"
    r"(?:(?P<host>localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|\*|(?<!\d)):|\bports?(?:\(s\))?:? ?)(?P<port>\d{2,5})\b",
    re.IGNORECASE,
)


def log_of(snapshot: Snapshot, namespace: str, pod: str, container: ContainerView) -> ContainerLog | None:
    """The log of the run that failed: of a container that runs again the previous one, else the current one. A
    previous log without a previous run is of an earlier pod of the same name."""
    before = bool(container.status.get("lastState") or container.status.get("restartCount"))
    again = "running" in (container.status.get("state") or {}) and before
    for previous in (True, False) if again else (False, True) if before else (False,):
        log = snapshot.logs.get((namespace, pod, container.name, previous))
        if log is not None and log.text.strip() and not _UNAVAILABLE.match(log.text):
            return log
    return None


def tail_lines(text: str) -> list[tuple[str, str]]:
    """The last lines as (time, line); over-long ones cut with a mark."""
    found = []
    for line in text[-MAX_BYTES:].splitlines()[-MAX_LINES:]:
        stamp = _STAMP.match(line)
        rest = line[stamp.end() :] if stamp else line
        if len(rest) > MAX_LINE:
            rest = f"{rest[:MAX_LINE]}… [cut, {len(rest)} characters in all]"
        found.append((stamp.group().strip() if stamp else "", rest))
    return found


def last_words(lines: Sequence[str]) -> list[str]:
    """The last lines that could hold the reason: neither empty nor stack frames."""
    recent = [line for line in lines if line.strip()][-2 * LAST :]
    return [line for line in recent if not _NOISE.search(line[:300])][-LAST:]


def telling_line(lines: Sequence[str]) -> str:
    """The line that most tells why the run ended: of the best, the last; else the last line that is no mere echo of
    the signal. Of a program that does nothing but print its usage, the line that says so."""
    best, chosen = 0.5, ""
    words = last_words(lines)
    for line in words:
        score = _score(line)
        if score >= best:
            best, chosen = score, line
    if best < 2:
        chosen = next((line for line in _opening(lines) if _USAGE.match(line.strip())), chosen)
    spoken = (line for line in reversed(words) if not _ECHO.match(line.strip()) and not _is_calm_end(line))
    silent = (line for line in reversed((*lines, *words)) if line.strip())
    return (chosen or next(spoken, "") or next(silent, "")).strip()


def place_of(lines: Sequence[str], told: str) -> str:
    """The file and line that a parser names in one of the lines around the telling one: `in "app.yml", line 4`."""
    at = next((number for number in range(len(lines) - 1, -1, -1) if lines[number].strip() == told), None)
    if not told or at is None:
        return ""
    for line in (*lines[at : at + 5], *reversed(lines[max(0, at - 3) : at])):
        found = _PLACE.search(line[:600])
        if found:
            file, number = found.group("file") or found.group("code"), found.group("line") or found.group("at")
            return f'in "{file}", line {number}'
    return ""


def _opening(lines: Sequence[str]) -> list[str]:
    return [line for line in lines if line.strip()][:4]


def _is_calm_end(line: str) -> bool:
    level = _LEVEL.search(line[:80])
    return bool(level and level.group("calm") and _CLOSING.search(line[:200]))


def _score(line: str) -> float:
    head = line[:600]
    echo = _ECHO.match(head.strip())
    if echo:
        return 0 if echo.group("bare") else 0.5
    telling, level = bool(_TELLING.search(head)), _LEVEL.search(head[:80])
    score = 2.0 * telling + bool(_ERROR.search(head)) + bool(_FINAL.search(head))
    if not telling:
        score += 0.5 * bool(level and level.group("bad")) - 1.5 * bool(_CLOSING.search(head))
    return score - (2 * bool(level.group("calm")) + bool(level.group("warn")) if level else 0)


def listens(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(address, port) of each line in which a server says where it listens; address '' where it does not say."""
    for line in lines:
        found = _LISTENS.search(line[:300])
        if found:
            yield (found.group("host") or "").lower(), found.group("port")
