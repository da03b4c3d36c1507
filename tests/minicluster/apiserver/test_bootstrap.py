"""What a server makes at its start, and that users cannot keep it from starting."""

from __future__ import annotations

from pathlib import Path

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.bootstrap import SERVICE_ADDRESS
from k8sdiag.minicluster.cluster import MiniCluster

START = 1_700_000_000.0


def service(name: str) -> Json:
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": SERVICE_ADDRESS, "ports": [{"port": 80}]},
    }


def test_the_servers_own_service_comes_back(tmp_path: Path) -> None:
    cluster = MiniCluster(ManualClock(START), seed=1, path=tmp_path / "state.db").start(nodes=0)
    client = cluster.client()
    client.delete("services", "default", "kubernetes")
    cluster.run_for(11)
    assert client.get("services", "default", "kubernetes")["spec"]["clusterIP"] == SERVICE_ADDRESS
    client.delete("services", "default", "kubernetes")
    client.create("services", service("squatter"))
    cluster.run_for(11)
    assert client.find("services", "default", "kubernetes") is None
    cluster.close()

    again = MiniCluster(ManualClock(START), seed=2, path=tmp_path / "state.db").start(nodes=0)
    assert again.client().find("services", "default", "kubernetes") is None
    again.client().delete("services", "default", "squatter")
    again.run_for(11)
    assert again.client().find("services", "default", "kubernetes") is not None
    again.close()


def test_a_webhook_that_nobody_answers_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    cluster = MiniCluster(ManualClock(START), seed=1, path=tmp_path / "state.db")
    client = cluster.client()
    rule = {"operations": ["*"], "apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"]}
    hook = {
        "name": "nobody.example.com",
        "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    client.delete("priorityclasses", "", "system-node-critical")
    client.create("validatingwebhookconfigurations", {"metadata": {"name": "nobody"}, "webhooks": [hook]})
    cluster.close()

    again = MiniCluster(ManualClock(START), seed=2, path=tmp_path / "state.db")
    assert again.client().find("priorityclasses", "", "system-node-critical") is None
    again.client().delete("validatingwebhookconfigurations", "", "nobody")
    again.close()


def test_a_storage_class_that_was_deleted_stays_deleted(tmp_path: Path) -> None:
    cluster = MiniCluster(ManualClock(START), seed=1, path=tmp_path / "state.db")
    assert [item["metadata"]["name"] for item in cluster.client().list("storageclasses")] == ["standard"]
    cluster.client().delete("storageclasses", "", "standard")
    cluster.close()

    again = MiniCluster(ManualClock(START), seed=2, path=tmp_path / "state.db")
    assert again.client().list("storageclasses") == []
    again.close()
