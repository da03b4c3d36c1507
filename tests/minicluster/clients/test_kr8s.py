"""kr8s, in both its forms."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import kr8s
import pytest
from kr8s.asyncio import api as async_api
from kr8s.asyncio import objects as async_objects
from kr8s.objects import ConfigMap, Deployment, Node, Pod, new_class

from tests.minicluster.clients.conftest import everything
from tests.minicluster.conftest import Lab

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("leftovers"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # sockets that the client leaves to the collector
]
SPACE = "zoo"


@pytest.fixture
def api(lab: Lab) -> Any:
    return kr8s.api(kubeconfig=str(lab.kubeconfig), namespace=SPACE)


def test_every_kind_is_listed(api: Any) -> None:
    for body in everything():
        plural = next(one["name"] for one in api.api_resources() if one["kind"] == body["kind"])
        group = body["apiVersion"].partition("/")[0] if "/" in body["apiVersion"] else ""
        found = list(api.get(f"{plural}.{group}".rstrip("."), namespace=kr8s.ALL))
        assert body["metadata"]["name"] in [one.name for one in found], body["kind"]
    assert api.version()["gitVersion"].startswith("v1.33")
    assert api.whoami() == "kubernetes-admin"


def test_create_patch_wait_and_delete(api: Any) -> None:
    made = ConfigMap({"metadata": {"name": "k1", "namespace": SPACE}, "data": {"k": "v"}}, api=api)
    made.create()
    assert made.exists()
    assert made.metadata.uid
    with pytest.raises(kr8s.ServerError, match="already exists"):
        made.create()
    made.patch({"data": {"m": "1"}})
    assert made.data == {"k": "v", "m": "1"}
    made.patch([{"op": "remove", "path": "/data/m"}], type="json")
    made.label(kind="small")
    made.annotate({"note": "x"})
    again = ConfigMap.get("k1", namespace=SPACE, api=api)
    assert (again.data, again.labels, again.annotations) == ({"k": "v"}, {"kind": "small"}, {"note": "x"})
    assert [one.name for one in api.get("configmaps", label_selector={"kind": "small"})] == ["k1"]
    made.delete()
    made.wait("delete", timeout=10)
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("k1", namespace=SPACE, api=api, timeout=1)


def test_pods_run_say_and_do_what_they_are_told(api: Any) -> None:
    container = {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}
    pod = Pod({"metadata": {"name": "k2"}, "spec": {"containers": [container]}}, namespace=SPACE, api=api)
    pod.create()
    pod.wait("condition=Ready", timeout=10)
    assert pod.ready()
    assert any("Configuration complete; ready for start up" in line for line in pod.logs())
    assert pod.exec(["echo", "hello"]).stdout == b"hello\n"
    with pod.portforward(80, local_port="auto") as port:
        assert httpx.get(f"http://127.0.0.1:{port}/", timeout=10).text.startswith("<!DOCTYPE html>")
    pod.delete()
    pod.wait("delete", timeout=10)


def test_scale_cordon_and_custom_kinds(api: Any) -> None:
    web = Deployment.get("web", namespace=SPACE, api=api)
    web.scale(1)
    web.wait("jsonpath='{.status.readyReplicas}'=1", timeout=10)
    node: Any = Node.get("node1", api=api)
    node.cordon()
    assert node.unschedulable
    node.uncordon()
    kind: Any = new_class(kind="Widget", version="example.org/v1", namespaced=True)
    widget = kind({"metadata": {"name": "kw"}, "spec": {"size": 1}}, namespace=SPACE, api=api)
    widget.create()
    assert [one.spec.size for one in api.get("widgets.example.org") if one.name == "kw"] == [1]
    widget.delete()


def test_the_other_form_watches_and_streams(lab: Lab) -> None:
    async def live() -> list[tuple[str, str]]:
        api: Any = await async_api(kubeconfig=str(lab.kubeconfig), namespace=SPACE)
        seen: list[tuple[str, str]] = []
        body = {"metadata": {"name": "k3", "labels": {"watched": "yes"}}, "data": {}}
        made = await async_objects.ConfigMap(body, namespace=SPACE, api=api)

        async def watch() -> None:
            async for kind, obj in api.watch("configmaps", label_selector="watched=yes"):
                seen.append((kind, obj.name))
                if kind == "DELETED":
                    return

        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.3)
        await made.create()
        await made.patch({"data": {"x": "y"}})
        await made.delete()
        await asyncio.wait_for(watching, 10)
        pod = await async_objects.Pod.get("rich", namespace=SPACE, api=api)
        assert (await pod.exec(["echo", "there"], container="main")).stdout == b"there\n"
        probed = [line async for line in pod.logs(container="main") if '"GET / HTTP/1.1" 200' in line]
        assert probed
        names = [one.name async for one in api.get("pods")]
        assert "rich" in names
        return seen

    assert asyncio.run(live()) == [("ADDED", "k3"), ("MODIFIED", "k3"), ("DELETED", "k3")]
