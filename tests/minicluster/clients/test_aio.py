"""`kubernetes.aio`: the official client's asynchronous form, with its models, watch, dynamic client and websockets."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, cast

import pytest
from kubernetes.aio.client.exceptions import ApiException

from tests.minicluster.clients.conftest import everything
from tests.minicluster.conftest import Lab

pytestmark = pytest.mark.slow
SPACE = "zoo"

# Partly typed, and wrongly in places: `Any` to us.
client, config, dynamic, stream, watch = (
    cast(Any, import_module(f"kubernetes.aio.{name}")) for name in ("client", "config", "dynamic", "stream", "watch")
)


def run(lab: Lab, story: Callable[[Any], Awaitable[None]], kind: Any = client.ApiClient) -> None:
    async def whole() -> None:
        configuration: Any = client.Configuration()
        await config.load_kube_config(str(lab.kubeconfig), client_configuration=configuration)
        async with kind(configuration) as api:
            await story(api)

    asyncio.run(whole())


def test_typed_models_take_every_list(lab: Lab) -> None:
    async def story(api: Any) -> None:
        taken = 0
        for name in (word for word in dir(client) if word.endswith("Api")):
            group: Any = getattr(client, name)(api)
            for word, method in inspect.getmembers(group, inspect.ismethod):
                if not word.startswith("list_") or word.endswith(("_with_http_info", "_without_preload_content")):
                    continue
                if any(one.default is one.empty for one in list(inspect.signature(method).parameters.values())[:1]):
                    continue
                try:
                    taken += len((await method()).items)
                except ApiException as refused:
                    if refused.status != 404:  # alpha and beta versions
                        raise
        assert taken > 200

    run(lab, story)


def test_create_watch_patch_and_delete(lab: Lab) -> None:
    async def story(api: Any) -> None:
        core = client.CoreV1Api(api)
        start = (await core.list_namespaced_config_map(SPACE)).metadata.resource_version
        body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a1"), data={"k": "v"})
        await core.create_namespaced_config_map(SPACE, body)
        for content, patch in (
            ("merge", {"data": {"m": "1"}}),
            ("strategic-merge", {"data": {"m": None}}),
            ("json", [{"op": "add", "path": "/data/j", "value": "2"}]),
        ):
            kind = f"application/{content}-patch+json"
            await core.patch_namespaced_config_map("a1", SPACE, patch, _content_type=kind)
        assert (await core.read_namespaced_config_map("a1", SPACE)).data == {"k": "v", "j": "2"}
        applied = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a1"}, "data": {"k": "other"}}
        with pytest.raises(ApiException) as conflict:
            await core.patch_namespaced_config_map(
                "a1", SPACE, applied, field_manager="aio", _content_type="application/apply-patch+yaml"
            )
        assert conflict.value.status == 409
        await core.delete_namespaced_config_map("a1", SPACE)
        events = watch.Watch().stream(
            core.list_namespaced_config_map, SPACE, field_selector="metadata.name=a1", resource_version=start,
            timeout_seconds=1,
        )  # fmt: skip
        seen = [event["type"] async for event in events]
        assert seen == ["ADDED", "MODIFIED", "MODIFIED", "MODIFIED", "DELETED"]

    run(lab, story)


def test_a_version_that_is_too_old_is_gone(lab: Lab) -> None:
    async def story(api: Any) -> None:
        core = client.CoreV1Api(api)
        start = (await core.list_namespaced_secret(SPACE)).metadata.resource_version
        await core.create_namespaced_secret(SPACE, client.V1Secret(metadata=client.V1ObjectMeta(name="as")))
        await core.delete_namespaced_secret("as", SPACE)
        lab.run(lambda: lab.cluster.storage._table("secrets").forget(math.inf, 0))
        with pytest.raises(ApiException) as gone:
            async for _ in watch.Watch().stream(
                core.list_namespaced_secret, SPACE, resource_version=start, timeout_seconds=2
            ):
                pass
        assert gone.value.status == 410

    run(lab, story)


def test_the_dynamic_client(lab: Lab) -> None:
    async def story(api: Any) -> None:
        dyn = await dynamic.DynamicClient(api)
        for body in everything():
            resource = await dyn.resources.get(api_version=body["apiVersion"], kind=body["kind"])
            found = await resource.get(name=body["metadata"]["name"], namespace=body["metadata"].get("namespace"))
            assert found.kind == body["kind"]

    run(lab, story)


def test_commands(lab: Lab) -> None:
    async def story(api: Any) -> None:
        core = client.CoreV1Api(api)
        said = await core.connect_get_namespaced_pod_exec(
            "rich", SPACE, container="main", command=["echo", "hello"],
            stdout=True, stderr=True, stdin=False, tty=False,
        )  # fmt: skip
        assert said.strip() == "hello"

    run(lab, story, stream.WsApiClient)
