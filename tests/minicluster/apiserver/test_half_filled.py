"""Objects of which a client left out what everybody takes for granted: the server serves them, and no controller
stumbles over them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import yaml

from k8sdiag.minicluster.cluster import MiniCluster
from k8sdiag.minicluster.kinds import METRICS_GROUP
from tests.minicluster.conftest import Lab
from tests.minicluster.kubectl.examples import FOLDER

MERGE = {"Content-Type": "application/merge-patch+json"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
HALF: dict[str, Any] = {"status": {"conditions": [{}], "active": [{}], "addresses": [{}]}}


def _settled(cluster: MiniCluster) -> None:
    while (due := cluster.loop.work(1.0)) is not None and due <= 0:
        pass


def test_conditions_without_a_type(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    made: list[str] = []
    for example in filter(None, yaml.safe_load_all((FOLDER / "examples.yaml").read_text())):
        resource = lab.cluster.registry.of(example["apiVersion"], example["kind"])
        if resource is None or "status" not in resource.subresources or resource.kind == "Namespace":
            continue
        body: dict[str, Any] = {**example, "metadata": {**example["metadata"]}}
        if resource.namespaced:
            body["metadata"]["namespace"] = "default"
        if lab.request("POST", resource.path("default" if resource.namespaced else "", ""), body).status == 201:
            made.append(resource.path("default" if resource.namespaced else "", body["metadata"]["name"]))
    assert len(made) > 20
    with caplog.at_level(logging.WARNING):
        for path in made:
            answer = lab.request("PATCH", f"{path}/status", HALF, MERGE)
            assert answer.status in (200, 422), (path, answer.body)
            changed = lab.request("PATCH", path, {"metadata": {"annotations": {"a": "b"}}}, MERGE)
            assert changed.status in (200, 404), (path, changed.body)
        lab.run(lambda: _settled(lab.cluster))
    stumbled = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert stumbled == []


def test_a_condition_has_a_type_and_a_status_were_they_empty(lab: Lab) -> None:
    path = "/apis/apps/v1/namespaces/kube-public/deployments/half"
    template = {"metadata": {"labels": {"app": "half"}}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "half"}}, "template": template}
    body = {"metadata": {"name": "half"}, "spec": spec}
    assert lab.request("POST", path.removesuffix("/half"), body).status == 201
    answer = lab.request(
        "PATCH", f"{path}/status", {"status": {"conditions": [{"type": None, "status": "True"}]}}, MERGE
    )
    assert answer.status == 200, answer.body
    (condition,) = answer.json["status"]["conditions"]
    assert (condition["type"], condition["status"]) == ("", "True")


def test_a_subject_without_a_namespace_in_a_table(lab: Lab) -> None:
    group = "rbac.authorization.k8s.io"
    path = f"/apis/{group}/v1/namespaces/default/rolebindings"
    body = {
        "metadata": {"name": "half"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "web"}],
    }
    assert lab.request("POST", path, body).status == 201
    answer = lab.request("GET", path, headers=TABLE)
    assert answer.status == 200
    assert answer.json["rows"][0]["cells"][-1] == "/web"


def test_every_list_as_a_table_afterwards(lab: Lab) -> None:
    for resource in lab.cluster.registry.all():
        if "list" in resource.verbs and resource.group != METRICS_GROUP:
            assert lab.request("GET", resource.path("", ""), headers=TABLE).status == 200, resource.qualified


def test_controllers_over_odd_revisions_and_nameless_claims(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    base = "/apis/apps/v1/namespaces/kube-public"
    template = {"metadata": {"labels": {"app": "odd"}}, "spec": {"containers": [{"name": "a", "image": "nginx"}]}}
    spec = {"selector": {"matchLabels": {"app": "odd"}}, "template": template}
    made = lab.request("POST", f"{base}/daemonsets", {"metadata": {"name": "odd"}, "spec": spec}).json
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "odd", "uid": made["metadata"]["uid"]}
    with caplog.at_level(logging.WARNING):
        for name, data in (("list", [1]), ("empty", {}), ("text", {"spec": {"template": "x"}})):
            meta = {"name": name, "labels": {"app": "odd"}, "ownerReferences": [{**owner, "controller": True}]}
            answer = lab.request("POST", f"{base}/controllerrevisions", {"metadata": meta, "data": data, "revision": 9})
            assert answer.status == 201, answer.body
        annotated = {"metadata": {"annotations": {"a": "b"}}}
        assert lab.request("PATCH", f"{base}/daemonsets/odd", annotated, MERGE).status == 200
        claims = [{"metadata": {}, "spec": {"accessModes": ["ReadWriteOnce"]}}]
        nameless = {"metadata": {"name": "odd"}, "spec": {**spec, "volumeClaimTemplates": claims}}
        assert lab.request("POST", f"{base}/statefulsets", nameless).status == 201
        lab.run(lambda: _settled(lab.cluster))
    stumbled = [record.getMessage() for record in caplog.records if "KeyError" in str(record.exc_info)]
    assert stumbled == []
    stumbled = [record.getMessage() for record in caplog.records if "TypeError" in str(record.exc_info)]
    assert stumbled == []
    reasons = {event["reason"] for event in lab.request("GET", "/api/v1/namespaces/kube-public/events").json["items"]}
    assert "FailedCreate" in reasons
