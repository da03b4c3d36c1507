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
    r"^\s+at |^\s*File \"|^[\s~^]+$|^npm (?:ERR!|error) (?!code|Missing)|^Node\.js v|^goroutine \d|^\s*\.\.\. \d+ "
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
    r"|command not found|new thread|resource temporarily|x86-64-v|uninitialized",
    re.IGNORECASE,
)
_CALM = regex(r"\b(?:info|debug|trace|notice)\b", re.IGNORECASE)
_WARNS = regex(r"\bwarn", re.IGNORECASE)
_FINAL = regex(
    r"\bfatal\b|\bpanic:|\[emerg\]|^[A-Za-z_.]+(?:Error|Exception): |^Caused by: |^Error: ", re.IGNORECASE
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
    """The line that most tells why the run ended: of the best, the last; else the last line of all."""
    best, chosen = 1, ""
    for line in last_words(lines):
        score = _score(line)
        if score >= best:
            best, chosen = score, line
    return (chosen or next((line for line in reversed(lines) if line.strip()), "")).strip()


def _score(line: str) -> int:
    head = line[:600]
    score = 2 * bool(_TELLING.search(head)) + bool(_ERROR.search(head)) + bool(_FINAL.search(head))
    return score - 2 * bool(_CALM.search(head[:80])) - bool(_WARNS.search(head[:80]))


def listens(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(address, port) of each line in which a server says where it listens; address '' where it does not say."""
    for line in lines:
        found = _LISTENS.search(line[:300])
        if found:
            yield (found.group("host") or "").lower(), found.group("port")
