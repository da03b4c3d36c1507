"""Deletion: at once, with a grace period, held back by finalizers, many at a time; and Namespaces."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from tests.minicluster.apiserver.server import START, Server, config, make_server, pod

_INVALID = 'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy:'


@pytest.fixture
def server() -> Server:
    return make_server()


def refusal(server: Server, *args: Any, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        server.ask(*args, **more)
    return refused.value


def held(name: str, *finalizers: str) -> Json:
    made = config(name)
    made["metadata"]["finalizers"] = list(finalizers)
    return made


def test_most_kinds_answer_with_a_status(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    answer = server.ask("delete", "configmaps", "a")
    details = {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert answer.code == 200
    assert answer.body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    }
    assert refusal(server, "delete", "configmaps", "a").message == 'configmaps "a" not found'


def test_some_kinds_answer_with_the_object(server: Server) -> None:
    server.client.create("serviceaccounts", {"metadata": {"name": "robot", "namespace": "shop"}})
    gone = server.ask("delete", "serviceaccounts", "robot").body
    assert (gone["kind"], gone["metadata"]["resourceVersion"]) == ("ServiceAccount", str(server.storage.revision))


def test_preconditions(server: Server) -> None:
    meta = server.ask("create", "configmaps", body=config("a")).body["metadata"]
    error = refusal(server, "delete", "configmaps", "a", {"preconditions": {"uid": "other"}})
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        f'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (other) does not match the UID '
        f"in record ({meta['uid']}). The object might have been deleted and then recreated"
    )
    error = refusal(server, "delete", "configmaps", "a", {"preconditions": {"resourceVersion": "1"}})
    assert "the ResourceVersion in the precondition (1) does not match the ResourceVersion in record" in error.message
    conditions = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    server.ask("delete", "configmaps", "a", {"preconditions": conditions})


def test_finalizers_hold_it_back(server: Server) -> None:
    server.ask("create", "configmaps", body=held("a", "example.com/one", "example.com/two"))
    server.ask("delete", "configmaps", "a")
    going = server.client.get("configmaps", "shop", "a")
    assert going["metadata"]["deletionTimestamp"] == format_time(START)
    assert going["metadata"]["deletionGracePeriodSeconds"] == 0
    server.clock.advance(60)
    server.ask("delete", "configmaps", "a")
    assert server.client.get("configmaps", "shop", "a") == going
    left = {**going, "metadata": {**going["metadata"], "finalizers": ["example.com/two"]}}
    left = server.ask("update", "configmaps", "a", left).body
    more = {**left, "metadata": {**left["metadata"], "finalizers": ["example.com/two", "example.com/new"]}}
    error = refusal(server, "update", "configmaps", "a", more)
    assert "no new finalizers can be added if the object is being deleted" in error.message
    last = server.ask("update", "configmaps", "a", {**left, "metadata": {**left["metadata"], "finalizers": []}})
    assert (last.code, last.body["kind"]) == (200, "ConfigMap")
    assert server.client.find("configmaps", "shop", "a") is None


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        ({"propagationPolicy": "Orphan"}, ["orphan"]),
        ({"orphanDependents": True}, ["orphan"]),
        ({"propagationPolicy": "Background"}, None),
        ({"orphanDependents": False}, None),
        ({}, None),
    ],
)
def test_propagation(server: Server, options: Json, finalizers: list[str] | None) -> None:
    server.ask("create", "configmaps", body=config("a"))
    server.ask("delete", "configmaps", "a", options)
    left = server.client.find("configmaps", "shop", "a")
    assert (left["metadata"]["finalizers"] if left else None) == finalizers


def test_jobs_orphan_their_pods_unless_told_not_to(server: Server) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    for name in ("a", "b"):
        job = {"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": {"template": template}}
        server.ask("create", "jobs", body=job)
    server.ask("delete", "jobs", "a")
    server.ask("delete", "jobs", "b", {"propagationPolicy": "Background"})
    assert server.client.get("jobs", "shop", "a")["metadata"]["finalizers"] == ["orphan"]
    assert server.client.get("jobs", "shop", "a")["metadata"]["generation"] == 2
    assert server.client.find("jobs", "shop", "b") is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"propagationPolicy": "Foreground", "orphanDependents": True},
            f'{_INVALID} Invalid value: "Foreground": orphanDependents and deletionPropagation cannot be both set',
        ),
        (
            {"propagationPolicy": "Later"},
            f"{_INVALID} Unsupported value",
        ),
        ({"gracePeriodSeconds": "x"}, "json: cannot unmarshal"),
        ({"kind": "Pod"}, "decoded object cannot be converted to DeleteOptions"),
    ],
)
def test_options_refused(server: Server, options: Json, message: str) -> None:
    server.ask("create", "configmaps", body=config("a"))
    assert refusal(server, "delete", "configmaps", "a", options).message.startswith(message)
    assert server.client.find("configmaps", "shop", "a") is not None


# ---- pods


def test_a_pod_has_time_to_end(server: Server) -> None:
    server.ask("create", "pods", body=pod("a", "n1", terminationGracePeriodSeconds=45))
    answer = server.ask("delete", "pods", "a")
    meta = answer.body["metadata"]
    assert (answer.body["kind"], meta["deletionGracePeriodSeconds"]) == ("Pod", 45)
    assert meta["deletionTimestamp"] == format_time(START + 45)
    assert meta["generation"] == 2
    assert server.ask("delete", "pods", "a", {"gracePeriodSeconds": 60}).body["metadata"] == meta
    shorter = server.ask("delete", "pods", "a", {"gracePeriodSeconds": 5}).body["metadata"]
    assert (shorter["deletionGracePeriodSeconds"], shorter["deletionTimestamp"]) == (5, format_time(START + 5))
    server.ask("delete", "pods", "a", query={"gracePeriodSeconds": "0"})
    assert server.client.find("pods", "shop", "a") is None


@pytest.mark.parametrize("phase", ["", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_goes_at_once(server: Server, phase: str) -> None:
    made = server.client.create("pods", pod("a", "n1" if phase else ""))
    if phase:
        server.client.update("pods", {**made, "status": {**made["status"], "phase": phase}}, "status")
    server.ask("delete", "pods", "a")
    assert server.client.find("pods", "shop", "a") is None


def test_a_pods_finalizers_outlast_its_grace(server: Server) -> None:
    made = pod("a", "n1")
    made["metadata"]["finalizers"] = ["example.com/hold"]
    server.ask("create", "pods", body=made)
    server.ask("delete", "pods", "a")
    server.ask("delete", "pods", "a", {"gracePeriodSeconds": 0})
    left = server.client.get("pods", "shop", "a")
    assert left["metadata"]["deletionGracePeriodSeconds"] == 0
    server.client.patch("pods", "shop", "a", {"metadata": {"finalizers": None}})
    assert server.client.find("pods", "shop", "a") is None


# ---- many at a time


def test_a_collection_goes_as_it_was_selected(server: Server) -> None:
    for number in range(4):
        server.ask("create", "configmaps", body=config(f"c{number}", even=str(number % 2 == 0)))
    answer = server.ask("deletecollection", "configmaps", query={"labelSelector": "even=True"})
    assert answer.body["kind"] == "ConfigMapList"
    assert [obj["metadata"]["name"] for obj in answer.body["items"]] == ["c0", "c2"]
    assert [obj["metadata"]["name"] for obj in server.client.list("configmaps")] == ["c1", "c3"]


# ---- namespaces


def test_a_namespace_ends_in_two_steps(server: Server) -> None:
    going = server.ask("delete", "namespaces", "shop").body
    assert (going["kind"], going["status"]["phase"]) == ("Namespace", "Terminating")
    assert going["metadata"]["deletionTimestamp"] == format_time(START)
    error = refusal(server, "create", "configmaps", body=config("a"))
    assert error.code == 403
    assert "because it is being terminated" in error.message
    # Neither an update nor a status is a way round its own door.
    bare = {**going, "spec": {}}
    server.ask("update", "namespaces", "shop", bare)
    assert server.client.get("namespaces", "", "shop")["spec"] == {"finalizers": ["kubernetes"]}
    now = server.client.get("namespaces", "", "shop")
    server.ask("update", "namespaces", "shop", {**now, "spec": {}}, subresource="finalize")
    assert server.client.find("namespaces", "", "shop") is None
