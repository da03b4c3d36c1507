"""The official Python client, all of it: typed models, dynamic client, watch, informer, streams."""

from __future__ import annotations

import inspect
import math
import socket
import threading
from collections.abc import Iterator
from importlib import import_module
from queue import SimpleQueue
from typing import Any, cast

import pytest
from kubernetes.client.exceptions import ApiException
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError

from tests.minicluster.clients.conftest import everything, wait_for
from tests.minicluster.conftest import Lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("leftovers"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # sockets that the client leaves to the collector
]
SPACE = "zoo"

# Partly typed, and wrongly in places: `Any` to us.
client, config, dynamic, informer, stream, utils, watch = (
    cast(Any, import_module(f"kubernetes.{name}"))
    for name in ("client", "config", "dynamic", "informer", "stream", "utils", "watch")
)


@pytest.fixture(scope="module")
def api(lab: Lab) -> Iterator[Any]:
    with config.new_client_from_config(str(lab.kubeconfig)) as made:
        yield made


@pytest.fixture(scope="module")
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


def test_typed_models_take_every_list_and_every_object_in_it(lab: Lab, api: Any) -> None:
    """Every list method of every API class: whatever the lab serves, the strict models accept."""
    taken: dict[str, int] = {}
    for name in (word for word in dir(client) if word.endswith("Api")):
        group: Any = getattr(client, name)(api)
        for word, method in inspect.getmembers(group, inspect.ismethod):
            if not word.startswith("list_") or word.endswith(("_with_http_info", "_without_preload_content")):
                continue
            if any(one.default is one.empty for one in list(inspect.signature(method).parameters.values())[:1]):
                continue  # lists of one namespace: the same objects
            try:
                taken[f"{name}.{word}"] = len(method().items)
            except ApiException as refused:
                if refused.status != 404:  # alpha and beta versions
                    raise
    kinds = {body["kind"] for body in everything()} | {"Event", "CSINode", "ControllerRevision", "Node", "ReplicaSet"}
    filled = {word.partition(".list_")[2].replace("_", "").removesuffix("forallnamespaces") for word in taken}
    assert {kind.lower() for kind in kinds} - {"widget"} <= filled
    empty = {word.partition(".list_")[2] for word, count in taken.items() if not count}
    assert empty == {"validating_admission_policy", "validating_admission_policy_binding"}  # the lab refuses them


def test_what_is_served_is_what_the_model_says_again(core: Any, api: Any) -> None:
    """Nothing that the lab writes is lost in the models: a pod read and written back changes nothing."""
    for name in ("rich", "waits", "crashes", "done"):
        pod = core.read_namespaced_pod(name, SPACE)
        again = core.replace_namespaced_pod(name, SPACE, pod, dry_run="All")
        assert again.spec == pod.spec
        assert again.metadata.generation == pod.metadata.generation


