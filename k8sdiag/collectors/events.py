"""Events, which live for one hour: of each object concerned, or of a whole scope. Sample: `reason: FailedScheduling,
message: 0/3 nodes are available: 3 Insufficient cpu., involvedObject: {kind: Pod, name: web}`.

Asked of core/v1, and of events.k8s.io/v1 where only that one is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from k8sdiag.collectors import Ask, Found, Role, collector, listed
from k8sdiag.evidence import Evidence, Scope
from k8sdiag.target import ApiError, Target

_OTHER_API = "/apis/events.k8s.io/v1"
_LOST = "what the cluster reported about it is unknown"
_MIRROR = "kubernetes.io/config.mirror"


@collector("events")
def events(scope: Scope, found: Found) -> Iterator[Ask]:
    """The events of a scope or of one object."""
    if found.role is Role.SCAN:
        yield _either(listed("Event", scope.namespace, "what the cluster reported is unknown"), {})
    elif _of_interest(found):
        about = _about(found)
        selector = ",".join(f"involvedObject.{field}={value}" for field, value in about.items())
        namespace = found.ref.namespace or "default"  # where events of cluster-scoped objects are kept
        ask = listed("Event", namespace, _LOST, fieldSelector=selector)
        yield _either(replace(ask, what=f"events of {found.ref}"), about)


def _of_interest(found: Found) -> bool:
    if found.role in (Role.SCAN, Role.BROKEN, Role.ASIDE):
        return False
    idle = found.ref.kind == "ReplicaSet" and not (found.obj.get("spec") or {}).get("replicas")
    return found.role is not Role.RELATED or not (idle or found.ref.kind == "ServiceAccount")


def _about(found: Found) -> dict[str, str]:
    """By uid, so that a namesake's past stays out; by name where events carry another uid: the kubelet's about its
    node and about static pods."""
    metadata = found.obj.get("metadata") or {}
    uid = metadata.get("uid")
    if uid and found.ref.kind != "Node" and _MIRROR not in (metadata.get("annotations") or {}):
        return {"uid": uid}
    return {"kind": found.ref.kind, "name": found.ref.name}


def _either(ask: Ask, about: dict[str, str]) -> Ask:
    path = ask.key.partition("?")[0]
    query = {"fieldSelector": ",".join(f"regarding.{field}={value}" for field, value in about.items())} if about else {}

    def read(target: Target) -> Iterator[Evidence]:
        try:
            yield from ask.read(target)
        except ApiError as refusal:
            if refusal.status != 403:
                raise
            try:
                answer = target.api.get(path.replace("/api/v1", _OTHER_API, 1), query)
            except ApiError:
                raise refusal from None
            for event in answer.get("items") or []:
                event.setdefault("kind", "Event")
                yield event

    return replace(ask, read=read)
