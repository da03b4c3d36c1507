"""Types as the OpenAPI definitions state them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from k8sdiag.minicluster.apiserver.schema import ANY, Type, builtin, custom_type, definitions
from k8sdiag.minicluster.kinds import Registry

POD = builtin("io.k8s.api.core.v1.Pod")


def at(node: Type, path: str) -> Type:
    for name in path.split("."):
        node = node.child(name) if name != "[]" else node.element or ANY
    return node


@pytest.mark.parametrize(
    ("path", "relation", "keys", "merge_key"),
    [
        ("spec.containers", "map", ("name",), "name"),
        ("spec.containers.[].ports", "map", ("containerPort", "protocol"), "containerPort"),
        ("spec.containers.[].volumeMounts", "map", ("mountPath",), "mountPath"),
        ("spec.containers.[].command", "atomic", (), ""),
        ("spec.tolerations", "atomic", (), ""),
        ("spec.volumes", "map", ("name",), "name"),
        ("status.conditions", "map", ("type",), "type"),
        ("metadata.finalizers", "set", (), ""),
        ("metadata.ownerReferences", "map", ("uid",), "uid"),
    ],
)
def test_lists(path: str, relation: str, keys: tuple[str, ...], merge_key: str) -> None:
    node = at(POD, path)
    assert (node.relation, node.keys, node.merge_key) == (relation, keys, merge_key)


def test_ports_without_a_protocol_are_tcp() -> None:
    assert at(POD, "spec.containers.[].ports").key_defaults == {"protocol": "TCP"}


@pytest.mark.parametrize(
    ("path", "kind", "go"),
    [
        ("spec.containers.[].resources.limits", "map", "map[string]resource.Quantity"),
        ("spec.activeDeadlineSeconds", "integer", "int64"),
        ("spec.containers", "list", "[]v1.Container"),
        ("spec.containers.[].livenessProbe.httpGet.port", "int-or-string", "intstr.IntOrString"),
        ("metadata.creationTimestamp", "time", "v1.Time"),
        ("metadata.labels", "map", "map[string]string"),
        ("metadata.nothing.there", "any", "interface {}"),
    ],
)
def test_kinds(path: str, kind: str, go: str) -> None:
    node = at(POD, path)
    assert (node.kind, node.go) == (kind, go)


def test_selectors_are_owned_as_a_whole() -> None:
    assert at(builtin("io.k8s.api.apps.v1.Deployment"), "spec.selector").atomic


def test_types_may_hold_themselves() -> None:
    schema = builtin("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")
    assert schema.child("properties").element is schema


def test_every_resource_has_a_type() -> None:
    for resource in Registry().all():
        if "create" in resource.verbs and resource.definition:
            assert builtin(resource.definition).kind == "object", resource.definition


def test_every_definition_compiles() -> None:
    assert all(builtin(name) is builtin(name) for name in definitions())


def test_custom_types_keep_what_nobody_describes() -> None:
    node = custom_type(None)
    assert node.child("spec") is ANY
    assert node.child("metadata").kind == "object"


def test_the_first_type_is_there_in_no_time() -> None:
    code = (
        "import time; from k8sdiag.minicluster.apiserver.schema import builtin; start = time.process_time();"
        "builtin('io.k8s.api.apps.v1.Deployment'); print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.1
