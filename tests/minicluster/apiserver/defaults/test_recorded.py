"""Defaults against what a real 1.33 server made of real manifests (`recorded.jsonl`: what was sent, what was kept)."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver import defaults
from k8sdiag.minicluster.kinds import Registry

RECORDED = [json.loads(line) for line in (Path(__file__).parent / "recorded.jsonl").read_text().splitlines()]
REGISTRY = Registry()
NOT_READY = {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}
# What other parts of the server give a Pod and a Service: admission, the allocators of addresses.
ADMISSION = ("serviceAccountName", "serviceAccount", "priority", "preemptionPolicy")
ALLOCATED = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
STAMPED = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")


def server_side(kept: Json) -> Json:
    """The recorded object without what is none of the defaults' business."""
    obj = copy.deepcopy(kept)
    for name in STAMPED:
        obj["metadata"].pop(name, None)
    if not obj["metadata"].get("annotations"):
        obj["metadata"].pop("annotations", None)
    spec = obj.get("spec", {})
    if obj["kind"] == "Pod":
        for name in ADMISSION:
            spec.pop(name, None)
        spec["tolerations"] = [item for item in spec.get("tolerations", []) if item.get("key") not in NOT_READY]
        spec["volumes"] = [item for item in spec.get("volumes", []) if not item["name"].startswith("kube-api-access")]
        for container in spec["containers"] + spec.get("initContainers", []):
            mounts = container.get("volumeMounts", [])
            container["volumeMounts"] = [item for item in mounts if "serviceaccount" not in item["mountPath"]]
    if obj["kind"] == "Service":
        for name in ALLOCATED:
            spec.pop(name, None)
    if obj["kind"] == "DaemonSet":
        obj["metadata"].pop("annotations", None)
    if obj["kind"] == "PersistentVolumeClaim":
        obj["metadata"].pop("finalizers", None)  # an admission plugin's
    found: Json = pruned(obj)
    return found


def pruned(value: Any) -> Any:
    """Without empty lists, which Go leaves out."""
    if isinstance(value, dict):
        return {key: pruned(inner) for key, inner in value.items() if inner != []}
    return [pruned(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda item: f"{item['incident']}-{item['kept']['kind']}")
def test_as_the_real_server(recorded: Json) -> None:
    obj, kept = copy.deepcopy(recorded["written"]), recorded["kept"]
    resource = REGISTRY.of(obj["apiVersion"], obj["kind"])
    assert resource is not None
    defaults.apply(resource, obj)
    obj["metadata"]["uid"] = kept["metadata"]["uid"]
    defaults.prepare(resource, obj)
    del obj["metadata"]["uid"]
    expected = server_side(kept)
    if obj["kind"] == "Secret":  # the recording keeps no contents
        del obj["data"], expected["data"]
    assert pruned(obj) == expected


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda item: f"{item['incident']}-{item['kept']['kind']}")
def test_what_the_server_kept_is_complete(recorded: Json) -> None:
    kept = recorded["kept"]
    resource = REGISTRY.of(kept["apiVersion"], kept["kind"])
    assert resource is not None
    again = copy.deepcopy(kept)
    defaults.apply(resource, again)
    assert again == kept
