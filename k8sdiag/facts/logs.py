"""Container logs: the last words of the run that failed, one fact a container.

Sample: `2026-11-21T22:32:31.559192618Z ModuleNotFoundError: No module named 'flask'`. Of a container that runs again
the previous run's log is read, else the current one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from k8sdiag.evidence import ContainerLog, ref_of
from k8sdiag.facts import Fact, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import ContainerView, containers_of, is_quiet
from k8sdiag.relations import View

KIND = "log"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "text": "the last 200 lines, without time stamps",
    "last": "the last line that is not empty",
    "error": "the line that most looks like the error, else the last",
    "previous": "it is the previous run's log",
    "container": "the container's name",
    "empty": "the container wrote nothing",
}
MAX_LINES, MAX_LINE, MAX_BYTES = 200, 2000, 1 << 18
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) ?")
_ERROR = re.compile(
    r"error|exception|fatal|panic|fail|cannot|can't|could not|unable|denied|refused|not found|no such|invalid|missing",
    re.IGNORECASE,
)
_UNAVAILABLE = re.compile(
    r"unable to retrieve container logs for|previous terminated container .* not found|is waiting to start|"
    r"failed to try resolving symlinks in path|the server rejected our request"
)


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or not view.snapshot.logs:
            continue
        for container in containers_of(pod):
            log = _choose(view, ref_of(pod).namespace, ref_of(pod).name, container)
            if log is not None:
                yield _fact(view, pod, container, log)


def _choose(view: View, namespace: str, pod: str, container: ContainerView) -> ContainerLog | None:
    running_again = "running" in (container.status.get("state") or {}) and container.status.get("lastState")
    for previous in (True, False) if running_again else (False, True):
        log = view.snapshot.logs.get((namespace, pod, container.name, previous))
        if log is not None and log.text.strip() and not _UNAVAILABLE.match(log.text):
            return log
    return None


def _fact(view: View, pod: dict[str, object], container: ContainerView, log: ContainerLog) -> Fact:
    lines = tail_lines(log.text)
    text = [line for _, line in lines]
    last = next((line for line in reversed(text) if line.strip()), "")
    error = next((line for line in reversed(text) if _ERROR.search(line)), last)
    fields = {
        "text": "\n".join(text),
        "last": last,
        "error": error.strip(),
        "previous": log.previous,
        "container": container.name,
        "empty": not last,
    }
    ref = f"pod/{log.pod} container {container.name}" + (" (previous run)" if log.previous else "")
    shown = [(time, line) for time, line in lines if line.strip()][-6:]
    proof = tuple(Proof("log", ref, time, line) for time, line in shown)
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), proof)


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
