"""Custom resources: a definition with a schema, columns, scale and status, and every verb on what it defines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.sea.example.com}
spec:
  group: sea.example.com
  scope: Namespaced
  names: {plural: boats, singular: boat, kind: Boat, shortNames: [bo], categories: [fleet]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.oars, statusReplicasPath: .status.oars}
    additionalPrinterColumns:
    - {name: Oars, type: integer, jsonPath: .spec.oars}
    - {name: Afloat, type: boolean, jsonPath: .status.afloat, description: Does it swim}
    - {name: Name Of, type: string, jsonPath: .spec.name, priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            description: What is wanted of the boat
            required: [oars]
            properties:
              oars: {type: integer, minimum: 0, maximum: 8, description: How many oars}
              name: {type: string, pattern: "^[A-Z]", default: Nameless}
              crew:
                type: array
                items: {type: object, properties: {who: {type: string}}}
          status: {type: object, properties: {oars: {type: integer}, afloat: {type: boolean}}}
"""
BOAT = """
apiVersion: sea.example.com/v1
kind: Boat
metadata: {name: one, labels: {harbour: north}}
spec: {oars: 2, crew: [{who: ann}]}
"""


def got(kubectl: Kubectl, *what: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl("get", *what, "-o", "json").stdout)
    return found


@pytest.fixture
def sea(here: Kubectl) -> Iterator[Kubectl]:
    assert here("apply", "-f", "-", stdin=DEFINITION).stdout.startswith(
        "customresourcedefinition.apiextensions.k8s.io/"
    )
    here("wait", "--for=condition=Established", "crd/boats.sea.example.com", "--timeout=10s")
    yield here
    here("delete", "crd", "boats.sea.example.com", "--timeout=20s")


@shows("kubectl create -f FILE (custom resources)", "kubectl get CUSTOM -o wide", "kubectl describe CUSTOM NAME")
def test_columns_and_description(sea: Kubectl, namespace: str) -> None:
    assert sea("create", "-f", "-", stdin=BOAT).stdout == "boat.sea.example.com/one created\n"
    plain = sea("get", "boats").stdout.splitlines()
    assert plain[0] == "NAME   OARS   AFLOAT   AGE"
    assert plain[1].split()[:2] == ["one", "2"]
    assert sea("get", "bo", "-o", "wide").stdout.splitlines()[0] == "NAME   OARS   AFLOAT   NAME OF    AGE"
    assert sea("get", "fleet", "-o", "name").stdout == "boat.sea.example.com/one\n"
    assert sea("get", "boat.v1.sea.example.com", "one", "-o", "jsonpath={.spec.name}").stdout == "Nameless"
    described = sea("describe", "boat", "one").stdout
    assert described.startswith(
        f"Name:         one\nNamespace:    {namespace}\nLabels:       harbour=north\nAnnotations:  <none>\n"
        "API Version:  sea.example.com/v1\nKind:         Boat\nMetadata:\n"
    )
    assert "Spec:\n  Crew:\n    Who:  ann\n  Name:   Nameless\n  Oars:   2\nEvents:   <none>\n" in described


