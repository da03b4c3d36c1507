"""Definitions of custom resources: names, versions, columns, restarts, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.printcolumns import find, read_path
from k8sdiag.minicluster.apiserver.request import Request
from k8sdiag.minicluster.cluster import MiniCluster

WORD = "customresourcedefinitions"
START = 1_700_000_000.0


def version(name: str, storage: bool = False, **fields: Any) -> Json:
    spec = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": name, "served": True, "storage": storage, "schema": schema, **fields}


def definition(plural: str = "widgets", kind: str = "Widget", *versions: Json, **names: Any) -> Json:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind, **names},
            "versions": list(versions) or [version("v1", storage=True)],
        },
    }


@pytest.fixture
def cluster() -> Iterator[MiniCluster]:
    made = MiniCluster(ManualClock(START), seed=1)
    made.settle()
    yield made
    made.close()


def conditions(cluster: MiniCluster, name: str) -> dict[str, tuple[str, str]]:
    found = cluster.client().get(WORD, "", name)["status"]["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in found}


def test_a_definition_is_established(cluster: MiniCluster) -> None:
    client = cluster.client()
    client.create(WORD, definition(shortNames=["wd"]))
    with pytest.raises(KeyError):
        cluster.registry.named("widgets")
    cluster.settle()
    assert conditions(cluster, "widgets.example.com") == {
        "NamesAccepted": ("True", "NoConflicts"),
        "Established": ("True", "InitialNamesAccepted"),
    }
    crd = client.get(WORD, "", "widgets.example.com")
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["status"]["acceptedNames"]["listKind"] == "WidgetList"
    resource = cluster.registry.named("widgets")
    assert (resource.short, resource.singular, resource.api_version) == (("wd",), "widget", "example.com/v1")


def test_names_that_are_taken_are_refused(cluster: MiniCluster) -> None:
    client = cluster.client()
    client.create(WORD, definition())
    cluster.settle()
    client.create(WORD, definition("others", "Widget"))
    cluster.settle()
    assert conditions(cluster, "others.example.com") == {
        "NamesAccepted": ("False", "ListKindConflict"),
        "Established": ("False", "NotAccepted"),
    }
    with pytest.raises(KeyError):
        cluster.registry.named("others")


def test_one_object_in_two_versions(cluster: MiniCluster) -> None:
    client = cluster.client()
    client.create(WORD, definition("widgets", "Widget", version("v1beta1"), version("v1", storage=True)))
    cluster.settle()
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": "default"}}
    client.create("widgets", {**obj, "spec": {"size": 1}})
    old = cluster.registry.find("example.com", "v1beta1", "widgets")
    assert old is not None
    assert old.storage == cluster.registry.named("widgets").storage
    assert cluster.registry.storage_version(old.storage).version == "v1"
    crd = client.get(WORD, "", "widgets.example.com")
    client.update(WORD, {**crd, "spec": {**crd["spec"], "versions": [version("v1", storage=True)]}})
    cluster.settle()
    assert cluster.registry.find("example.com", "v1beta1", "widgets") is None
    assert cluster.registry.find("example.com", "v1", "widgets") is not None


def test_a_stored_version_may_not_vanish(cluster: MiniCluster) -> None:
    client = cluster.client()
    client.create(WORD, definition())
    cluster.settle()
    crd = client.get(WORD, "", "widgets.example.com")
    with pytest.raises(
        ApiError, match=r"status\.storedVersions\[0\]: Invalid value: \"v1\": missing from spec\.versions"
    ):
        client.update(WORD, {**crd, "spec": {**crd["spec"], "versions": [version("v2", storage=True)]}})


def test_the_end_of_a_definition_is_the_end_of_its_objects(cluster: MiniCluster) -> None:
    client = cluster.client()
    client.create(WORD, definition())
    cluster.settle()
    for name in ("a", "held"):
        meta: Json = {"name": name, "namespace": "default"}
        if name == "held":
            meta["finalizers"] = ["example.com/hold"]
        client.create("widgets", {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {}})
    client.delete(WORD, "", "widgets.example.com")
    cluster.settle()
    assert client.find("widgets", "default", "a") is None
    assert conditions(cluster, "widgets.example.com")["Terminating"] == ("True", "InstanceDeletionInProgress")
    client.patch("widgets", "default", "held", {"metadata": {"finalizers": None}})
    cluster.run_for(10)
    assert client.find(WORD, "", "widgets.example.com") is None
    with pytest.raises(KeyError):
        cluster.registry.named("widgets")


def test_custom_resources_are_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    first = MiniCluster(ManualClock(START), seed=1, path=path)
    first.client().create(WORD, definition())
    first.settle()
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": "default"}}
    first.client().create("widgets", {**obj, "spec": {"size": 3}})
    first.close()
    second = MiniCluster(ManualClock(START), seed=2, path=path)
    assert second.client().get("widgets", "default", "a")["spec"] == {"size": 3}
    with pytest.raises(ApiError, match="must be of type integer"):
        second.client().patch("widgets", "default", "a", {"spec": {"size": "x"}})
    second.close()


def test_columns(cluster: MiniCluster) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Since", "type": "date", "jsonPath": ".metadata.creationTimestamp", "priority": 1},
    ]
    cluster.client().create(
        WORD, definition("widgets", "Widget", version("v1", storage=True, additionalPrinterColumns=columns))
    )
    cluster.settle()
    custom = cluster.handlers.backend.customs.table_of(cluster.registry.named("widgets"))
    assert custom is not None
    stated, row = custom
    assert [(column["name"], column["priority"]) for column in stated] == [
        ("Name", 0), ("Size", 0), ("Ready", 0), ("Since", 1),
    ]  # fmt: skip
    ready = {"type": "Ready", "status": "True"}
    obj = {
        "metadata": {"name": "a", "creationTimestamp": "2023-11-14T22:13:20Z"},
        "status": {"conditions": [{"type": "X", "status": "False"}, ready]},
    }
    assert row(obj, START + 90) == ["a", None, "True", "90s"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".a", 1),
        (".b.c\\.d", 2),
        (".b['c.d']", 2),
        (".l[0].n", "x"),
        (".l[-1].n", "y"),
        (".l[*].n", "x"),
        ('.l[?(@.n=="y")].v', 5),
        (".nothing", None),
        ("a", None),
    ],
)
def test_simple_json_paths(path: str, value: Any) -> None:
    obj = {"a": 1, "b": {"c.d": 2}, "l": [{"n": "x"}, {"n": "y", "v": 5}]}
    steps = read_path(path)
    assert (next(find(obj, steps), None) if steps else None) == value


def test_fields_that_may_be_selected(cluster: MiniCluster) -> None:
    client = cluster.client()
    fields = [{"jsonPath": ".spec.size"}]
    client.create(WORD, definition("widgets", "Widget", version("v1", storage=True, selectableFields=fields)))
    cluster.settle()
    for name, size in (("a", 1), ("b", 2)):
        meta = {"name": name, "namespace": "default"}
        client.create(
            "widgets", {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": meta, "spec": {"size": size}}
        )

    def selected(selector: str) -> list[str]:
        resource = cluster.registry.named("widgets")
        request = Request("list", resource, client.user, "default", query={"fieldSelector": selector})
        return [obj["metadata"]["name"] for obj in cluster.handlers.handle(request).body["items"]]

    assert selected("spec.size=2") == ["b"]
    assert selected("spec.size!=2") == ["a"]
    assert selected("spec.size=1,metadata.name=b") == []
    with pytest.raises(ApiError, match=r"^field label not supported: spec\.color$"):
        selected("spec.color=red")


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["spec.size"], 'selectableFields[0].jsonPath: Invalid value: "spec.size": is an invalid path'),
        ([".spec.color"], 'selectableFields[0].jsonPath: Invalid value: ".spec.color": is an invalid path'),
        ([""], "selectableFields[0].jsonPath: Required value"),
        (
            [".metadata.name"],
            'selectableFields[0]: Invalid value: ".metadata.name": must not point to fields in metadata',
        ),
        ([".spec"], 'selectableFields[0]: Invalid value: ".spec": must point to a field of type string, boolean'),
        ([".spec.size", ".spec.size"], 'selectableFields[1]: Duplicate value: ".spec.size"'),
    ],
)
def test_fields_that_may_not_be_selected(cluster: MiniCluster, paths: list[str], message: str) -> None:
    fields = [{"jsonPath": path} if path else {} for path in paths]
    with pytest.raises(ApiError) as refused:
        cluster.client().create(
            WORD, definition("widgets", "Widget", version("v1", storage=True, selectableFields=fields))
        )
    assert f"spec.versions[0].{message}" in refused.value.message


def test_whoever_uses_a_deprecated_version_is_told(cluster: MiniCluster) -> None:
    client = cluster.client()
    versions = (version("v1beta1", deprecated=True), version("v1", storage=True))
    client.create(WORD, definition("widgets", "Widget", *versions))
    cluster.settle()

    def warned(verb: str, name: str, body: Json | None = None) -> list[str]:
        resource = cluster.registry.find("example.com", name, "widgets")
        assert resource is not None
        return cluster.handlers.handle(Request(verb, resource, client.user, "default", body=body)).warnings

    obj = {"apiVersion": "example.com/v1beta1", "kind": "Widget", "metadata": {"name": "a"}}
    told = ["example.com/v1beta1 Widget is deprecated"]
    assert (warned("create", "v1beta1", obj), warned("list", "v1beta1"), warned("list", "v1")) == (told, told, [])


def test_a_list_whose_items_have_no_keys_is_refused_field_by_field(cluster: MiniCluster) -> None:
    client = cluster.client()
    made = version("v1", storage=True)
    item = {"type": "object", "required": ["k"], "properties": {"k": {"type": "string"}}}
    listed = {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
    }
    made["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["parts"] = listed
    client.create(WORD, definition("widgets", "Widget", made))
    cluster.settle()
    obj: Json = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a", "namespace": "default"}}
    with pytest.raises(ApiError) as refused:
        client.create("widgets", {**obj, "spec": {"parts": [{"k": "a"}, {}], "size": 1}})
    assert refused.value.code == 422
    assert "spec.parts[1].k: Required value" in refused.value.message


def test_what_is_not_evaluated_is_said(cluster: MiniCluster) -> None:
    crd = definition()
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.size > 0"}]
    [warning] = cluster.handlers.backend.customs.warnings(cluster.registry.named(WORD), crd)
    assert "not evaluated" in warning
    crd = definition()
    crd["spec"]["conversion"] = {"strategy": "Webhook"}
    [warning] = cluster.handlers.backend.customs.warnings(cluster.registry.named(WORD), crd)
    assert warning.startswith("spec.conversion: this server calls no webhook")
