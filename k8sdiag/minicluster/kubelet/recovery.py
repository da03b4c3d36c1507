"""What a kubelet knows of pods that ran before it started: their last reported statuses. Containers that the runtime no
longer has ended with the machine (exit code 255, reason Unknown), as after a reboot."""

from __future__ import annotations

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.kubelet.containers import Record, Runs, every
from k8sdiag.minicluster.runtimes.base import EXITED, ContainerState, ImageInfo

_GROUPS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


def runs_from(pod: Json, now: float) -> dict[str, Runs]:
    """The last run of each container, over by now."""
    images = {str(container["name"]): str(container.get("image", "")) for _, container in every(pod)}
    found: dict[str, Runs] = {}
    for group in _GROUPS:
        for status in (pod.get("status") or {}).get(group) or ():
            runtime, _, identity = str(status.get("containerID") or "").partition("://")
            if identity:
                name = str(status["name"])
                image = ImageInfo(str(status.get("image", "")), str(status.get("imageID", "")), 0)
                run = Record(
                    identity, name, int(status.get("restartCount") or 0), image, "", images.get(name, ""), runtime
                )
                run.state = _ended(status, now)
                found[name] = [run]
    return found


def _ended(status: Json, now: float) -> ContainerState:
    running = status["state"].get("running")
    if running:
        return ContainerState(EXITED, parse_time(running.get("startedAt")), now, 255, "Unknown")
    ended = status["state"].get("terminated") or (status.get("lastState") or {}).get("terminated") or {}
    return ContainerState(
        EXITED,
        parse_time(ended.get("startedAt")),
        parse_time(ended.get("finishedAt")) or now,
        int(ended.get("exitCode") or 0),
        str(ended.get("reason") or ""),
        str(ended.get("message") or ""),
    )
