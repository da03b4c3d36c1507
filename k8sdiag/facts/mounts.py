"""Volumes that cannot be attached or mounted, while the pod still waits for them; one fact a volume.

Sample: `FailedMount: MountVolume.SetUp failed for volume "config" : configmap "app-config" not found`. A failure that
was overcome (the pod went on) yields nothing: ConfigMaps and Secrets often come a second late.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from k8sdiag.evidence import Json, event_count, event_first_time, event_message, ref_of
from k8sdiag.facts import Fact, event_proof, events_where, owner_word, pod_keys
from k8sdiag.podstate import containers_of, is_finished, is_quiet
from k8sdiag.relations import View

KIND = "mount"
KEYS = ("pod", "claim", "node", "workload", "namespace")
FIELDS = {
    "reason": "FailedMount, FailedAttachVolume, FailedMapVolume ...",
    "operation": "MountVolume.SetUp, AttachVolume.Attach ... or ''",
    "message": "the error after 'failed for volume \"x\" : ', on one line",
    "volume": "the volume the message names",
    "volume.type": "configMap, secret, projected, persistentVolumeClaim, hostPath, nfs, csi ... or ''",
    "object": "the ConfigMap, Secret, claim, path or server behind the volume",
    "count": "how often",
    "first": "when it was first seen",
    "pod": "metadata.name",
    "namespace": "metadata.namespace",
    "node": "spec.nodeName",
    "owner": "what to change: deployment/web, or pod/web",
}
REASONS = frozenset(
    "FailedMount FailedAttachVolume FailedMapVolume FailedMountOnFilesystemMismatch VolumePermissionChangeInProgress"
    " VolumeResizeFailed FileSystemResizeFailed".split()
)
_FAILED = re.compile(r'^(?P<operation>\S+)(?: .*?)? failed for volume "(?P<volume>[^"]+)" ?: (?P<error>.*)', re.DOTALL)
_NAMED = re.compile(r'volume "(?P<volume>[^"]+)"')
_UNMOUNTED = re.compile(r"unmounted volumes=\[(?P<volume>[^\] ,]+)")


def derive(view: View) -> Iterator[Fact]:
    for pod in view.of_kind("Pod"):
        if is_quiet(pod) or is_finished(pod) or not _waits(pod):
            continue
        seen: set[tuple[str, str]] = set()
        uid = pod["metadata"].get("uid") or ""
        for event in events_where(view, ref_of(pod), uid, lambda event: event.get("reason") in REASONS):
            fields = _fields(view, pod, event)
            if (event["reason"], fields["volume"]) not in seen:
                seen.add((event["reason"], fields["volume"]))
                yield Fact(KIND, ref_of(pod), fields, pod_keys(view, pod), (event_proof(event),))


def _waits(pod: Json) -> bool:
    """No container has begun: volumes come before every container."""
    states = [container.status.get("state") or {} for container in containers_of(pod)]
    waiting = [(state.get("waiting") or {}).get("reason") for state in states]
    begun = any("running" in state or "terminated" in state for state in states)
    return not begun and all(reason in (None, "ContainerCreating", "PodInitializing") for reason in waiting)


def _fields(view: View, pod: Json, event: Json) -> dict[str, Any]:
    text = event_message(event)
    found = _FAILED.match(text)
    named = found or _NAMED.search(text) or _UNMOUNTED.search(text)
    volume = named.group("volume") if named else ""
    kind, target = _source(view, pod, volume)
    return {
        "reason": event["reason"],
        "operation": found.group("operation") if found else "",
        "message": " ".join((found.group("error") if found else text).split()),
        "volume": volume,
        "volume.type": kind,
        "object": target,
        "count": event_count(event),
        "first": event_first_time(event),
        "pod": pod["metadata"]["name"],
        "namespace": pod["metadata"].get("namespace") or "",
        "node": (pod.get("spec") or {}).get("nodeName") or "",
        "owner": owner_word(view, pod),
    }


def _source(view: View, pod: Json, name: str) -> tuple[str, str]:
    """What is behind a volume; the kubelet names a claim's volume by its PersistentVolume."""
    namespace = pod["metadata"].get("namespace") or ""
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        kind = next((key for key in volume if key != "name"), "")
        source = volume.get(kind) or {}
        target = source.get("name") or source.get("secretName") or source.get("claimName") or source.get("path") or ""
        if kind == "nfs":
            target = f"{source.get('server')}:{source.get('path')}"
        if volume.get("name") == name:
            return kind, str(target)
        if kind == "persistentVolumeClaim":
            claim = view.snapshot.get("PersistentVolumeClaim", namespace, str(target)) or {}
            if (claim.get("spec") or {}).get("volumeName") == name:
                return kind, str(target)
    return "", ""
