"""The pod in which a Job last failed, or which it waits for: living, or deleted and known from a recording's history.

Sample: a Job with `restartPolicy: OnFailure` deletes its pod when it gives up, and with it the exit code and the log;
what was seen before is what explains `Failed=True BackoffLimitExceeded`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, Ref, ref_of
from k8sdiag.facts import Fact, workload_key
from k8sdiag.finding import Proof
from k8sdiag.lastwords import tail_lines, telling_line
from k8sdiag.podstate import ContainerView, conditions_of, containers_of, status_word
from k8sdiag.relations import View, children_of, controller_of, owner_chain

KIND = "attempt"
KEYS = ("workload", "namespace")
FIELDS = {
    "pod": "metadata.name",
    "status": "STATUS of the pod, as it was before the Job deleted it",
    "deleted": "the pod is gone",
    "container": "the container that failed, else the one that is not ready",
    "image": "spec.containers[].image",
    "command": "spec.containers[].command and args",
    "exit.code": "exit code of its last termination (state or lastState), where it is not 0",
    "exit.reason": "reason of that termination",
    "waiting": "reason of status.containerStatuses[].state.waiting, where it never ran",
    "waiting.message": "its message",
    "restarts": "status.containerStatuses[].restartCount",
    "log": "the line of its log that most tells why it ended",
}


def derive(view: View) -> Iterator[Fact]:
    for job in view.of_kind("Job"):
        if (conditions_of(job).get("Complete") or {}).get("status") == "True":
            continue
        living = [(_undeleted(view, pod), False) for pod in children_of(view.snapshot, job, ["Pod"])]
        pods = living + _deleted(view, job)
        if pods:
            pod, gone = max(pods, key=lambda item: _telling(item[0]))
            yield _fact(view, job, pod, gone)


def _deleted(view: View, job: Json) -> list[tuple[Json, bool]]:
    """The Job's pods that are no more, as they were before their deletion was asked for."""
    ref, uid = ref_of(job), job["metadata"].get("uid")
    refs = dict.fromkeys(
        change.ref
        for change in view.snapshot.history
        if change.ref.kind == "Pod" and change.ref.namespace == ref.namespace and change.ref.name.startswith(ref.name)
    )
    found = []
    for pod in refs:
        if view.snapshot.find(pod) is None:
            last = _before_deletion(view, pod)
            if (controller_of(last) or {}).get("uid") == uid:
                found.append((last, True))
    return found


def _undeleted(view: View, pod: Json) -> Json:
    """A pod as it was before its deletion was asked for, as far as that is known."""
    if not pod["metadata"].get("deletionTimestamp"):
        return pod
    before = _before_deletion(view, ref_of(pod)) or pod
    return before | {"metadata": {k: v for k, v in before["metadata"].items() if k != "deletionTimestamp"}}


def _before_deletion(view: View, ref: Ref) -> Json:
    last: Json = {}
    for change in view.snapshot.history_of(ref):
        obj = change.load()
        if last and (obj.get("metadata") or {}).get("deletionTimestamp"):
            break
        last = obj
    return last


def _telling(pod: Json) -> tuple[bool, float, float]:
    """Ended badly before waiting before anything else; the newest of those."""
    container = _worst(pod)
    ended = _ended(container.status) if container else {}
    created = parse_time((pod.get("metadata") or {}).get("creationTimestamp")) or 0.0
    return bool(ended.get("exitCode")), parse_time(ended.get("finishedAt")) or 0.0, created


def _worst(pod: Json) -> ContainerView | None:
    containers = [container for container in containers_of(pod) if container.type != "ephemeral"]
    failed = [container for container in containers if _ended(container.status).get("exitCode")]
    waiting = [container for container in containers if not container.status.get("ready")]
    return next(iter([*failed, *waiting, *containers]), None)


def _ended(status: Json) -> Json:
    for part in ("state", "lastState"):
        ended = (status.get(part) or {}).get("terminated")
        if ended:
            return dict(ended)
    return {}


def _fact(view: View, job: Json, pod: Json, gone: bool) -> Fact:
    ref, container = ref_of(pod), _worst(pod)
    spec, status = (container.spec, container.status) if container else ({}, {})
    name = spec.get("name") or ""
    ended, waiting = _ended(status), (status.get("state") or {}).get("waiting") or {}
    log, code = _log(view, ref, name), ended.get("exitCode") or None
    fields: dict[str, Any] = {
        "pod": ref.name,
        "status": status_word(pod),
        "deleted": gone,
        "container": name,
        "image": spec.get("image") or "",
        "command": " ".join([*(spec.get("command") or []), *(spec.get("args") or [])]),
        "exit.code": code,
        "exit.reason": (ended.get("reason") or "") if code else "",
        "waiting": "" if code else waiting.get("reason") or "",
        "waiting.message": "" if code else waiting.get("message") or "",
        "restarts": status.get("restartCount") or 0,
        "log": log[1] if log else "",
    }
    chain = [ref_of(job), *owner_chain(view.snapshot, job)]
    keys = {"workload": tuple(workload_key(item) for item in chain), "namespace": (ref.namespace,)}
    return Fact(KIND, ref_of(job), fields, keys, tuple(_proof(fields, log)))


def _log(view: View, pod: Ref, container: str) -> tuple[str, str] | None:
    """(time, text) of the line that most tells why it ended."""
    for previous in (False, True):
        log = view.snapshot.logs.get((pod.namespace, pod.name, container, previous))
        lines = tail_lines(log.text) if log else []
        told = telling_line([line for _, line in lines])
        if told:
            return next((time for time, line in reversed(lines) if line.strip() == told), ""), told
    return None


def _proof(fields: dict[str, Any], log: tuple[str, str] | None) -> Iterator[Proof]:
    name = f"pod/{fields['pod']} container {fields['container']}"
    words = [f"STATUS {fields['status']}"]
    if fields["exit.code"] is not None:
        words.append(f"terminated reason={fields['exit.reason']} exitCode={fields['exit.code']}")
    if fields["waiting"]:
        words.append(f"waiting reason={fields['waiting']} {fields['waiting.message']}".rstrip())
    words.append(f"restartCount: {fields['restarts']}")
    if fields["deleted"]:
        words.append("the pod has been deleted since")
    yield Proof("status", name, "", "; ".join(words))
    if log:
        yield Proof("log", name, *log)