@shows("kubectl apply -f FILE (custom resources)", "kubectl diff -f FILE", "kubectl edit KIND NAME")
def test_every_way_to_change_one(sea: Kubectl) -> None:
    assert sea("apply", "-f", "-", stdin=BOAT).stdout == "boat.sea.example.com/one created\n"
    assert sea("apply", "-f", "-", stdin=BOAT).stdout == "boat.sea.example.com/one unchanged\n"
    more = BOAT.replace("oars: 2", "oars: 4")
    assert "+  oars: 4" in sea("diff", "-f", "-", stdin=more, code=1).stdout
    assert sea("apply", "-f", "-", stdin=more).stdout == "boat.sea.example.com/one configured\n"
    assert sea("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=BOAT).stdout == (
        "boat.sea.example.com/one serverside-applied\n"
    )
    assert sea("scale", "boat", "one", "--replicas=6").stdout == "boat.sea.example.com/one scaled\n"
    assert got(sea, "boat", "one")["spec"]["oars"] == 6
    sea("patch", "boat", "one", "--type=merge", "-p", '{"spec":{"name":"Vera"}}')
    sea("patch", "boat", "one", "--type=json", "-p", '[{"op":"remove","path":"/spec/crew"}]')
    refused = sea("patch", "boat", "one", "-p", "{}", code=1).stderr
    assert refused == (
        "error: application/strategic-merge-patch+json is not supported by sea.example.com/v1, Kind=Boat: the body of "
        "the request was in an unknown format - accepted media types include: application/json-patch+json, "
        "application/merge-patch+json, application/apply-patch+yaml\n"
    )
    status = ("patch", "boat", "one", "--subresource=status", "--type=merge", "-p", '{"status":{"afloat":true}}')
    assert sea(*status).stdout == "boat.sea.example.com/one patched\n"
    found = got(sea, "boat", "one")
    assert (found["spec"], found["status"]) == ({"name": "Vera", "oars": 6}, {"afloat": True})
    assert found["metadata"]["generation"] == 6
    assert sea("label", "boat", "one", "harbour-").stdout == "boat.sea.example.com/one unlabeled\n"
    assert sea("annotate", "boat", "one", "note=x").stdout == "boat.sea.example.com/one annotated\n"
    done = sea("edit", "boat", "one", env={"KUBE_EDITOR": "sed -i 's/oars: 6/oars: 5/'"}).stdout
    assert done == "boat.sea.example.com/one edited\n"
    assert sea("wait", "--for=jsonpath={.status.afloat}=true", "boat/one", "--timeout=5s").stdout == (
        "boat.sea.example.com/one condition met\n"
    )
    assert sea("replace", "--force", "-f", "-", stdin=BOAT).stdout.endswith("boat.sea.example.com/one replaced\n")


@shows("kubectl create --validate=strict (custom resources)")
def test_the_schema_is_the_law(sea: Kubectl) -> None:
    wrong = BOAT.replace("oars: 2", "oars: 9, name: lower")
    refused = sea("create", "-f", "-", stdin=wrong, code=1).stderr
    assert refused == (
        'The Boat "one" is invalid: \n'
        "* spec.name: Invalid value: \"lower\": spec.name in body should match '^[A-Z]'\n"
        "* spec.oars: Invalid value: 9: spec.oars in body should be less than or equal to 8\n"
    )
    missing = sea("create", "-f", "-", stdin=BOAT.replace("oars: 2, ", ""), code=1).stderr
    assert missing == 'The Boat "one" is invalid: spec.oars: Required value\n'
    unknown = sea("create", "-f", "-", stdin=BOAT.replace("oars: 2", "oars: 2, sails: 1"), code=1).stderr
    assert unknown == (
        'Error from server (BadRequest): error when creating "STDIN": Boat in version "v1" cannot be handled as a '
        'Boat: strict decoding error: unknown field "spec.sails"\n'
    )
    text = sea("create", "-f", "-", stdin=BOAT.replace("oars: 2", 'oars: "2"'), code=1).stderr
    assert text == (
        'The Boat "one" is invalid: spec.oars: Invalid value: "string": spec.oars in body must be of type integer: '
        '"string"\n'
    )


@shows("kubectl explain CUSTOM.FIELD", "kubectl api-resources --api-group=GROUP", "kubectl delete CUSTOM --all")
def test_explained_and_deleted(sea: Kubectl, namespace: str) -> None:
    shown = sea("explain", "boats.spec").stdout
    assert shown == (
        "GROUP:      sea.example.com\nKIND:       Boat\nVERSION:    v1\n\nFIELD: spec <Object>\n\n\nDESCRIPTION:\n"
        "    What is wanted of the boat\n    \nFIELDS:\n  crew\t<[]Object>\n    <no description>\n\n"
        "  name\t<string>\n    <no description>\n\n  oars\t<integer> -required-\n    How many oars\n\n\n"
    )
    listed = sea("api-resources", "--api-group=sea.example.com", "--no-headers").stdout.split()
    assert listed == ["boats", "bo", "sea.example.com/v1", "true", "Boat"]
    sea("create", "-f", "-", stdin=BOAT)
    gone = sea("delete", "boats", "--all").stdout
    assert gone == f'boat.sea.example.com "one" deleted from {namespace} namespace\n'
