"""k8sdiag looks at the lab: `pod`, `check` and `scan` name the cause of trouble made in it, and say the same of a
recording of it; where nothing is wrong they are silent."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from k8sdiag.clock import sleep
from k8sdiag.evidence import ContainerLog
from k8sdiag.minicluster.history import history
from k8sdiag.recording import save
from tests.minicluster.conftest import Lab, find_kubectl, running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TROUBLES: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("troubles.yaml").read_text(encoding="utf-8"))
_AGE = re.compile(r"\b\d+(\.\d+)?(ms|s|m|h)\b|\b\d+ (seconds?|minutes?)\b|\d{4}-\d\d-\d\dT[\d:.]+Z")


def k8sdiag(*words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "k8sdiag", *words, "-o", "json"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "K8SDIAG"))},
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return dict(json.loads(done.stdout))


def record(lab: Lab, folder: Path) -> Path:
    """The lab as a recording, with the logs that it gives."""
    now = lab.cluster.clock.now()
    changes = lab.run(lambda: list(history(lab.cluster.storage, now)))
    kinds = {one.kind for one in lab.cluster.registry.all() if one.kind not in ("Event", "Lease")}
    save(folder, changes, at=now, title="the lab", kinds=kinds, logs=list(_logs(lab)))
    return folder


def _logs(lab: Lab) -> Iterator[ContainerLog]:
    for pod in lab.request("GET", "/api/v1/pods").json["items"]:
        space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        for status in pod["status"].get("containerStatuses") or ():
            for previous in (False, True):
                query = f"container={status['name']}&timestamps=true&tailLines=200" + ("&previous=true" * previous)
                answer = lab.request("GET", f"/api/v1/namespaces/{space}/pods/{name}/log?{query}")
                if answer.status == 200:
                    yield ContainerLog(space, name, status["name"], previous, answer.body.decode())


def told(answer: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What a diagnosis says, without what only the moment makes different."""
    return [
        (one["rule"], str(one["subject"]), one["severity"], _AGE.sub("AGE", one["cause"])) for one in answer["findings"]
    ]


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    first = {"name": "app", "image": "nginx"}
    return {**spec, "containers": [{**first, **one} for one in spec.get("containers") or [{}]]}


