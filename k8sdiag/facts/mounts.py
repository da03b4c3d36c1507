"""Volumes that cannot be attached or mounted, while the pod still waits for them; one fact a volume.

Sample: `FailedMount: MountVolume.SetUp failed for volume "config" : configmap "app-config" not found`. A failure that
was overcome (the pod went on) yields nothing: ConfigMaps and Secrets often come a second late. What no event tells is
derived: an object that is not there, and a pod that has waited minutes for a volume in silence (`reason: Silent`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json, event_count, event_first_time, event_message, event_time, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, owner_word, pod_keys
from k8sdiag.finding import Proof
from k8sdiag.journal_words import said
from k8sdiag.nearness import nearest
from k8sdiag.podstate import conditions_of, containers_of, is_finished, is_quiet
from k8sdiag.references import lacks
from k8sdiag.relations import View

KIND = "mount"
KEYS = ("pod", "claim", "node", "workload", "namespace")
FIELDS = {
    "reason": "FailedMount, FailedAttachVolume, FailedMapVolume ..., or Silent where minutes pass without a word",
    "operation": "MountVolume.SetUp, AttachVolume.Attach ... or ''",
    "message": "the error after 'failed for volume \"x\" : ', on one line",
    "volume": "the volume the message names",
    "volume.type": "configMap, secret, projected, persistentVolumeClaim, hostPath, nfs, csi ... or ''",
    "object": "the ConfigMap, Secret, claim, path or server behind the volume",
    "claim": "the claim behind it",
    "source": "what is mounted in the end: nfs 192.0.2.1:/exports, csi ghost.example vol-1, hostPath /data (Directory)",
    "driver": "the CSI driver behind it",
    "there": "the keys that the ConfigMap or Secret has, or the objects of that kind there are",
    "nearest": "of those, what looks like the name that is wrong",
    "attachment": "its VolumeAttachment, where there is one: attached or not, and the error",
    "waited.seconds": "seconds since the pod was bound",
    "count": "how often",
    "first": "when it was first seen",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
}
REASONS = frozenset(
    "FailedMount FailedAttachVolume FailedMapVolume FailedMountOnFilesystemMismatch VolumePermissionChangeInProgress"
    " VolumeResizeFailed FileSystemResizeFailed AlreadyMountedVolume".split()
)
_AFTER = frozenset("Pulling Pulled Created Started FailedCreatePodSandBox".split())  # volumes come before these
_FAILED = re.compile(r'^(?P<operation>\S+)(?: .*?)? failed for volume "(?P<volume>[^"]+)" ?: (?P<error>.*)', re.DOTALL)
_NAMED = re.compile(r'volume "(?P<volume>[^"]+)"')
_PROCESSED = re.compile(r"failed to process volumes=\[(?P<volume>[^\] ,]+)")
_OWNED = re.compile(r"ownership for \S*?/volumes/(?:[^/\s]+~[^/\s]+/)?(?P<volume>[^/\s]+)")
_UNMOUNTED = re.compile(r"unmounted volumes=\[(?P<volume>[^\] ,]+)")
_SLOW = ("persistentVolumeClaim", "ephemeral", "nfs", "csi", "iscsi", "rbd", "cephfs", "glusterfs", "fc", "cinder")
SILENCE = 120  # the kubelet gives a mount 2 min 3 s, and says nothing when they have passed


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod):
            continue
        seen: set[tuple[str, str]] = set()
        uid = pod["metadata"].get("uid") or ""
        events = events_where(view, ref_of(pod), uid, lambda event: event.get("reason") in REASONS)
        if not _waits(pod, bool(events)):
            continue
        for event in events:
            fields = _fields(view, pod, event)
            if (event["reason"], fields["volume"]) not in seen and not _overcome(view, pod, event):
                seen.add((event["reason"], fields["volume"]))
                yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), (event_proof(event), *_proof(fields)))
        if not seen:
            yield from _untold(view, pod)


def _waits(pod: Json, said: bool) -> bool:
    """No container has begun: volumes come before every container. After a restart of the node they have, and ended."""
    states = [container.status.get("state") or {} for container in containers_of(pod)]
    if any("running" in state for state in states):
        return False
    waiting = [(state.get("waiting") or {}).get("reason") for state in states if "terminated" not in state]
    ended = [state["terminated"] for state in states if "terminated" in state]
    again = said and all((end or {}).get("reason") in ("Unknown", "ContainerStatusUnknown") for end in ended)
    return (not ended or again) and all(reason in (None, "ContainerCreating", "PodInitializing") for reason in waiting)


def _overcome(view: View, pod: Json, event: Json) -> bool:
    """Did the pod go on after this? What comes after volumes has happened since, or the volume was attached since."""
    last = parse_time(event_time(event)) or 0.0
    attach = event["reason"] == "FailedAttachVolume"
    for other in view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or ""):
        reason, when = other.get("reason") or "", parse_time(event_time(other)) or 0.0
        if when > last and (reason in _AFTER or (attach and reason == "SuccessfulAttachVolume")):
            return True
    return False


def _untold(view: View, pod: Json) -> Iterator[Fact]:
    """What no event says: a ConfigMap, Secret or key that is not there; else minutes of silence over a slow volume."""
    ready = (conditions_of(pod).get("PodReadyToStartContainers") or {}).get("status") == "True"
    events = view.snapshot.events_of(ref_of(pod), pod["metadata"].get("uid") or "")
    bound = parse_time((conditions_of(pod).get("PodScheduled") or {}).get("lastTransitionTime"))
    waited = int(view.snapshot.taken_at - bound) if bound is not None else 0
    if ready or not (pod.get("status") or {}).get("startTime") or pod["metadata"].get("deletionTimestamp"):
        return
    if any(event.get("reason") in _AFTER for event in events):
        return
    told = False
    for lack in lacks(view.snapshot, pod):
        named = lack.named
        if named.via.startswith("volume ") and not named.optional and named.kind in ("ConfigMap", "Secret"):
            told = True
            fields = _of_volume(view, pod, named.via.removeprefix("volume "))
            fields |= {"reason": "FailedMount", "message": lack.message, "waited.seconds": waited}
            proof = Proof("object", f"{named.kind.lower()}/{named.name}", "", lack.text)
            yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), (proof,))
    logged = [] if told or any(event.get("type") == "Warning" for event in events) else list(_journalled(view, pod))
    yield from logged
    if told or logged or waited < SILENCE or any(event.get("type") == "Warning" for event in events):
        return
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        if any(kind in volume for kind in _SLOW):
            fields = _of_volume(view, pod, volume.get("name") or "") | {"reason": "Silent", "waited.seconds": waited}
            yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), tuple(_proof(fields)))


def _journalled(view: View, pod: Json) -> Iterator[Fact]:
    """What the kubelet's journal says, where the events have expired: of each volume the newest failure, if no success
    has followed."""
    uid, node = pod["metadata"].get("uid") or "-", (pod.get("spec") or {}).get("nodeName") or ""
    done: set[str] = set()
    for entry in reversed(view.snapshot.journal.get((node, "kubelet"), [])):
        text = entry.message[:4000]
        if uid not in text or "olume" not in text:
            continue
        plain = said(text)
        found = _FAILED.match(plain)
        named = found or _NAMED.search(plain)
        if named is None or named.group("volume") in done:
            continue
        if found or "succeeded for volume" in plain:
            done.add(named.group("volume"))
        if found and found.group("operation").startswith(("MountVolume", "AttachVolume", "MapVolume")):
            reason = "FailedAttachVolume" if plain.startswith("Attach") else "FailedMount"
            fields = _worded(view, pod, reason, plain)
            proof = Proof("journal", f"node/{node} kubelet", format_time(entry.at), " ".join(text.split()))
            yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), (proof, *_proof(fields)))


def _fields(view: View, pod: Json, event: Json) -> dict[str, Any]:
    text = event_message(event).removeprefix("(combined from similar events): ")
    return _worded(view, pod, event["reason"], text) | {
        "count": event_count(event),
        "first": event_first_time(event),
    }


def _worded(view: View, pod: Json, reason: str, text: str) -> dict[str, Any]:
    """The fields that follow from what was said."""
    found = _FAILED.match(text)
    named = found or _NAMED.search(text) or _OWNED.search(text) or _PROCESSED.search(text) or _UNMOUNTED.search(text)
    return _of_volume(view, pod, named.group("volume") if named else "") | {
        "reason": reason,
        "operation": found.group("operation") if found else "",
        "message": " ".join((found.group("error") if found else text).split()),
    }


def _of_volume(view: View, pod: Json, name: str) -> dict[str, Any]:
    """The fields that follow from the volume alone."""
    kind, target, source = _source(view, pod, name)
    inner = next((key for key in source if key != "name" and isinstance(source[key], dict)), "")
    node = (pod.get("spec") or {}).get("nodeName") or ""
    bound = parse_time((conditions_of(pod).get("PodScheduled") or {}).get("lastTransitionTime"))
    lack = next((item for item in lacks(view.snapshot, pod) if item.named.via == f"volume {name}"), None)
    near = nearest(lack.named.key or lack.named.name, lack.there, n=2, cutoff=0.5) if lack else []
    return {
        "there": lack.there if lack else (),
        "nearest": tuple(near),
        "reason": "",
        "operation": "",
        "message": "",
        "volume": name,
        "volume.type": kind,
        "object": target or (lack.named.name if lack else ""),
        "claim": target if kind in ("persistentVolumeClaim", "ephemeral") else "",
        "source": source_text(inner, source.get(inner) or {}),
        "driver": (source.get("csi") or {}).get("driver") or "",
        "attachment": _attachment(view, str(source.get("persistentVolume") or name), node),
        "waited.seconds": int(view.snapshot.taken_at - bound) if bound is not None else None,
        "count": 0,
        "first": "",
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": node,
        "owner": owner_word(view, pod),
    }


def _source(view: View, pod: Json, name: str) -> tuple[str, str, Json]:
    """(kind, object, what is behind it): the kubelet names a claim's volume by its PersistentVolume."""
    namespace = pod["metadata"].get("namespace") or ""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        kind = next((key for key in volume if key != "name"), "")
        source = volume.get(kind) or {}
        target = source.get("name") or source.get("secretName") or source.get("claimName") or source.get("path") or ""
        if kind == "nfs":
            target = f"{source.get('server')}:{source.get('path')}"
        if kind == "ephemeral":
            target = f"{pod['metadata']['name']}-{volume.get('name')}"
        claim: Json = {}
        if kind in ("persistentVolumeClaim", "ephemeral"):
            claim = view.snapshot.get("PersistentVolumeClaim", namespace, str(target)) or {}
        persistent = (claim.get("spec") or {}).get("volumeName") or ""
        if name and name in (volume.get("name"), persistent):
            behind = (view.snapshot.get("PersistentVolume", "", persistent) or {}).get("spec") or {}
            kept = {key: value for key, value in behind.items() if key not in _NO_SOURCE}
            return kind, str(target), kept | {"persistentVolume": persistent} if persistent else dict(volume)
    return "", "", {}


