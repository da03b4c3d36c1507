"""Bodies of the wrong types that are no stored object: each is refused with 400 and the server's own words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.minicluster.conftest import Lab

CONFIG_MAP = "/api/v1/namespaces/default/configmaps/none"
TOKEN = "/api/v1/namespaces/default/serviceaccounts/default/token"
EVICTION = "/api/v1/namespaces/default/pods/none/eviction"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("DELETE", CONFIG_MAP, {"preconditions": "x"}, "DeleteOptions.preconditions"),
        ("DELETE", CONFIG_MAP, {"preconditions": {"uid": 1}}, "Preconditions.preconditions.uid"),
        ("DELETE", CONFIG_MAP, {"dryRun": 1}, "DeleteOptions.dryRun"),
        ("DELETE", CONFIG_MAP, {"gracePeriodSeconds": True}, "DeleteOptions.gracePeriodSeconds"),
        ("DELETE", "/api/v1/namespaces/default/pods", {"dryRun": {}}, "DeleteOptions.dryRun"),
        ("POST", EVICTION, {"deleteOptions": True}, "Eviction.deleteOptions"),
        ("POST", EVICTION, {"metadata": []}, "Eviction.metadata"),
        ("POST", "/api/v1/namespaces/default/bindings", {"target": "node1"}, "Binding.target"),
        ("POST", TOKEN, {"spec": "A"}, "TokenRequest.spec"),
        ("POST", TOKEN, {"spec": {"expirationSeconds": "3600"}}, "TokenRequestSpec.spec.expirationSeconds"),
        ("POST", TOKEN, {"spec": {"boundObjectRef": "pod"}}, "TokenRequestSpec.spec.boundObjectRef"),
        ("POST", ACCESS, {"spec": {"extra": []}}, "SubjectAccessReviewSpec.spec.extra"),
        ("POST", ACCESS, {"spec": {"user": "a", "resourceAttributes": 1}}, "spec.resourceAttributes"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews", {"metadata": "x"}, "TokenReview.metadata"),
    ],
)
def test_wrong_types_are_refused(lab: Lab, method: str, path: str, body: Any, field: str) -> None:
    answer = lab.request(method, path, body)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest"), answer.body
    assert "json: cannot unmarshal" in answer.json["message"]
    assert f"Go struct field {field}" in answer.json["message"] or f".{field} of type" in answer.json["message"]


def test_scale_and_apply_with_metadata_of_the_wrong_type(lab: Lab) -> None:
    web = {
        "metadata": {"name": "web"},
        "spec": {"replicas": 0, "selector": {"app": "web"}, "template": {"metadata": {"labels": {"app": "web"}}}},
    }
    web["spec"]["template"]["spec"] = {"containers": [{"name": "web", "image": "nginx"}]}  # type: ignore[index]
    base = "/api/v1/namespaces/default/replicationcontrollers"
    assert lab.request("POST", base, web).status == 201
    for body in ({"spec": "x"}, {"metadata": "x"}, {"spec": {"replicas": 2**31}}):
        answer = lab.request("PUT", f"{base}/web/scale", body)
        assert (answer.status, answer.json["reason"]) == (400, "BadRequest"), answer.body
    applied = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": "web"}
    sent = {"Content-Type": "application/apply-patch+yaml"}
    answer = lab.request("PATCH", f"{base}/web?fieldManager=a", applied, sent)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest"), answer.body


def test_nulls_in_a_review_are_nothing(lab: Lab) -> None:
    spec = {"user": "ann", "extra": {"a": None}, "groups": None, "nonResourceAttributes": {"path": "/", "verb": "get"}}
    answer = lab.request("POST", ACCESS, {"spec": spec})
    assert (answer.status, answer.json["status"]["allowed"]) == (201, False)


RANGES = "/apis/networking.k8s.io/v1/servicecidrs"
ADDRESSES = "/apis/networking.k8s.io/v1/ipaddresses"
FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas"
PARENT = {"resource": "services", "namespace": "default", "name": "x"}


@pytest.mark.parametrize(
    ("path", "name", "spec", "said"),
    [
        (FLOWS, "a", {}, "spec.priorityLevelConfiguration.name: Required value: must reference a priority level"),
        (
            FLOWS,
            "a",
            {"matchingPrecedence": 10001, "priorityLevelConfiguration": {"name": "exempt"}},
            "spec.matchingPrecedence: Invalid value: 10001: must not be greater than 10000",
        ),
        (RANGES, "a", {}, "spec.cidrs: Required value: at least one CIDR required"),
        (RANGES, "a", {"cidrs": ["nginx:1"]}, 'spec.cidrs[0]: Invalid value: "nginx:1": must be a valid CIDR value'),
        (RANGES, "a", {"cidrs": ["10.1.1.1/24"]}, 'must be in canonical form ("10.1.1.0/24")'),
        (RANGES, "a", {"cidrs": ["10.1.0.0/24", "10.2.0.0/24"]}, "may specify no more than one IP for each IP family"),
        (ADDRESSES, "web", {"parentRef": PARENT}, 'metadata.name: Invalid value: "web": must be a valid IP address'),
        (ADDRESSES, "10.96.0.77", {}, "spec.parentRef: Required value"),
    ],
)
def test_what_controllers_could_not_read_is_refused(lab: Lab, path: str, name: str, spec: Any, said: str) -> None:
    answer = lab.request("POST", path, {"metadata": {"name": name}, "spec": spec})
    assert (answer.status, answer.json["reason"]) == (422, "Invalid"), answer.body
    assert said in answer.json["message"]