def test_create_read_patch_of_each_type_replace_and_delete(core: Any, api: Any) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="one", labels={"a": "1"}), data={"k": "v"})
    made = core.create_namespaced_config_map(SPACE, body, field_manager="official")
    assert made.metadata.uid
    assert made.metadata.managed_fields[0].manager == "official"
    with pytest.raises(ApiException) as twice:
        core.create_namespaced_config_map(SPACE, body)
    assert (twice.value.status, twice.value.reason) == (409, "Conflict")

    def patch(body: Any, kind: str, **more: Any) -> Any:
        return core.patch_namespaced_config_map(
            "one",
            SPACE,
            body,
            _content_type=f"application/{kind}-patch+{'yaml' if kind == 'apply' else 'json'}",
            **more,
        )

    assert patch({"data": {"m": "1"}}, "merge").data == {"k": "v", "m": "1"}
    assert patch({"data": {"m": None, "s": "2"}}, "strategic-merge").data == {"k": "v", "s": "2"}
    assert patch([{"op": "remove", "path": "/data/s"}], "json").data == {"k": "v"}
    with pytest.raises(ApiException) as failed:
        patch([{"op": "test", "path": "/data/k", "value": "other"}], "json")
    assert failed.value.status == 422
    applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"applied": "yes"}}
    assert patch(applied, "apply", field_manager="me").data == {"k": "v", "applied": "yes"}
    with pytest.raises(ApiException) as conflict:
        patch({**applied, "data": {"k": "mine"}}, "apply", field_manager="me")
    assert conflict.value.status == 409
    assert patch({**applied, "data": {"k": "mine"}}, "apply", field_manager="me", force=True).data == {"k": "mine"}

    found = core.read_namespaced_config_map("one", SPACE)
    found.data = {"whole": "new"}
    assert core.replace_namespaced_config_map("one", SPACE, found).data == {"whole": "new"}
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("one", SPACE, found)
    assert stale.value.status == 409
    gone = core.delete_namespaced_config_map("one", SPACE, body=client.V1DeleteOptions(propagation_policy="Foreground"))
    assert gone["status"] == "Success"  # the client leaves open which model a deletion answers with
    with pytest.raises(ApiException) as absent:
        core.read_namespaced_config_map("one", SPACE)
    assert absent.value.status == 404


def test_every_kind_is_taken_back_as_it_was_served(lab: Lab, api: Any) -> None:
    """Each object of `everything.yaml` is deleted, made again through `kubernetes.utils`, and read as its model."""
    again = [body for body in everything() if body["kind"] in ("Job", "Deployment", "CronJob", "Ingress", "Lease")]
    for body in again:
        name, body["metadata"]["name"] = body["metadata"]["name"], f"again-{body['metadata']['name']}"
        made = utils.create_from_dict(api, body)
        assert made[0].metadata.name == f"again-{name}"
        assert made[0].metadata.creation_timestamp


def test_custom_resource_definitions_through_typed_models(api: Any) -> None:
    schema = client.V1JSONSchemaProps(type="object", x_kubernetes_preserve_unknown_fields=True)
    version = client.V1CustomResourceDefinitionVersion(
        name="v1", served=True, storage=True, schema=client.V1CustomResourceValidation(open_apiv3_schema=schema)
    )
    made = client.ApiextensionsV1Api(api).create_custom_resource_definition(
        client.V1CustomResourceDefinition(
            metadata=client.V1ObjectMeta(name="gears.example.org"),
            spec=client.V1CustomResourceDefinitionSpec(
                group="example.org",
                scope="Cluster",
                names=client.V1CustomResourceDefinitionNames(plural="gears", kind="Gear"),
                versions=[version],
            ),
        )
    )
    assert made.spec.names.singular == "gear"
    customs = client.CustomObjectsApi(api)
    _until(lambda: customs.list_cluster_custom_object("example.org", "v1", "gears")["items"] == [])
    customs.create_cluster_custom_object(
        "example.org", "v1", "gears", {"apiVersion": "example.org/v1", "kind": "Gear", "metadata": {"name": "g"}}
    )
    assert [
        one["metadata"]["name"] for one in customs.list_cluster_custom_object("example.org", "v1", "gears")["items"]
    ]


def test_lists_come_in_pages(core: Any) -> None:
    names: list[str] = []
    token = None
    while True:
        page = core.list_namespaced_pod(SPACE, limit=2, _continue=token)
        names += [pod.metadata.name for pod in page.items]
        token = page.metadata.var_continue
        if not token:
            break
        assert page.metadata.remaining_item_count
    assert names == [pod.metadata.name for pod in core.list_namespaced_pod(SPACE).items]
    assert len(names) > 5


def test_watch_goes_on_from_a_version_and_ends_in_time(core: Any) -> None:
    start = core.list_namespaced_config_map(SPACE).metadata.resource_version
    for name in ("w1", "w2"):
        core.create_namespaced_config_map(SPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name)))
    core.delete_namespaced_config_map("w1", SPACE)
    seen = [
        (event["type"], event["object"].metadata.name)
        for event in watch.Watch().stream(
            core.list_namespaced_config_map, SPACE, resource_version=start, timeout_seconds=1
        )
    ]
    assert seen == [("ADDED", "w1"), ("ADDED", "w2"), ("DELETED", "w1")]


