"""Creating, replacing and patching: what the server fills in, insists on and refuses, in a real server's words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from k8sdiag.clock import format_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.tables import table
from tests.minicluster.apiserver.server import START, Server, config, make_server, pod

_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


@pytest.fixture
def server() -> Server:
    return make_server()


def refusal(server: Server, *args: Any, **more: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        server.ask(*args, **more)
    return refused.value


# ---- create


def test_what_the_server_says_is_the_servers(server: Server) -> None:
    made = config("a")
    made["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 7, "selfLink": "/x"}
    answer = server.ask("create", "configmaps", body=made)
    meta = answer.body["metadata"]
    assert answer.code == 201
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", meta["uid"])
    assert meta["creationTimestamp"] == format_time(START)
    assert "generation" not in meta
    assert "selfLink" not in meta
    assert meta["resourceVersion"] == str(server.storage.revision)
    assert [entry["manager"] for entry in meta["managedFields"]] == ["tester"]


def test_names_are_made_up(server: Server) -> None:
    made = {"metadata": {"generateName": "web-"}, "kind": "ConfigMap", "apiVersion": "v1"}
    names = {server.ask("create", "configmaps", body=made).body["metadata"]["name"] for _ in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch("web-[bcdfghjklmnpqrstvwxz2456789]{5}", name) for name in names)
    long = server.ask("create", "configmaps", body={"metadata": {"generateName": "x" * 70}}).body["metadata"]["name"]
    assert len(long) == 63


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"namespace": "other"}, 400, "the namespace of the provided object does not match the namespace sent on the"),
        ({"resourceVersion": "5"}, 500, "resourceVersion should not be set on objects to be created"),
        ({"name": ""}, 422, 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'),
    ],
)
def test_create_refused(server: Server, change: Json, code: int, message: str) -> None:
    made = config("a")
    made["metadata"] |= change
    error = refusal(server, "create", "configmaps", body=made)
    assert error.code == code
    assert error.message.startswith(message)
    assert server.storage.count("configmaps") == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (None, "the object provided is unrecognized (must be of type ConfigMap)"),
        ([], "the object provided is unrecognized (must be of type ConfigMap)"),
        (
            {"kind": "Pod", "apiVersion": "v1"},
            'Pod in version "v1" cannot be handled as a ConfigMap: converting (v1.Pod) to (core.ConfigMap): unknown',
        ),
        (
            {"kind": "Nonsense", "apiVersion": "v1"},
            'Nonsense in version "v1" cannot be handled as a ConfigMap: no kind "Nonsense" is registered for version',
        ),
        (
            {"kind": "ConfigMap", "apiVersion": "v2"},
            "the API version in the data (v2) does not match the expected API version (v1)",
        ),
    ],
)
def test_what_is_no_such_object_is_refused(server: Server, body: Any, message: str) -> None:
    error = refusal(server, "create", "configmaps", body=body)
    assert (error.code, error.message[: len(message)]) == (400, message)


def test_what_is_too_deep_to_be_written_is_refused(server: Server) -> None:
    deep: Json = {}
    for _ in range(300):
        deep = {"a": deep}
    error = refusal(server, "create", "configmaps", body={**config("a"), "data": deep})
    assert (error.code, error.message) == (400, "the body of the request is nested too deeply")
    server.ask("create", "configmaps", body=config("a"))
    error = refusal(server, "patch", "configmaps", "a", {"data": deep}, content_type=_MERGE)
    assert error.code == 400


def test_a_made_up_name_that_is_taken_is_made_up_again(server: Server) -> None:
    made = {"metadata": {"generateName": "web-"}}
    state = server.handlers.backend.random.getstate()
    first = server.ask("create", "configmaps", body=made).body["metadata"]["name"]
    server.handlers.backend.random.setstate(state)
    assert server.ask("create", "configmaps", body=made).body["metadata"]["name"] != first


def test_there_already(server: Server) -> None:
    server.ask("create", "configmaps", body=config("a"))
    error = refusal(server, "create", "configmaps", body=config("a"))
    assert (error.code, error.reason, error.message) == (409, "AlreadyExists", 'configmaps "a" already exists')
    made = config("b")
    made["metadata"]["finalizers"] = ["example.com/hold"]
    server.ask("create", "configmaps", body=made)
    server.ask("delete", "configmaps", "b")
    error = refusal(server, "create", "configmaps", body=config("b"))
    assert error.message == 'object is being deleted: configmaps "b" already exists'


def test_dry_runs_change_nothing(server: Server) -> None:
    before = server.storage.revision
    made = server.ask("create", "configmaps", body=config("a"), query={"dryRun": "All"}).body
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert server.storage.revision == before
    kept = server.ask("create", "configmaps", body=config("a")).body
    changed = server.ask("update", "configmaps", "a", {**kept, "data": {"b": "2"}}, {"dryRun": "All"}).body
    assert changed["data"] == {"b": "2"}
    server.ask("delete", "configmaps", "a", {"dryRun": ["All"]})
    assert server.client.get("configmaps", "shop", "a") == kept
    error = refusal(server, "create", "configmaps", body=config("b"), query={"dryRun": "Some"})
    assert error.message.startswith('CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value')


# ---- update


def test_an_update_that_changes_nothing_writes_nothing(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    server.clock.advance(10)
    again = server.ask("update", "configmaps", "a", made).body
    assert again == made
    loose = {key: value for key, value in made.items() if key != "metadata"}
    assert server.ask("update", "configmaps", "a", {**loose, "metadata": {"name": "a"}}).body == made


def test_conflicts(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    server.ask("update", "configmaps", "a", {**made, "data": {"n": "2"}})
    error = refusal(server, "update", "configmaps", "a", {**made, "data": {"n": "3"}})
    assert (error.code, error.reason) == (409, "Conflict")
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to '
        "the latest version and try again"
    )
    other = {**made, "metadata": {**made["metadata"], "uid": "other", "resourceVersion": ""}}
    error = refusal(server, "update", "configmaps", "a", other)
    assert error.message == (
        'Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: '
        "/registry/configmaps/shop/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
        f"precondition: other, UID in object meta: {made['metadata']['uid']}"
    )


def test_update_refused(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    error = refusal(server, "update", "configmaps", "b", made)
    assert error.message == "the name of the object (a) does not match the name on the URL (b)"
    error = refusal(server, "update", "configmaps", "b", config("b"))
    assert (error.code, error.message) == (404, 'configmaps "b" not found')
    lease = {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": {"name": "l"}, "spec": {}}
    assert server.ask("update", "leases", "l", lease).code == 201
    error = refusal(server, "update", "leases", "l", lease)
    assert "metadata.resourceVersion: Invalid value: 0: must be specified for an update" in error.message


def test_what_an_update_leaves_out_stays(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    changed = server.ask("update", "configmaps", "a", {**config("a"), "data": {"n": "2"}}).body
    for name in ("uid", "creationTimestamp"):
        assert changed["metadata"][name] == made["metadata"][name]
    error = refusal(server, "patch", "configmaps", "a", {"metadata": {"name": "b"}}, content_type=_MERGE)
    assert "metadata.name: Invalid value" in error.message


def deployment(replicas: int = 1, **annotations: str) -> Json:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}},
        },
        "status": {"replicas": 99},
    }


def test_spec_and_status_have_a_door_each(server: Server) -> None:
    made = server.ask("create", "deployments", body=deployment()).body
    assert made["metadata"]["generation"] == 1
    assert made["status"].get("replicas") != 99
    status = server.ask(
        "update",
        "deployments",
        "web",
        {**made, "spec": {**made["spec"], "replicas": 5}, "status": {"replicas": 3}},
        subresource="status",
    ).body
    assert (status["spec"]["replicas"], status["status"]["replicas"]) == (1, 3)
    assert status["metadata"]["generation"] == 1
    assert [entry.get("subresource") for entry in status["metadata"]["managedFields"]] == [None, "status"]
    scaled = server.ask(
        "update",
        "deployments",
        "web",
        {**status, "status": {"replicas": 7}, "spec": {**status["spec"], "replicas": 5}},
    ).body
    assert (scaled["spec"]["replicas"], scaled["status"]["replicas"]) == (5, 3)
    assert scaled["metadata"]["generation"] == 2
    noted = server.ask(
        "patch", "deployments", "web", {"metadata": {"annotations": {"a": "b"}}}, content_type=_MERGE
    ).body
    assert noted["metadata"]["generation"] == 3
    labelled = server.ask("patch", "deployments", "web", {"metadata": {"labels": {"a": "b"}}}, content_type=_MERGE).body
    assert labelled["metadata"]["generation"] == 3


def test_a_pods_first_status_is_the_servers(server: Server) -> None:
    made = server.ask("create", "pods", body={**pod("a"), "status": {"phase": "Running"}}).body
    assert made["status"]["phase"] == "Pending"
    assert made["status"]["qosClass"] == "BestEffort"
    assert made["metadata"]["generation"] == 1
    assert "conditions" not in made["status"]
    gated = server.ask("create", "pods", body=pod("b", schedulingGates=[{"name": "example.com/wait"}])).body
    [condition] = gated["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")
    assert condition["message"] == "Scheduling is blocked due to non-empty scheduling gates"


# ---- patch


def test_patches(server: Server) -> None:
    made = server.ask("create", "configmaps", body=config("a")).body
    patched = server.ask("patch", "configmaps", "a", {"data": {"a": None, "b": "2"}}, content_type=_MERGE).body
    assert patched["data"] == {"b": "2"}
    assert made["data"] == {"a": "1"}
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"c": "3"}}
    assert refusal(server, "patch", "configmaps", "a", stale, content_type=_MERGE).code == 409
    assert refusal(server, "patch", "configmaps", "b", {}, content_type=_MERGE).message == 'configmaps "b" not found'
    assert refusal(server, "patch", "configmaps", "a", {}, content_type="text/plain").code == 415
    error = refusal(server, "patch", "configmaps", "a", {}, {"force": "true"}, content_type=_MERGE)
    assert "force: Forbidden: may not be specified for non-apply patch" in error.message


def test_apply_creates_and_changes(server: Server) -> None:
    query = {"fieldManager": "me"}
    made = server.ask("patch", "configmaps", "a", config("a"), query, content_type=_APPLY)
    assert made.code == 201
    (entry,) = made.body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("me", "Apply")
    again = server.ask("patch", "configmaps", "a", config("a"), query, content_type=_APPLY)
    assert (again.code, again.body) == (200, made.body)
    other = {**config("a"), "data": {"a": "2"}}
    error = refusal(server, "patch", "configmaps", "a", other, {"fieldManager": "you"}, content_type=_APPLY)
    assert (error.code, error.reason) == (409, "Conflict")
    forced = server.ask(
        "patch", "configmaps", "a", other, {"fieldManager": "you", "force": "true"}, content_type=_APPLY
    )
    assert forced.body["data"] == {"a": "2"}
    error = refusal(server, "patch", "configmaps", "a", other, content_type=_APPLY)
    assert "fieldManager: Required value: is required for apply patch" in error.message


# ---- the in-process client


def test_what_is_handed_in_may_be_shared_and_what_comes_out_is_the_stores(server: Server) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}}
    made = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "shop"}, **template}
    made["metadata"] = {"name": "a", "namespace": "shop"}
    stored = server.client.create("pods", made)
    assert template["spec"] == {"containers": [{"name": "c", "image": "nginx"}]}
    assert server.client.get("pods", "shop", "a") is stored
    assert server.client.list("pods", "shop", labels={"app": "x"}) == []


def test_states_share_what_they_have_in_common(server: Server) -> None:
    made = server.client.create("pods", pod("a"))
    patched = server.client.patch("pods", "shop", "a", {"metadata": {"labels": {"a": "b"}}})
    assert patched["spec"] is made["spec"]
    assert patched["metadata"]["labels"] == {"a": "b"}


def test_the_client_applies_under_its_own_name(server: Server) -> None:
    made = server.client.patch("configmaps", "shop", "a", config("a"), "apply")
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["tester"]


def test_the_clients_watch(server: Server) -> None:
    server.client.create("configmaps", config("a"))
    seen: list[tuple[str, str]] = []
    server.client.watch("configmaps", lambda kind, obj, _old: seen.append((kind, obj["metadata"]["name"])))
    made = server.client.create("configmaps", config("b"))
    server.client.update("configmaps", {**made, "data": {}})
    server.client.delete("configmaps", "shop", "b")
    assert seen == [("ADDED", "a"), ("ADDED", "b"), ("MODIFIED", "b"), ("DELETED", "b")]


# ---- kinds that are served in two versions


def test_autoscalers_in_both_versions(server: Server) -> None:
    old = server.registry.find("autoscaling", "v1", "horizontalpodautoscalers")
    assert old is not None
    target = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
    processor = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}
    made = server.client.create(
        "horizontalpodautoscalers",
        {
            "kind": "HorizontalPodAutoscaler",
            "apiVersion": "autoscaling/v2",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {
                "scaleTargetRef": target,
                "maxReplicas": 5,
                "metrics": [
                    {"type": "Resource", "resource": processor},
                    {"type": "Resource", "resource": memory},
                ],
            },
        },
    )
    shown = convert(made, old)
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in shown["spec"]
    assert '"targetAverageValue":"1Gi"' in shown["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"]
    cells = table(old, [shown], START)["rows"][0]["cells"]
    assert cells == table(server.registry.named("horizontalpodautoscalers"), [made], START)["rows"][0]["cells"]
    back = convert(shown, server.registry.named("horizontalpodautoscalers"))
    assert (back["spec"], back["metadata"]) == (made["spec"], made["metadata"])


def test_tables_of_events_in_both_versions(server: Server) -> None:
    new = server.registry.find("events.k8s.io", "v1", "events")
    assert new is not None
    about = {"kind": "Pod", "namespace": "shop", "name": "p"}
    meta = {"name": "e", "namespace": "shop"}
    made = server.client.create("events", {"metadata": meta, "involvedObject": about, "reason": "R", "message": "m"})
    cells = table(server.registry.named("events"), [made], START)["rows"][0]["cells"]
    assert "m" in cells
    assert table(new, [convert(made, new)], START)["rows"][0]["cells"] == cells
