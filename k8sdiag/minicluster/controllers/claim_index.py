"""What a claim has to do with: the volumes it may have, and the pods that wait for it."""

from __future__ import annotations

from k8sdiag.evidence import Json
from k8sdiag.minicluster.client import Client

Key = tuple[str, str]  # namespace and name of a claim


class ClaimIndex:
    """Kept by watches, so that a claim costs what concerns it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._promised: dict[Key, dict[str, None]] = {}  # volumes by the claim that their claimRef names
        self._free: dict[str, None] = {}  # volumes that nobody has claimed
        self._consumers: dict[Key, dict[str, None]] = {}  # pods without a node yet, by claim

    def see_volume(self, kind: str, volume: Json, old: Json | None) -> None:
        name = volume["metadata"]["name"]
        before = _claimed_by(old if old is not None else volume) if kind != "ADDED" else None
        now = _claimed_by(volume)
        if before is not None and (kind == "DELETED" or before != now):
            self._promised.get(before, {}).pop(name, None)
        if kind == "DELETED" or now is not None:
            self._free.pop(name, None)
        if kind != "DELETED" and now is not None:
            self._promised.setdefault(now, {})[name] = None
        elif kind != "DELETED":
            self._free[name] = None

    def see_pod(self, kind: str, pod: Json, _: Json | None) -> None:
        """Remember who waits for a node and for a claim (findNonScheduledPodsByPVC)."""
        meta = pod["metadata"]
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        waits = kind != "DELETED" and not over and not pod["spec"].get("nodeName")
        for name in claims_of(pod):
            key = (meta["namespace"], name)
            if waits:
                self._consumers.setdefault(key, {})[meta["name"]] = None
            elif key in self._consumers:
                self._consumers[key].pop(meta["name"], None)
                if not self._consumers[key]:
                    del self._consumers[key]

    def candidates(self, claim: Json, late: bool) -> list[Json]:
        """The volumes that a claim may have: those promised to it, and the free ones. A claim that waits for its pod
        takes none by itself: the scheduler promises it one."""
        names = [*self._promised.get((claim["metadata"]["namespace"], claim["metadata"]["name"]), ())]
        if not late:
            names += self._free
        found = [self._client.find("persistentvolumes", "", name) for name in sorted(names)]
        return [volume for volume in found if volume is not None]

    def consumers(self, claim: Json) -> list[str]:
        """The pods without a node that are to have the claim."""
        return list(self._consumers.get((claim["metadata"]["namespace"], claim["metadata"]["name"]), ()))


def _claimed_by(volume: Json) -> Key | None:
    reference = volume["spec"].get("claimRef")
    return (reference.get("namespace", ""), reference.get("name", "")) if reference else None


def claims_of(pod: Json) -> list[str]:
    """The claims that a pod mounts, those of its ephemeral volumes too."""
    found = []
    for volume in pod["spec"].get("volumes") or ():
        if volume.get("persistentVolumeClaim"):
            found.append(str(volume["persistentVolumeClaim"].get("claimName", "")))
        elif volume.get("ephemeral"):
            found.append(f"{pod['metadata']['name']}-{volume['name']}")
    return found