def test_a_version_that_is_too_old_is_gone(lab: Lab, core: Any) -> None:
    start = core.list_namespaced_secret(SPACE).metadata.resource_version
    core.create_namespaced_secret(SPACE, client.V1Secret(metadata=client.V1ObjectMeta(name="s1")))
    core.delete_namespaced_secret("s1", SPACE)
    lab.run(lambda: lab.cluster.storage._table("secrets").forget(math.inf, 0))
    with pytest.raises(ApiException) as gone:
        list(watch.Watch().stream(core.list_namespaced_secret, SPACE, resource_version=start, timeout_seconds=2))
    assert gone.value.status == 410
    assert "Expired: too old resource version" in gone.value.reason


def test_an_informer_keeps_up_also_after_what_is_gone(lab: Lab, core: Any) -> None:
    news: SimpleQueue[tuple[str, str]] = SimpleQueue()
    shared = informer.SharedInformer(core.list_namespaced_service_account, namespace=SPACE, label_selector="i=1")
    for kind in ("ADDED", "MODIFIED", "DELETED"):
        shared.add_event_handler(kind, lambda obj, kind=kind: news.put((kind, obj.metadata.name)))
    shared.start()
    try:
        labelled = client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="i1", labels={"i": "1"}))
        core.create_namespaced_service_account(SPACE, labelled)
        assert news.get(timeout=10) == ("ADDED", "i1")
        core.patch_namespaced_service_account("i1", SPACE, {"metadata": {"annotations": {"x": "y"}}})
        assert news.get(timeout=10) == ("MODIFIED", "i1")
        assert shared.cache.get_by_key(f"{SPACE}/i1").metadata.annotations == {"x": "y"}
        core.patch_namespaced_service_account("i1", SPACE, {"metadata": {"labels": None}})
        assert news.get(timeout=10) == ("DELETED", "i1")  # it left the selection
        assert shared.cache.list() == []
    finally:
        shared.stop()


def test_the_dynamic_client_finds_all_kinds_and_custom_ones(lab: Lab, api: Any) -> None:
    dyn = dynamic.DynamicClient(api)
    assert str(dyn.version["kubernetes"]["gitVersion"]).startswith("v1.33")
    for body in everything():
        resource = dyn.resources.get(api_version=body["apiVersion"], kind=body["kind"])
        found = resource.get(name=body["metadata"]["name"], namespace=body["metadata"].get("namespace"))
        assert found.kind == body["kind"]
        assert resource.get(namespace=body["metadata"].get("namespace")).items
    widgets = dyn.resources.get(api_version="example.org/v1", kind="Widget")
    widget = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    made = widgets.create(body=widget, namespace=SPACE)
    assert made.metadata.generation == 1
    with pytest.raises(ConflictError):
        widgets.create(body=widget, namespace=SPACE)
    patched = widgets.patch(
        body={"metadata": {"name": "w"}, "spec": {"size": 2}},
        namespace=SPACE,
        content_type="application/merge-patch+json",
    )
    assert (patched.spec.size, patched.metadata.generation) == (2, 2)
    applied = widgets.server_side_apply(body={**widget, "spec": {"size": 3}}, namespace=SPACE, field_manager="dyn",
                                        force_conflicts=True)  # fmt: skip
    assert applied.spec.size == 3
    start = widgets.get(namespace=SPACE).metadata.resourceVersion
    widgets.delete(name="w", namespace=SPACE)
    seen = [event["type"] for event in widgets.watch(namespace=SPACE, resource_version=start, timeout=1)]
    assert seen == ["DELETED"]
    with pytest.raises(NotFoundError):
        widgets.get(name="w", namespace=SPACE)


