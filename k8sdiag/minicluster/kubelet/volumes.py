"""The volumes of a pod: whether each can be mounted, with the error where not, and what it is for the runtime
(pkg/kubelet/volumemanager, pkg/volume, pkg/volume/util/operationexecutor).

A mount that fails is tried again after half a second, doubling to 2m2s; the pod waits up to 2m3s for all of them, then
its next sync waits again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.kubelet.node_paths import type_error
from k8sdiag.minicluster.kubelet.references import UnresolvedError
from k8sdiag.minicluster.kubelet.volume_files import KINDS, LiveFiles, VolumeFiles
from k8sdiag.minicluster.runtimes.base import Volume
from k8sdiag.quantity import parse_quantity

PATIENCE = 123.0  # podAttachAndMountTimeout
POLL = 0.3  # podAttachAndMountRetryInterval
FIRST_TRY = 0.1  # the reconciler's beat
_FIRST_RETRY, _LAST_RETRY = 0.5, 122.0


class MountError(Exception):
    """Why a volume could not be mounted: the whole text of a FailedMount event."""


class ClaimError(Exception):
    """Why a volume could not even be looked for (the populator's error), without its lead."""


@dataclass(slots=True)
class Attempt:
    """The state of one volume that does not mount: when it is tried next."""

    wait: float = 0.0
    next_at: float = 0.0

    def failed(self, now: float) -> None:
        self.wait = min(self.wait * 2, _LAST_RETRY) if self.wait else _FIRST_RETRY
        self.next_at = now + self.wait


class Volumes:
    """Looks at the volumes of pods of one node."""

    def __init__(self, client: Client, node: str, paths: set[str]) -> None:
        self._client, self._node, self._paths = client, node, paths

    def check(self, pod: Json, volume: Json, files: VolumeFiles) -> None:
        """Nothing where it can be mounted, else raise MountError or ClaimError."""
        self.volume(pod, volume, files)

    def volume(self, pod: Json, volume: Json, files: VolumeFiles) -> Volume:
        name = str(volume["name"])
        if any(kind in volume for kind in KINDS):
            return self._files(name, volume, files)
        if "hostPath" in volume:
            return self._host(name, volume["hostPath"])
        if "persistentVolumeClaim" in volume:
            claim = str(volume["persistentVolumeClaim"].get("claimName", ""))
            return self._claim(pod, name, claim)
        if "ephemeral" in volume:
            return self._claim(pod, name, f"{pod['metadata']['name']}-{name}")
        if "csi" in volume:
            self._driver(name, str(volume["csi"].get("driver", "")), "NewMounter initialization")
            return Volume(name, "empty")
        if "nfs" in volume:
            raise MountError(_nfs(pod, name, volume["nfs"]))
        empty = volume.get("emptyDir") or {}
        limit = parse_quantity(empty.get("sizeLimit"))
        in_memory = empty.get("medium") == "Memory"
        return Volume(name, "empty", in_memory=in_memory, limit=None if limit is None else int(limit))

    def _files(self, name: str, volume: Json, files: VolumeFiles) -> Volume:
        try:
            first = files.files(volume)
        except UnresolvedError as missing:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {missing}') from None
        source = next((volume[kind] or {} for kind in KINDS if kind in volume), {})
        mode = int(source.get("defaultMode") or 0o644)
        return Volume(name, "files", LiveFiles(lambda: files.files(volume), first), mode=mode)

    def _host(self, name: str, source: Json) -> Volume:
        path = str(source.get("path", ""))
        wrong = type_error(path, str(source.get("type") or ""), self._paths)
        if wrong:
            raise MountError(f'MountVolume.SetUp failed for volume "{name}" : {wrong}')
        return Volume(name, "host", path=path)

    def _claim(self, pod: Json, name: str, claim_name: str) -> Volume:
        namespace = pod["metadata"]["namespace"]
        lead = f"error processing PVC {namespace}/{claim_name}: "
        claim = self._client.find("persistentvolumeclaims", namespace, claim_name)
        if claim is None:
            missing = f'persistentvolumeclaims "{claim_name}" not found'
            raise ClaimError(f"{lead}failed to fetch PVC from API server: {missing}")
        if claim["metadata"].get("deletionTimestamp"):
            raise ClaimError(f"{lead}PVC is being deleted")
        bound_to = claim["spec"].get("volumeName")
        if (claim.get("status") or {}).get("phase") != "Bound" or not bound_to:
            raise ClaimError(f"{lead}PVC is not bound")
        volume = self._client.find("persistentvolumes", "", bound_to)
        if volume is None:
            raise ClaimError(
                f"error processing PVC {namespace}/{claim_name}: failed to fetch PV {bound_to} from API server:"
                f' persistentvolumes "{bound_to}" not found'
            )
        return self._persistent(pod, name, bound_to, volume["spec"])

    def _persistent(self, pod: Json, name: str, bound_to: str, spec: Json) -> Volume:
        if "csi" in spec:
            self._driver(bound_to, str(spec["csi"].get("driver", "")), "MountDevice")
        elif "nfs" in spec:
            raise MountError(_nfs(pod, bound_to, spec["nfs"]))
        elif "local" in spec:
            path = str(spec["local"].get("path", ""))
            if type_error(path, "Directory", self._paths):
                text = f'local volume "{bound_to}" : path "{path}" does not exist'
                raise MountError(
                    f'MountVolume.NewMounter initialization failed for volume "{bound_to}" : {_tail(text)}'
                )
        elif "hostPath" in spec:
            path, kind = str(spec["hostPath"].get("path", "")), str(spec["hostPath"].get("type") or "")
            wrong = type_error(path, kind, self._paths)
            if wrong:
                raise MountError(f'MountVolume.SetUp failed for volume "{bound_to}" : {wrong}')
        return Volume(name, "claim", path=bound_to)

    def _driver(self, volume: str, driver: str, step: str) -> None:
        """A CSI volume needs its driver on this node (pkg/volume/csi)."""
        node = self._client.find("csinodes", "", self._node) or {}
        drivers = [one.get("name") for one in (node.get("spec") or {}).get("drivers") or ()]
        if driver in drivers:
            return
        text = f"driver name {driver} not found in the list of registered CSI drivers"
        if step == "MountDevice":
            text = f"kubernetes.io/csi: attacher.MountDevice failed to create newCsiDriverClient: {text}"
        raise MountError(f'MountVolume.{step} failed for volume "{volume}" : {text}')


def _tail(text: str) -> str:
    return text.partition(" : ")[2]


def _nfs(pod: Json, name: str, source: Json) -> str:
    place = f"/var/lib/kubelet/pods/{pod['metadata']['uid']}/volumes/kubernetes.io~nfs/{name}"
    what = f"{source.get('server')}:{source.get('path')}"
    return (
        f'MountVolume.SetUp failed for volume "{name}" : mount failed: exit status 32\nMounting command: mount\n'
        f"Mounting arguments: -t nfs {what} {place}\nOutput: mount.nfs: Connection timed out\n"
    )


def unmounted(names: Iterable[str]) -> str:
    """The error of a sync that has waited long enough for its volumes (WaitForAttachAndMount)."""
    text = f"unmounted volumes=[{' '.join(sorted(names))}], unattached volumes=[], failed to process volumes=[]"
    return f"{text}: context deadline exceeded"


def unprocessed(pod: Json, errors: Iterable[tuple[str, str]]) -> str:
    """The error of a sync that could not find its volumes (WaitForAttachAndMount)."""
    listed = [*errors]
    names = " ".join(name for name, _ in listed)
    used = {mount["name"] for container in pod["spec"]["containers"] for mount in container.get("volumeMounts") or ()}
    waiting = " ".join(name for name, _ in listed if name in used) or names
    reasons = "; ".join(text for _, text in listed)
    return f"unmounted volumes=[{waiting}], unattached volumes=[], failed to process volumes=[{names}]: {reasons}"
