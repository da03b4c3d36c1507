"""The real kubectl patches, applies and extends the lab: every patch type, server-side apply, strictness, custom
resources."""

from __future__ import annotations

import json
from typing import Any

from tests.minicluster.conftest import Kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: default}
spec:
  replicas: 1
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec:
      containers:
      - name: web
        image: nginx:1
        env: [{name: A, value: "1"}]
        ports: [{containerPort: 80}]
"""


PARTS = {"replicas": "replicas: 1", "image": "image: nginx:1", "env": 'env: [{name: A, value: "1"}]'}


def manifest(name: str, **changes: str) -> str:
    """The Deployment under a name, with parts of it in other words."""
    text = DEPLOYMENT.replace("NAME", name)
    for part, new in changes.items():
        text = text.replace(PARTS[part], new)
    return text


def got(kubectl: Kubectl, what: str, *more: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", what, "-o", "json", *more).stdout)
    return found


def test_apply_three_ways(kubectl: Kubectl) -> None:
    assert kubectl("apply", "-f", "-", stdin=manifest("three")).stdout == "deployment.apps/three created\n"
    assert kubectl("apply", "-f", "-", stdin=manifest("three")).stdout == "deployment.apps/three unchanged\n"
    changed = manifest("three", image="image: nginx:2", env="")
    assert kubectl("apply", "-f", "-", stdin=changed).stdout == "deployment.apps/three configured\n"
    [container] = got(kubectl, "deployment/three")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "nginx:2"
    assert "env" not in container
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_server_side_apply(kubectl: Kubectl) -> None:
    first = kubectl("apply", "--server-side", "-f", "-", stdin=manifest("ssa"))
    assert first.stdout == "deployment.apps/ssa serverside-applied\n"
    kubectl("apply", "--server-side", "-f", "-", stdin=manifest("ssa"))
    assert got(kubectl, "deployment/ssa")["metadata"]["generation"] == 1
    kubectl("scale", "deployment/ssa", "--replicas=3")
    refused = kubectl("apply", "--server-side", "-f", "-", stdin=manifest("ssa", replicas="replicas: 2"), code=1)
    assert (
        'Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps/v1: .spec.replicas'
        in refused.stderr
    )
    assert "--force-conflicts" in refused.stderr
    forced = manifest("ssa", replicas="replicas: 2", env="")
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=forced)
    found = got(kubectl, "deployment/ssa", "--show-managed-fields")
    assert found["spec"]["replicas"] == 2
    assert "env" not in found["spec"]["template"]["spec"]["containers"][0]
    entries = {(entry["manager"], entry["operation"]) for entry in found["metadata"]["managedFields"]}
    assert ("kubectl", "Apply") in entries


def test_client_side_apply_becomes_server_side(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=manifest("csa"))
    again = kubectl("apply", "--server-side", "-f", "-", stdin=manifest("csa", image="image: nginx:3", env=""))
    assert again.stderr == ""
    found = got(kubectl, "deployment/csa", "--show-managed-fields")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:3"
    assert "env" not in found["spec"]["template"]["spec"]["containers"][0]
    managers = [entry["manager"] for entry in found["metadata"]["managedFields"]]
    assert "kubectl-client-side-apply" not in managers


def test_each_type_of_patch(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=manifest("patched"))
    where = ("patch", "deployment/patched")
    strategic = '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"nginx:9"}]}}}}'
    assert kubectl(*where, "-p", strategic).stdout == "deployment.apps/patched patched\n"
    kubectl(*where, "--type=merge", "-p", '{"metadata":{"labels":{"a":"b","gone":null}}}')
    kubectl(*where, "--type=json", "-p", '[{"op":"replace","path":"/spec/replicas","value":0}]')
    found = got(kubectl, "deployment/patched")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:9"
    assert found["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert (found["metadata"]["labels"]["a"], found["spec"]["replicas"]) == ("b", 0)
    same = kubectl(*where, "--type=merge", "-p", '{"spec":{"replicas":0}}')
    assert same.stdout == "deployment.apps/patched patched (no change)\n"
    failed = kubectl(*where, "--type=json", "-p", '[{"op":"test","path":"/spec/replicas","value":5}]', code=1)
    assert failed.stderr == "The request is invalid: the server rejected our request due to an error in our request\n"
    wrong = kubectl(*where, "--type=merge", "-p", '{"spec":{"replicas":"x"}}', code=1)
    assert (
        "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32" in wrong.stderr
    )


def test_strict_and_lenient_creation(kubectl: Kubectl) -> None:
    text = manifest("strict").replace("  replicas: 1", "  replicas: 1\n  foo: bar")
    refused = kubectl("create", "-f", "-", stdin=text, code=1)
    assert refused.stderr.startswith("Error from server (BadRequest): error when creating")
    assert (
        'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo"'
        in refused.stderr
    )
    warned = kubectl("create", "--validate=warn", "-f", "-", stdin=text)
    assert 'Warning: unknown field "spec.foo"' in warned.stderr
    assert "foo" not in got(kubectl, "deployment/strict")["spec"]


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget, shortNames: [wd], categories: [toys]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    additionalPrinterColumns:
    - {name: Size, type: integer, jsonPath: .spec.size}
    - {name: Color, type: string, jsonPath: .spec.color}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, description: How large it is.}
              color: {type: string, default: red, enum: [red, blue]}
          status:
            type: object
            properties: {size: {type: integer}}
"""
WIDGET = "{apiVersion: example.com/v1, kind: Widget, metadata: {name: a, namespace: default}, spec: {size: SIZE}}"


def test_custom_resources(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=DEFINITION)
    kubectl("wait", "--for=condition=established", "crd/widgets.example.com", "--timeout=20s")
    assert kubectl("apply", "-f", "-", stdin=WIDGET.replace("SIZE", "3")).stdout == "widget.example.com/a created\n"
    assert kubectl("apply", "-f", "-", stdin=WIDGET.replace("SIZE", "3")).stdout == "widget.example.com/a unchanged\n"
    assert kubectl("get", "wd").stdout.splitlines()[0].split() == ["NAME", "SIZE", "COLOR"]
    assert kubectl("get", "toys", "--no-headers").stdout.split() == ["a", "3", "red"]
    kubectl("patch", "wd/a", "--type=merge", "-p", '{"spec":{"size":4}}')
    refused = kubectl("patch", "wd/a", "--type=merge", "-p", '{"spec":{"size":0}}', code=1)
    assert refused.stderr == (
        'The Widget "a" is invalid: spec.size: Invalid value: 0: '
        "spec.size in body should be greater than or equal to 1\n"
    )
    refused = kubectl("apply", "-f", "-", stdin=WIDGET.replace("SIZE", "3, foo: 1"), code=1)
    assert 'unknown field "spec.foo"' in refused.stderr
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=WIDGET.replace("SIZE", "7"))
    kubectl("scale", "wd/a", "--replicas=5")
    assert got(kubectl, "widget/a")["spec"] == {"size": 5, "color": "red"}
    assert "size\t<integer> -required-" in kubectl("explain", "widget.spec").stdout
    kubectl("patch", "wd/a", "--type=merge", "--subresource=status", "-p", '{"status":{"size":5},"spec":{"size":9}}')
    found = got(kubectl, "widget/a")
    assert (found["status"], found["spec"]["size"]) == ({"size": 5}, 5)
    kubectl("delete", "crd", "widgets.example.com", "--timeout=20s")
    gone = kubectl("get", "widgets", code=1)
    assert "the server doesn't have a resource type" in gone.stderr or "could not find the requested" in gone.stderr
