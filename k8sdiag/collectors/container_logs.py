"""The end of each container's log, of this run and of the one before. Sample:
`2026-11-21T22:31:07.512345678Z ModuleNotFoundError: No module named 'flask'`.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from k8sdiag.collectors import Ask, Found, Role, collector
from k8sdiag.evidence import ContainerLog, Evidence, Json, Ref, Scope
from k8sdiag.kinds import KINDS
from k8sdiag.podstate import containers_of
from k8sdiag.target import Target


@collector("container_logs", timeout=25.0)
def container_logs(scope: Scope, found: Found) -> Iterator[Ask]:
    """Logs of the containers that have run; in a scan, of those in trouble."""
    if not scope.logs or found.ref.kind != "Pod" or found.role not in (Role.SUBJECT, Role.POD):
        return
    for container in containers_of(found.obj):
        status = container.status
        if scope.subject is None and not _in_trouble(status):
            continue
        state, last = status.get("state") or {}, status.get("lastState") or {}
        if "running" in state or "terminated" in state or "terminated" in last:
            yield _log(found.ref, container.name, previous=False, tail=scope.tail_lines)
        if "terminated" in last:
            yield _log(found.ref, container.name, previous=True, tail=scope.tail_lines)


def _in_trouble(status: Json) -> bool:
    ended = (status.get("state") or {}).get("terminated") or {}
    return bool(ended.get("exitCode")) or (not status.get("ready") and ended.get("reason") != "Completed")


def _log(pod: Ref, container: str, *, previous: bool, tail: int) -> Ask:
    path = f"{KINDS['Pod'].path(pod.namespace, pod.name)}/log"
    query = {"container": container, "timestamps": "true", "tailLines": str(tail)}
    if previous:
        query["previous"] = "true"

    def read(target: Target) -> Iterator[Evidence]:
        yield ContainerLog(pod.namespace, pod.name, container, previous, target.api.text(path, query))

    return Ask(
        f"{'previous ' if previous else ''}log of container {container} in {pod}",
        "what the application said before it ended is unknown" if previous else "what the application says is unknown",
        f"{path}?{urlencode(query)}",
        read,
    )