def test_the_dynamic_client_streams_what_there_is_to_begin_with(api: Any) -> None:
    pods = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="Pod")
    events = pods.watch(
        namespace=SPACE,
        send_initial_events=True,
        resource_version_match="NotOlderThan",
        allow_watch_bookmarks=True,
        timeout=2,
    )
    names, marked = set(), False
    for event in events:
        if event["type"] == "BOOKMARK":
            marked = event["raw_object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
            break
        names.add(event["raw_object"]["metadata"]["name"])
    assert marked
    assert {"rich", "waits", "crashes", "done"} <= names


def test_logs_commands_and_scale(core: Any, api: Any, lab: Lab) -> None:
    assert core.read_namespaced_pod_log("crashes", SPACE, previous=False).strip() == "no"
    said = stream.stream(
        core.connect_get_namespaced_pod_exec, "rich", SPACE, container="main",
        command=["echo", "hello"], stdout=True, stderr=True, stdin=False, tty=False,
    )  # fmt: skip
    assert said.strip() == "hello"
    shell = stream.stream(
        core.connect_get_namespaced_pod_exec, "rich", SPACE, container="main", command=["sh"], stdin=True, stdout=True,
        stderr=True, tty=False, _preload_content=False,
    )  # fmt: skip
    shell.write_stdin("echo one\n")
    assert shell.readline_stdout(timeout=5) == "one"
    shell.write_stdin("exit 3\n")
    shell.run_forever(timeout=5)
    assert shell.returncode == 3
    shell.close()
    apps = client.AppsV1Api(api)
    scale = apps.read_namespaced_deployment_scale("web", SPACE)
    scale.spec.replicas = 3
    assert apps.replace_namespaced_deployment_scale("web", SPACE, scale).spec.replicas == 3
    wait_for(lab, f"/apis/apps/v1/namespaces/{SPACE}/deployments/web", lambda web: web["status"]["readyReplicas"] == 3)


def test_ports_are_forwarded(core: Any) -> None:
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "rich", SPACE, ports="8080")
    port: socket.socket = forward.socket(8080)
    port.settimeout(10)
    port.sendall(b"GET / HTTP/1.1\r\nHost: rich\r\n\r\n")
    got = b""
    while b"</ul>" not in got:
        part = port.recv(4096)
        assert part, got
        got += part
    assert got.startswith((b"HTTP/1.0 200 OK", b"HTTP/1.1 200 OK"))
    assert forward.error(8080) is None
    port.close()


def test_evictions_bindings_tokens_and_reviews(core: Any, api: Any) -> None:
    token = core.create_namespaced_service_account_token(
        "robot",
        SPACE,
        client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)),
    )
    assert token.status.token.count(".") == 2
    review = client.AuthenticationV1Api(api).create_token_review(
        client.V1TokenReview(spec=client.V1TokenReviewSpec(token=token.status.token))
    )
    assert review.status.user.username == f"system:serviceaccount:{SPACE}:robot"
    access = client.AuthorizationV1Api(api).create_self_subject_access_review(
        client.V1SelfSubjectAccessReview(
            spec=client.V1SelfSubjectAccessReviewSpec(
                resource_attributes=client.V1ResourceAttributes(verb="delete", resource="nodes")
            )
        )
    )
    assert access.status.allowed is True
    pod = client.V1Pod(
        metadata=client.V1ObjectMeta(name="leaves"),
        spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="nginx")]),
    )
    core.create_namespaced_pod(SPACE, pod)
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name="leaves", namespace=SPACE))
    core.create_namespaced_pod_eviction("leaves", SPACE, eviction)
    _until(lambda: "leaves" not in [one.metadata.name for one in core.list_namespaced_pod(SPACE).items])


def _until(holds: Any, patience: float = 10.0) -> None:
    waiting = threading.Event()
    for _ in range(int(patience / 0.05)):
        try:
            if holds():
                return
        except ApiException:
            pass
        waiting.wait(0.05)
    raise AssertionError("it did not come about")