def _body(short: dict[str, Any]) -> dict[str, Any]:
    """An object; pods and deployments may be given by what is special about them."""
    labels = {"app": "web"}
    if "pod" in short:
        meta = {"name": "web", "labels": labels, "finalizers": short.get("finalizers") or []}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": _pod_spec(short["pod"])}
    if "deployment" in short:
        spec = {key: value for key, value in short.items() if key != "deployment"}
        template = {"metadata": {"labels": labels}, "spec": _pod_spec(short["deployment"])}
        spec |= {"selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    return short


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with every trouble in it."""
    with running(tmp_path_factory.mktemp("lab"), nodes=2) as started:
        taint = {"spec": {"taints": [{"key": "example.org/kept", "effect": "NoSchedule"}]}}
        merge = {"Content-Type": "application/merge-patch+json"}
        assert started.request("PATCH", "/api/v1/nodes/node2", taint, merge).status == 200
        for trouble in TROUBLES:
            _cause(started, trouble)
        yield started


def _cause(lab: Lab, trouble: dict[str, Any]) -> None:
    space = trouble["name"]
    meta = {"name": space, "labels": trouble.get("labels") or {}}
    _post(lab, {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, space)
    account = f"/api/v1/namespaces/{space}/serviceaccounts/default"
    _until(lambda: lab.request("GET", account).status == 200)
    for short in trouble["objects"]:
        _post(lab, _body(short), space)
    if "delete" in trouble:
        path = f"/api/v1/namespaces/{space}"
        path += "" if trouble["delete"] == "namespace" else f"/{trouble['delete']}"
        assert lab.request("DELETE", path).status in (200, 202)


def _post(lab: Lab, body: dict[str, Any], space: str) -> None:
    resource = lab.cluster.registry.of(body["apiVersion"], body["kind"])
    assert resource is not None
    answer = lab.request("POST", resource.path(space if resource.namespaced else ""), body)
    assert answer.status == 201, answer.body


def _until(holds: Any, patience: float = 20.0) -> None:
    for _ in range(int(patience / 0.05)):
        if holds():
            return
        sleep(0.05)
    raise AssertionError("it did not come about")


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda one: one["name"])
def test_the_cause_is_named_live_and_from_a_recording(lab: Lab, tmp_path: Path, trouble: dict[str, Any]) -> None:
    kind, _, name = trouble["check"].partition("/")
    words = ["pod", name] if kind == "pod" else ["check", trouble["check"]]
    words += [] if kind == "namespace" else ["-n", trouble["name"]]
    live: dict[str, Any] = {"findings": []}
    for _ in range(25):  # until what the controllers make of it is there
        live = k8sdiag(*words, "--kubeconfig", str(lab.kubeconfig))
        rules = [one["rule"] for one in live["findings"]]
        if rules[:1] == [trouble["top"]] and trouble.get("also", rules[0]) in rules:
            break
        sleep(0.5)
    assert [one["rule"] for one in live["findings"]][:1] == [trouble["top"]]
    recorded = k8sdiag(*words, "--from", str(record(lab, tmp_path / "recording")))
    if told(live) != told(recorded):  # it went on between the two
        live = k8sdiag(*words, "--kubeconfig", str(lab.kubeconfig))
        recorded = k8sdiag(*words, "--from", str(record(lab, tmp_path / "again")))
    assert told(live) == told(recorded)
    assert live["status"] == recorded["status"]


def test_a_scan_says_the_same_live_and_from_a_recording(lab: Lab, tmp_path: Path) -> None:
    wanted = {trouble["top"] for trouble in TROUBLES} - {"claim-no-class"}
    live: dict[str, Any] = {"findings": []}
    recorded, found = live, set[str]()
    for number in range(20):  # until it is all there, and nothing happens between the two
        live = k8sdiag("scan", "-A", "--kubeconfig", str(lab.kubeconfig))
        recorded = k8sdiag("scan", "-A", "--from", str(record(lab, tmp_path / str(number))))
        found = {one["rule"] for one in live["findings"]}
        if told(live) == told(recorded) and wanted <= found:
            break
        sleep(0.5)
    assert told(live) == told(recorded)
    assert wanted <= found


WORKLOADS: list[dict[str, Any]] = [
    {"deployment": {}, "replicas": 3},
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
     "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
    {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
     "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
     "spec": {"serviceName": "db", "replicas": 2, "selector": {"matchLabels": {"app": "db"}},
              "template": {"metadata": {"labels": {"app": "db"}}, "spec": _pod_spec({})},
              "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                  "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}}]}},
    {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "agent"},
     "spec": {"selector": {"matchLabels": {"app": "agent"}},
              "template": {"metadata": {"labels": {"app": "agent"}}, "spec": _pod_spec({})}}},
    {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
     "spec": {"template": {"spec": {**_pod_spec({"containers": [{"image": "busybox", "command": ["true"]}]}),
                                    "restartPolicy": "Never"}}}},
    {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
     "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": {
         **_pod_spec({}), "restartPolicy": "Never"}}}}}},
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"}, "spec": _pod_spec({})},
]  # fmt: skip


def test_a_node_that_falls_silent_is_named(tmp_path: Path) -> None:
    """Nothing is made faster here: the controller waits its 50 seconds."""
    with running(tmp_path, nodes=2) as lab:
        silent = lab.cluster.fleet
        assert silent is not None
        _cause(lab, {"name": "lost", "objects": [{"pod": {"nodeName": "node2"}}]})
        pod = "/api/v1/namespaces/lost/pods/web"
        _until(lambda: lab.request("GET", pod).json["status"]["phase"] == "Running")
        lab.run(lambda: silent.stop("node2"))
        node = "/api/v1/nodes/node2"
        _until(lambda: _condition(lab.request("GET", node).json, "Ready")["status"] == "Unknown", 90)
        _until(lambda: _condition(lab.request("GET", pod).json, "Ready")["status"] == "False")
        kept = record(lab, tmp_path / "recording")
        for words, top in (
            (("check", "node/node2"), "node-kubelet-silent"),
            (("pod", "web", "-n", "lost"), "node-kubelet-silent"),
            (("scan", "-A"), "node-kubelet-silent"),
        ):
            live = k8sdiag(*words, "--kubeconfig", str(lab.kubeconfig))
            assert live["findings"][0]["rule"] == top
            assert told(live) == told(k8sdiag(*words, "--from", str(kept)))


def _condition(obj: dict[str, Any], kind: str) -> dict[str, Any]:
    conditions = obj["status"].get("conditions") or ()
    return next((one for one in conditions if one["type"] == kind), {"status": ""})


def _quiet(lab: Lab, *words: str) -> None:
    answer = k8sdiag("scan", "-A", *words, "--kubeconfig", str(lab.kubeconfig))
    assert [one for one in told(answer) if one[2] != "info"] == []


def test_where_nothing_is_wrong_nothing_is_found(tmp_path: Path) -> None:
    """From the first moment on, when workloads run, and after a node was emptied and came back."""
    with running(tmp_path, nodes=3) as lab:
        _quiet(lab)
        _cause(lab, {"name": "well", "objects": WORKLOADS})
        _until(lambda: _all_well(lab))
        _quiet(lab)
        _drain(lab, "node2")
        _until(lambda: _all_well(lab))
        _quiet(lab)
        recorded = k8sdiag("scan", "-A", "--from", str(record(lab, tmp_path / "recording")))
        assert [one for one in told(recorded) if one[2] != "info"] == []


def _all_well(lab: Lab) -> bool:
    pods = lab.request("GET", "/api/v1/namespaces/well/pods").json["items"]
    stands = [
        pod["status"].get("phase") == "Succeeded"
        or any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or ())
        for pod in pods
    ]
    return len(stands) >= 9 and all(stands)


def _drain(lab: Lab, node: str) -> None:
    kubectl = [find_kubectl(), "--kubeconfig", str(lab.kubeconfig)]
    forced = ["--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=60s"]
    subprocess.run([*kubectl, "drain", node, *forced], check=True, capture_output=True, timeout=90)
    subprocess.run([*kubectl, "uncordon", node], check=True, capture_output=True, timeout=30)