_NO_SOURCE = ("capacity", "claimRef", "nodeAffinity", "volumeAttributesClassName")


def source_text(kind: str, source: Json) -> str:
    """A volume source in words: `nfs 192.0.2.1:/exports`, `hostPath /data (Directory)`."""
    if kind == "nfs":
        return f"nfs {source.get('server')}:{source.get('path')}"
    if kind == "csi":
        return f"csi {source.get('driver')} {source.get('volumeHandle') or ''}".strip()
    if kind in ("hostPath", "local"):
        shown = f" ({source['type']})" if source.get("type") else ""
        return f"{kind} {source.get('path')}{shown}"
    if kind == "iscsi":
        return f"iscsi {source.get('targetPortal')} {source.get('iqn')}"
    return ""


def _attachment(view: View, volume: str, node: str) -> str:
    for item in view.snapshot.of_kind("VolumeAttachment") if volume else ():
        spec, status = item.get("spec") or {}, item.get("status") or {}
        if (spec.get("source") or {}).get("persistentVolumeName") == volume and spec.get("nodeName") in (node, None):
            error = (status.get("attachError") or {}).get("message") or ""
            state = "attached" if status.get("attached") else "not attached"
            return f"{item['metadata']['name']} {state}{': ' if error else ''}{error}"
    return ""


def _proof(fields: dict[str, Any]) -> Iterator[Proof]:
    if fields["volume"] and fields["volume.type"]:
        text = f"volume {fields['volume']}: {fields['volume.type']} {fields['object']}".rstrip()
        if fields["source"] and fields["source"] not in text:
            text += f" -> {fields['source']}"
        yield Proof("spec", f"pod/{fields['pod']}", "", text)
    if fields["attachment"]:
        yield Proof("object", "volumeattachment", "", f"VolumeAttachment {fields['attachment']}")
