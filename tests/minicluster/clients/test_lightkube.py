"""lightkube, in both its forms: dataclasses of every kind, the four patches, watches, waiting, logs and commands."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod, Secret
from lightkube.types import CascadeType, PatchType

from tests.minicluster.clients.conftest import everything
from tests.minicluster.conftest import Lab

pytestmark = pytest.mark.slow
SPACE = "zoo"
generic_resource: Any = import_module("lightkube.generic_resource")


@pytest.fixture(scope="module")
def client(lab: Lab) -> Iterator[Any]:
    with Client(config=KubeConfig.from_file(lab.kubeconfig), namespace=SPACE, field_manager="light") as made:
        yield made


def _class_of(body: dict[str, Any]) -> Any:
    group, _, version = body["apiVersion"].rpartition("/")
    short = group.removesuffix(".k8s.io").replace(".", "_").replace("-", "_") or "core"
    return getattr(import_module(f"lightkube.resources.{short}_{version}"), body["kind"])


def _version(client: Any, kind: Any) -> Any:
    found = client.list(kind)
    list(found)
    return found.resourceVersion


def test_dataclasses_take_every_kind(client: Any) -> None:
    for body in everything():
        if body["kind"] == "Widget":
            continue
        resource = _class_of(body)
        space = body["metadata"].get("namespace")
        found = client.get(resource, body["metadata"]["name"], **({"namespace": space} if space else {}))
        assert found.metadata.uid
        assert found.to_dict()["kind"] == body["kind"]
        listed = list(client.list(resource, **({"namespace": "*"} if space else {})))
        assert body["metadata"]["name"] in [one.metadata.name for one in listed]


def test_create_patch_replace_apply_and_delete(client: Any) -> None:
    body = ConfigMap(metadata=ObjectMeta(name="l1", labels={"a": "1"}), data={"k": "v"})
    assert client.create(body).metadata.managedFields[0].manager == "light"
    with pytest.raises(ApiError) as twice:
        client.create(body)
    assert (twice.value.status.code, twice.value.status.reason) == (409, "AlreadyExists")
    assert client.patch(ConfigMap, "l1", {"data": {"m": "1"}}, patch_type=PatchType.MERGE).data == {"k": "v", "m": "1"}
    assert client.patch(ConfigMap, "l1", {"data": {"m": None}}).data == {"k": "v"}
    edit = [{"op": "replace", "path": "/data/k", "value": "w"}]
    assert client.patch(ConfigMap, "l1", edit, patch_type=PatchType.JSON).data == {"k": "w"}
    applied = client.apply(ConfigMap(metadata=ObjectMeta(name="l1"), data={"applied": "yes"}), field_manager="other")
    assert applied.data == {"k": "w", "applied": "yes"}
    with pytest.raises(ApiError, match='conflict with "light"'):
        client.apply(ConfigMap(metadata=ObjectMeta(name="l1"), data={"k": "mine"}), field_manager="other")
    found = client.get(ConfigMap, "l1")
    found.data = {"whole": "new"}
    assert client.replace(found).data == {"whole": "new"}
    with pytest.raises(ApiError, match="the object has been modified"):
        client.replace(found)
    client.delete(ConfigMap, "l1", cascade=CascadeType.FOREGROUND)
    with pytest.raises(ApiError, match='configmaps "l1" not found'):
        client.get(ConfigMap, "l1")


def test_watch_wait_scale_logs_and_commands(client: Any, lab: Lab) -> None:
    start = _version(client, Pod)
    client.create(Pod(metadata=ObjectMeta(name="l2"), spec=PodSpec(containers=[Container(name="c", image="nginx")])))
    assert client.wait(Pod, "l2", for_conditions=["Ready"]).status.phase == "Running"
    client.delete(Pod, "l2")
    seen = []
    for kind, _ in client.watch(Pod, fields={"metadata.name": "l2"}, resource_version=start):
        seen.append(kind)
        if kind == "DELETED":
            break
    assert (seen[0], seen[-1]) == ("ADDED", "DELETED")
    assert list(client.log("crashes")) == ["no\n"]
    said = client.exec("rich", container="main", command=["echo", "hello"], stdout=True)
    assert (said.stdout, said.exit_code) == ("hello\n", 0)
    assert client.exec("rich", container="main", command=["sh"], stdin="exit 4\n", stdout=True).exit_code == 4
    scale = client.get(Deployment.Scale, "web")
    scale.spec.replicas = 3
    assert client.replace(scale, "web").spec.replicas == 3


def test_a_version_that_is_too_old_is_gone(client: Any, lab: Lab) -> None:
    start = _version(client, Secret)
    client.create(Secret(metadata=ObjectMeta(name="ls"), stringData={"a": "b"}))
    client.delete(Secret, "ls")
    lab.run(lambda: lab.cluster.storage._table("secrets").forget(math.inf, 0))
    with pytest.raises(ApiError) as gone:
        next(client.watch(Secret, resource_version=start))
    assert gone.value.status.code == 410


def test_custom_resources_are_found(client: Any) -> None:
    generic_resource.load_in_cluster_generic_resources(client)
    widget: Any = generic_resource.get_generic_resource("example.org/v1", "Widget")
    assert widget is not None
    client.create(widget(metadata=ObjectMeta(name="lw"), spec={"size": 2}))
    assert [one.spec["size"] for one in client.list(widget) if one.metadata.name == "lw"] == [2]
    client.delete(widget, "lw")


def test_the_other_form(lab: Lab) -> None:
    async def live() -> list[str]:
        async with AsyncClient(config=KubeConfig.from_file(lab.kubeconfig), namespace=SPACE) as client:
            names = [pod.metadata.name async for pod in client.list(Pod, chunk_size=2) if pod.metadata]
            assert {"rich", "waits"} <= {name for name in names if name}
            start = (await client.get(ConfigMap, "settings")).metadata
            assert start is not None
            await client.create(ConfigMap(metadata=ObjectMeta(name="l3", labels={"l": "3"})))
            await client.patch(ConfigMap, "l3", {"data": {"x": "y"}}, patch_type=PatchType.MERGE)
            await client.delete(ConfigMap, "l3")
            seen = []
            async for kind, _ in client.watch(ConfigMap, labels={"l": "3"}, resource_version=start.resourceVersion):
                seen.append(kind)
                if kind == "DELETED":
                    break
            assert [line async for line in client.log("crashes")] == ["no\n"]
            return seen

    assert asyncio.run(live()) == ["ADDED", "MODIFIED", "DELETED"]
