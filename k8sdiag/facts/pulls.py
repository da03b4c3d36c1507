"""Image pulls that fail or stall, one fact a container.

Sample (state.waiting.message, 1.31 and later): `Back-off pulling image "shop/web:v9": ErrImagePull: failed to pull and
unpack image "...": failed to resolve reference "...": docker.io/shop/web:v9: not found`. Older servers keep the error
only in the event `Failed to pull image "...": rpc error: code = NotFound desc = ...`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, event_count, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_container, event_proof, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.journal_words import journal_error
from k8sdiag.podstate import ContainerView, containers_of, is_finished, is_quiet
from k8sdiag.pull_errors import FIELDS as ERROR_FIELDS
from k8sdiag.pull_errors import MAX_MESSAGE, taken_apart
from k8sdiag.references import split_image
from k8sdiag.relations import View, network_plugin

KIND = "pull"
KEYS = ("container", "pod", "node", "workload", "namespace")
FIELDS = {
    "reason": "state.waiting.reason, or Pulling where a pull is under way",
    "message": "the runtime's error, on one line",
    **ERROR_FIELDS,
    "container": "the container's name",
    "type": "init, sidecar, app or ephemeral",
    "which": "in words: container app, init container migrate",
    "image": "spec.containers[].image, or the reference of the image volume that fails",
    "volume": "the image volume that fails (spec.volumes[].image), or ''",
    "registry": "host of the image",
    "repository": "path of the image",
    "tag": "tag or digest of the image",
    "fault": "what is wrong with the image's name, where it cannot be parsed",
    "policy": "spec.containers[].imagePullPolicy",
    "attempts": "failed attempts, as events count them",
    "secrets": "spec.imagePullSecrets[].name",
    "secrets.missing": "pull secrets that the kubelet could not read",
    "secrets.unusable": "pull secrets that exist and hold no registry credentials, with their type",
    "secrets.unused": "Secrets of the namespace with registry credentials that neither the pod nor its account names",
    "secrets.elsewhere": "namespaces that do have a missing pull secret",
    "secrets.account": "imagePullSecrets of the pod's ServiceAccount, where the pod has none of them",
    "stalled": "seconds since a pull began that has not ended",
    "queue": "other images that the node is pulling at the same time",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "arch": "architecture of the node",
    "serviceAccount": "spec.serviceAccountName",
    "plugin": "the network plugin this pod belongs to (flannel, calico ...)",
    "owner": "what to change: deployment/web, or pod/web",
}
REASONS = frozenset(
    "ErrImagePull ImagePullBackOff InvalidImageName ErrImageNeverPull ImageInspectError RegistryUnavailable"
    " SignatureValidationFailed".split()
)
_TYPES = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
_FAULTS = (
    (r"^https?://", "it begins with http://; an image has no scheme"),
    (r"\$[({]|\{\{|\}\}|<[^>]*>|%[({]", "it holds a variable that nothing has replaced"),
    (r"\s", "it holds a space"),
    (r":$|@$", "its tag is empty"),
    (r"^[:/@]|//|/$", "a part of it is empty"),
    (r"@(?!sha256:[0-9a-f]{64}$)", "its digest is not sha256: and 64 hexadecimal digits"),
    (r":[^/@]*:", "it has two tags"),
    (r"^(?:[^/]*[.:][^/]*/)?[^:@]*[A-Z]", "its repository must be lowercase"),
)


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or pod["metadata"].get("deletionTimestamp"):
            continue
        for container in containers_of(pod):
            waiting = (container.status.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in REASONS:
                yield _failed(view, pod, container, waiting)
            elif waiting.get("reason") in ("ContainerCreating", "PodInitializing"):
                yield from _stalled(view, pod, container)


def _events(view: View, pod: Json, container: ContainerView, image: str, *reasons: str) -> list[Json]:
    """Newest first; an event without a fieldPath counts when it names the image."""
    quoted = f'"{image}"'
    return [
        event
        for event in reversed(view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or ""))
        if event.get("reason") in reasons
        and (event_container(event) or (container.name if quoted in event_message(event) else "")) == container.name
    ]


def _failed(view: View, pod: Json, container: ContainerView, waiting: Json) -> Fact:
    message = waiting.get("message") or ""
    image, volume = _image_of(pod, container, message)
    failures = [
        event
        for event in _events(view, pod, container, image, "Failed", "InspectFailed", "ErrImageNeverPull")
        if not event_message(event).startswith("Error: ")
    ]
    inner, said = _inner(message), None
    if (not inner or inner.startswith("Back-off pulling image")) and failures:
        inner = _inner(event_message(failures[0]))
    elif not inner or inner.startswith("Back-off pulling image"):
        inner, said = journal_error(
            view.snapshot, (pod.get("spec") or {}).get("nodeName") or "", "ailed to pull image", f'image="{image}"'
        )
    line = " ".join(inner.split())[:MAX_MESSAGE]
    fields = _fields(view, pod, container, image) | taken_apart(line, waiting["reason"], image)
    fields |= {
        "reason": waiting["reason"],
        "message": line,
        "volume": volume,
        "which": f"volume {volume} of {fields['which']}" if volume else fields["which"],
        "host": fields["host"] or fields["registry"],
        "attempts": event_count(failures[0]) if failures else None,
        "stalled": None,
        "queue": (),
    }
    kind = "init container" if container.type in ("init", "sidecar") else "container"
    text = f"state.waiting: {waiting['reason']}: {message}".rstrip(": ")
    proof = [Proof("status", f"pod/{pod['metadata']['name']} {kind} {container.name}", "", text)]
    proof += [event_proof(event) for event in failures[:1]] + ([said] if said else [])
    lost = _lost_secrets(view, pod)
    return Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (*proof, *map(event_proof, lost[:1])))


def _image_of(pod: Json, container: ContainerView, message: str) -> tuple[str, str]:
    """(the image that fails, the volume it is for); of an image volume the container that mounts it tells."""
    own = container.spec.get("image") or ""
    if f'"{own}"' in message:
        return own, ""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        reference = (volume.get("image") or {}).get("reference") or ""
        if reference and f'"{reference}"' in message:
            return reference, volume.get("name") or ""
    return own, ""


def _inner(message: str) -> str:
    """The runtime's own words: what follows the kubelet's wrapping."""
    for mark in ("ErrImagePull: ", "ImagePullBackOff: "):
        if mark in message:
            message = message.split(mark, 1)[1]
    message = message.removeprefix("(combined from similar events): ")
    if message.startswith("Failed to pull image ") and '": ' in message:
        message = message.split('": ', 1)[1]
    return message


def _stalled(view: View, pod: Json, container: ContainerView) -> Iterator[Fact]:
    """A pull that began and has neither ended nor failed."""
    image = container.spec.get("image") or ""
    events = _events(view, pod, container, image, "Pulling", "Pulled", "Failed")
    if not events or events[0].get("reason") != "Pulling":
        return
    began = parse_time(event_time(events[0]))
    if began is None:
        return
    fields = _fields(view, pod, container, image) | taken_apart("")
    fields |= {"reason": "Pulling", "message": "", "attempts": None, "volume": "", "host": fields["registry"]}
    fields |= {"stalled": int(view.snapshot.taken_at - began), "queue": tuple(_queue(view, pod, image))}
    yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod, container.name), (event_proof(events[0]),))


def _queue(view: View, pod: Json, image: str) -> list[str]:
    """Images of other pods whose pull the node has begun and not ended."""
    found: dict[str, None] = {}
    for other in view.snapshot.pods_on((pod.get("spec") or {}).get("nodeName") or ""):
        if other is pod or is_quiet(other) or is_finished(other):
            continue
        for container in containers_of(other):
            name = container.spec.get("image") or ""
            events = _events(view, other, container, name, "Pulling", "Pulled", "Failed")
            runs = "running" in (container.status.get("state") or {})
            if name != image and not runs and events and events[0].get("reason") == "Pulling":
                found[name] = None
    return list(found)


def _lost_secrets(view: View, pod: Json) -> list[Json]:
    events = view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    return [event for event in reversed(events) if event.get("reason") == "FailedToRetrieveImagePullSecret"]


def _fields(view: View, pod: Json, container: ContainerView, image: str) -> dict[str, Any]:
    spec, parts = pod.get("spec") or {}, split_image(image)
    node = view.snapshot.get("Node", "", spec.get("nodeName") or "") or {}
    return {
        "container": container.name,
        "type": container.type,
        "which": f"{'' if container.type == 'app' else container.type + ' '}container {container.name}",
        "image": image,
        "registry": parts.registry,
        "repository": parts.repository,
        "tag": parts.tag,
        "fault": next((words for shape, words in _FAULTS if re.search(shape, image)), ""),
        "policy": container.spec.get("imagePullPolicy") or "",
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": spec.get("nodeName") or "",
        "arch": ((node.get("status") or {}).get("nodeInfo") or {}).get("architecture") or "",
        "serviceAccount": spec.get("serviceAccountName") or "default",
        "plugin": network_plugin(pod),
        "owner": owner_word(view, pod),
    } | _secrets(view, pod)


def _secrets(view: View, pod: Json) -> dict[str, Any]:
    """The pod's pull secrets, and what is wrong with them."""
    spec, namespace = pod.get("spec") or {}, pod["metadata"].get("namespace") or ""
    named = [item.get("name") or "" for item in spec.get("imagePullSecrets") or []]
    missing = [name for name in named if view.snapshot.exists("Secret", namespace, name) is False]
    for event in _lost_secrets(view, pod)[:1]:
        text = event_message(event)
        said = text[text.find("(") + 1 : text.find(")")].split(", ")
        known = [name for name in said if name and view.snapshot.get("Secret", namespace, name) is None]
        missing += [name for name in known if name not in missing]
    there = {secret["metadata"]["name"]: secret for secret in view.snapshot.of_kind("Secret", namespace)}
    elsewhere = [
        secret["metadata"].get("namespace") or ""
        for secret in view.snapshot.of_kind("Secret")
        if secret["metadata"]["name"] in missing and secret["metadata"].get("namespace") != namespace
    ]
    account = view.snapshot.get("ServiceAccount", namespace, spec.get("serviceAccountName") or "default") or {}
    lent = [item.get("name") or "" for item in account.get("imagePullSecrets") or []]
    return {
        "secrets": tuple(named),
        "secrets.missing": tuple(missing),
        "secrets.unusable": tuple(
            f"{name} (type {there[name].get('type') or 'Opaque'})"
            for name in named
            if name in there and not _holds(there[name])
        ),
        "secrets.unused": tuple(name for name in there if name not in (*named, *lent) and _holds(there[name])),
        "secrets.elsewhere": tuple(elsewhere),
        "secrets.account": tuple(name for name in lent if name not in named),
    }


def _holds(secret: Json) -> bool:
    """Does the kubelet take registry credentials from it? Of any other type or key it reads nothing, silently."""
    key = _TYPES.get(secret.get("type") or "")
    return key is not None and (key in (secret.get("data") or {}) or not secret.get("data"))
