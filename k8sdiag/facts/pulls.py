"""Image pulls that fail or stall, one fact a container.

Sample (state.waiting.message, 1.31 and later): `Back-off pulling image "shop/web:v9": ErrImagePull: failed to pull and
unpack image "...": failed to resolve reference "...": docker.io/shop/web:v9: not found`. Older servers keep the error
only in the event `Failed to pull image "...": rpc error: code = NotFound desc = ...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_count, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.podstate import ContainerView, containers_of, is_finished, is_quiet
from k8sdiag.references import split_image
from k8sdiag.relations import View

KIND = "pull"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "reason": "state.waiting.reason, or Pulling where a pull is under way",
    "message": "the runtime's error, on one line",
    "container": "the container's name",
    "type": "init, sidecar, app or ephemeral",
    "image": "spec.containers[].image",
    "registry": "host of the image",
    "repository": "path of the image",
    "tag": "tag or digest of the image",
    "policy": "spec.containers[].imagePullPolicy",
    "attempts": "failed attempts, as events count them",
    "secrets": "spec.imagePullSecrets[].name",
    "secrets.missing": "pull secrets that the kubelet could not read",
    "stalled": "seconds since a pull began that has not ended",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "arch": "architecture of the node",
    "serviceAccount": "spec.serviceAccountName",
    "owner": "what to change: deployment/web, or pod/web",
}
REASONS = frozenset(
    "ErrImagePull ImagePullBackOff InvalidImageName ErrImageNeverPull ImageInspectError RegistryUnavailable"
    " SignatureValidationFailed".split()
)


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod):
            continue
        for container in containers_of(pod):
            waiting = (container.status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in REASONS:
                yield _failed(view, pod, container, waiting)
            elif waiting.get("reason") in ("ContainerCreating", "PodInitializing"):
                yield from _stalled(view, pod, container)


def _events(view: View, pod: Json, container: ContainerView, *reasons: str) -> list[Json]:
    """Newest first; an event without a fieldPath counts when it names the image."""
    image = f'"{container.spec.get("image")}"'
    return [
        event
        for event in reversed(view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or ""))
        if event.get("reason") in reasons
        and (event_container(event) == container.name or (not event_container(event) and image in event_message(event)))
    ]


def _failed(view: View, pod: Json, container: ContainerView, waiting: Json) -> Fact:
    failures = [
        event
        for event in _events(view, pod, container, "Failed", "InspectFailed", "ErrImageNeverPull")
        if not event_message(event).startswith("Error: ")
    ]
    message = _inner(waiting.get("message") or "")
    if (not message or message.startswith("Back-off pulling image")) and failures:
        message = _inner(event_message(failures[0]))
    fields = _fields(view, pod, container)
    fields |= {
        "reason": waiting["reason"],
        "message": " ".join(message.split()),
        "attempts": event_count(failures[0]) if failures else None,
        "stalled": None,
    }
    kind = "init container" if container.type in ("init", "sidecar") else "container"
    text = f"state.waiting: {waiting['reason']}: {waiting.get('message') or ''}".rstrip(": ")
    proof = [Proof("status", f"pod/{pod['metadata']['name']} {kind} {container.name}", "", text)]
    proof += [event_proof(event) for event in failures[:1]]
    lost = _lost_secrets(view, pod)
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (*proof, *map(event_proof, lost[:1])))


def _inner(message: str) -> str:
    """The runtime's own words: what follows the kubelet's wrapping."""
    for mark in ("ErrImagePull: ", "ImagePullBackOff: "):
        if mark in message:
            message = message.split(mark, 1)[1]
    if message.startswith("Failed to pull image ") and '": ' in message:
        message = message.split('": ', 1)[1]
    return message


def _stalled(view: View, pod: Json, container: ContainerView) -> Iterator[Fact]:
    """A pull that began and has neither ended nor failed."""
    events = _events(view, pod, container, "Pulling", "Pulled", "Failed")
    if not events or events[0].get("reason") != "Pulling":
        return
    began = parse_time(event_time(events[0]))
    if began is None:
        return
    fields = _fields(view, pod, container)
    fields |= {"reason": "Pulling", "message": "", "attempts": None, "stalled": int(view.snapshot.taken_at - began)}
    yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (event_proof(events[0]),))


def _lost_secrets(view: View, pod: Json) -> list[Json]:
    events = view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    return [event for event in reversed(events) if event.get("reason") == "FailedToRetrieveImagePullSecret"]


def _fields(view: View, pod: Json, container: ContainerView) -> dict[str, Any]:
    spec, reference = pod.get("spec") or {}, container.spec.get("image") or ""
    image, namespace = split_image(reference), pod["metadata"].get("namespace") or ""
    secrets = [item.get("name") or "" for item in spec.get("imagePullSecrets") or []]
    missing = [name for name in secrets if view.snapshot.exists("Secret", namespace, name) is False]
    for event in _lost_secrets(view, pod)[:1]:
        text = event_message(event)
        missing += [name for name in text[text.find("(") + 1 : text.find(")")].split(", ") if name and name not in missing]
    node = view.snapshot.get("Node", "", spec.get("nodeName") or "") or {}
    return {
        "container": container.name,
        "type": container.type,
        "image": reference,
        "registry": image.registry,
        "repository": image.repository,
        "tag": image.tag,
        "policy": container.spec.get("imagePullPolicy") or "",
        "secrets": tuple(secrets),
        "secrets.missing": tuple(missing),
        "pod": pod["metadata"]["name"],
        "namespace": namespace,
        "node": spec.get("nodeName") or "",
        "arch": ((node.get("status") or {}).get("nodeInfo") or {}).get("architecture") or "",
        "serviceAccount": spec.get("serviceAccountName") or "default",
        "owner": owner_word(view, pod),
    }
