"""The forms in which the same thing is answered: tables, metadata alone, YAML, indented, as a stream; and pages."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

import pytest
import yaml

from k8sdiag.clock import SystemClock
from k8sdiag.minicluster.apiserver import swagger
from k8sdiag.minicluster.apiserver.certificates import YEAR, expires, load_authority, load_server_pair
from tests.minicluster.conftest import Kubectl, Lab, running

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.org}
spec:
  group: example.org
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, shortNames: [wg]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What is wished for.
            properties:
              size: {type: integer, description: How large it is to be.}
"""


@pytest.fixture(scope="module", autouse=True)
def _one(lab: Lab) -> None:
    lab.request("POST", CONFIG_MAPS, {"metadata": {"name": "one", "labels": {"a": "b"}}, "data": {"x": "1"}})


def test_a_list_as_a_table(lab: Lab) -> None:
    found = lab.request("GET", CONFIG_MAPS, headers={"Accept": f"{TABLE},application/json"}).json
    assert (found["kind"], found["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in found["columnDefinitions"]] == ["Name", "Data", "Age"]
    rows = {row["cells"][0]: row for row in found["rows"]}
    assert str(rows["one"]["cells"][1]) == "1"
    assert rows["one"]["object"]["kind"] == "PartialObjectMetadata"
    assert found["metadata"]["resourceVersion"]
    bare = lab.request("GET", f"{CONFIG_MAPS}?includeObject=None", headers={"Accept": TABLE}).json
    assert "object" not in bare["rows"][0]


def test_metadata_alone(lab: Lab) -> None:
    found = lab.request("GET", f"{CONFIG_MAPS}/one", headers={"Accept": METADATA}).json
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert found["metadata"]["labels"] == {"a": "b"}
    assert "data" not in found
    found = lab.request("GET", CONFIG_MAPS, headers={"Accept": METADATA_LIST}).json
    assert found["kind"] == "PartialObjectMetadataList"
    assert all("data" not in item for item in found["items"])


def test_yaml_both_ways(lab: Lab) -> None:
    body = b"metadata:\n  name: written\n  annotations: {at: 2024-01-01T00:00:00Z}\ndata: {x: 'yes'}\n"
    sent = {"Content-Type": "application/yaml", "Accept": "application/yaml"}
    answer = lab.request("POST", CONFIG_MAPS, body, sent)
    assert answer.headers["content-type"] == "application/yaml"
    found = yaml.load(answer.body, yaml.BaseLoader)
    assert found["metadata"]["annotations"] == {"at": "2024-01-01T00:00:00Z"}
    assert found["data"] == {"x": "yes"}


def test_indented_for_people(lab: Lab) -> None:
    path = f"{CONFIG_MAPS}/one"
    assert b"\n  " in lab.request("GET", path, headers={"User-Agent": "curl/8.0"}).body
    assert b"\n  " in lab.request("GET", f"{path}?pretty=true").body
    assert b"\n  " not in lab.request("GET", path).body
    assert b"\n  " not in lab.request("GET", f"{path}?pretty=false", headers={"User-Agent": "curl/8.0"}).body


@contextmanager
def _watch(lab: Lab, path: str, accept: str = "application/json") -> Iterator[HTTPResponse]:
    connection = lab.connect()
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {lab.token}", "Accept": accept})
        with connection.getresponse() as stream:
            yield stream
    finally:
        connection.close()


def _event(stream: HTTPResponse) -> Any:
    return json.loads(stream.readline())


def test_a_watch_as_tables(lab: Lab) -> None:
    with _watch(lab, f"{CONFIG_MAPS}?watch=1&fieldSelector=metadata.name%3Done", TABLE) as stream:
        first = _event(stream)
        assert (first["type"], first["object"]["kind"]) == ("ADDED", "Table")
        assert first["object"]["columnDefinitions"]
        patch = {"Content-Type": "application/merge-patch+json"}
        lab.request("PATCH", f"{CONFIG_MAPS}/one", {"data": {"y": "2"}}, patch)
        second = _event(stream)
        assert second["type"] == "MODIFIED"
        assert [str(cell) for cell in second["object"]["rows"][0]["cells"][:2]] == ["one", "2"]
        assert second["object"]["columnDefinitions"] is None


def test_a_watch_ends_when_its_time_is_over(lab: Lab) -> None:
    start = time.perf_counter()
    with _watch(lab, "/api/v1/namespaces?watch=1&timeoutSeconds=1") as stream:
        kinds = [json.loads(line)["type"] for line in stream.read().splitlines()]
    assert set(kinds) == {"ADDED"}
    assert 0.5 < time.perf_counter() - start < 5


def test_a_watcher_that_leaves_is_forgotten(lab: Lab) -> None:
    def count() -> int:
        return len(lab.hosted.server.watches)

    before = lab.run(count)
    with _watch(lab, "/api/v1/nodes?watch=1"):
        assert lab.run(count) == before + 1
    end = time.perf_counter() + 5
    while lab.run(count) != before and time.perf_counter() < end:
        time.sleep(0.02)
    assert lab.run(count) == before


def test_stopping_ends_watches_at_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("stopped")) as lab:
        with ThreadPoolExecutor() as pool, _watch(lab, "/api/v1/nodes?watch=1") as stream:
            rest = pool.submit(stream.read)
            start = time.perf_counter()
            asyncio.run_coroutine_threadsafe(lab.hosted.server.stop(), lab.loop).result(10)
            assert b"ADDED" in rest.result(10)
        assert time.perf_counter() - start < 3


def test_custom_resources_appear(kubectl: Kubectl, lab: Lab) -> None:
    kubectl("apply", "-f", "-", stdin=WIDGETS)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.org", "--timeout=10s")
    rows = [line.split() for line in kubectl("api-resources", "--no-headers").stdout.splitlines()]
    assert ["widgets", "wg", "example.org/v1", "true", "Widget"] in rows
    shown = kubectl("explain", "widgets.spec").stdout
    assert "What is wished for." in shown
    assert "size\t<integer>" in shown
    widget = "apiVersion: example.org/v1\nkind: Widget\nmetadata: {name: w}\nspec: {size: 3}\n"
    kubectl("apply", "-f", "-", stdin=widget)
    assert kubectl("get", "wg").stdout.splitlines()[1].split() == ["w", "3"]
    refused = kubectl("apply", "-f", "-", stdin=widget.replace("size", "sise"), code=1)
    assert 'unknown field "spec.sise"' in refused.stderr
    kubectl("delete", "crd", "widgets.example.org")
    assert lab.request("GET", "/apis/example.org/v1").status == 404


def test_swagger_ui_needs_nothing_from_afar(lab: Lab) -> None:
    page = lab.request("GET", "/swagger-ui/", token="")
    assert page.headers["content-type"].startswith("text/html")
    assert b"://" not in page.body
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "swagger-ui-standalone-preset.js"):
        assert f'"{name}"'.encode() in page.body
        assert lab.request("GET", f"/swagger-ui/{name}", token="").status == 200
    assert lab.request("GET", "/swagger-ui/../../etc/passwd").status == 404
    assert lab.request("GET", "/swagger-ui").headers["location"] == "/swagger-ui/"


def test_swagger_ui_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swagger, "_folder", lambda: None)
    page = swagger.find("")
    assert page is not None
    assert b"pip install swagger-ui-bundle" in page[0]
    assert swagger.find("swagger-ui.css") is None


def test_certificates_are_kept_until_they_expire(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, now = tmp_path_factory.mktemp("keys"), SystemClock().now()
    authority = load_authority(folder)
    pair = load_server_pair(folder, authority, now)
    assert load_authority(folder).pair == authority.pair
    assert load_server_pair(folder, load_authority(folder), now) == pair
    later = load_server_pair(folder, authority, now + YEAR)
    assert later != pair
    assert expires(later) > now + YEAR
    assert load_server_pair(folder, authority, now, ["lab.example.org"]) != pair
    other = load_authority(tmp_path_factory.mktemp("other"))
    assert load_server_pair(folder, other, now) != later
    assert (folder / "ca.key").stat().st_mode & 0o077 == 0
