"""What the real kubectl asks of the server's edge: discovery, versions, schemas, access, identity."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl, Lab


def test_version(kubectl: Kubectl) -> None:
    found = json.loads(kubectl("version", "-o", "json").stdout)["serverVersion"]
    assert (found["major"], found["minor"]) == ("1", "33")
    assert found["gitVersion"].startswith("v1.33.")


def test_api_versions(kubectl: Kubectl) -> None:
    listed = kubectl("api-versions").stdout.split()
    assert {"v1", "apps/v1", "batch/v1", "autoscaling/v1", "autoscaling/v2", "metrics.k8s.io/v1beta1"} <= set(listed)


def test_api_resources(kubectl: Kubectl) -> None:
    rows = [line.split() for line in kubectl("api-resources", "--no-headers", "-o", "wide").stdout.splitlines()]
    pods = next(row for row in rows if row[:3] == ["pods", "po", "v1"])
    assert pods == [
        "pods",
        "po",
        "v1",
        "true",
        "Pod",
        "create,delete,deletecollection,get,list,patch,update,watch",
        "all",
    ]
    assert ["nodes", "metrics.k8s.io/v1beta1", "false", "NodeMetrics", "get,list"] in rows


def test_both_forms_of_discovery_say_the_same(lab: Lab) -> None:
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = lab.request("GET", "/apis", headers={"Accept": aggregated})
    assert answer.headers["content-type"] == aggregated
    for item in answer.json["items"]:
        for version in item["versions"]:
            path = f"/apis/{item['metadata']['name']}/{version['version']}"
            plain = {entry["name"]: entry for entry in lab.request("GET", path).json["resources"]}
            for entry in version["resources"]:
                assert plain[entry["resource"]]["kind"] == entry["responseKind"]["kind"]
                assert plain[entry["resource"]]["verbs"] == entry["verbs"]
                for below in entry.get("subresources", []):
                    assert f"{entry['resource']}/{below['subresource']}" in plain
    again = lab.request("GET", "/apis", headers={"Accept": aggregated, "If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert lab.request("GET", "/apis").json["kind"] == "APIGroupList"


def test_explain(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "pod.spec", "--recursive").stdout
    assert "KIND:       Pod" in shown
    assert "terminationGracePeriodSeconds\t<integer>" in shown
    assert "matchExpressions\t<[]NodeSelectorRequirement>" in shown
    shown = kubectl("explain", "deployments.spec.strategy.rollingUpdate.maxSurge").stdout
    assert "FIELD: maxSurge <IntOrString>" in shown


def test_every_kind_can_be_explained(kubectl: Kubectl) -> None:
    for name in kubectl("api-resources", "-o", "name", "--verbs=create").stdout.split():
        shown = kubectl("explain", name.partition(".")[0]).stdout
        assert "FIELDS:" in shown, name
        assert "apiVersion\t<string>" in shown, name


def test_identity(kubectl: Kubectl) -> None:
    found = json.loads(kubectl("auth", "whoami", "-o", "json").stdout)["status"]["userInfo"]
    assert found == {"username": "kubernetes-admin", "groups": ["system:masters", "system:authenticated"]}


def test_what_the_administrator_may(kubectl: Kubectl) -> None:
    lines = kubectl("auth", "can-i", "--list").stdout.splitlines()
    assert lines[0].split() == ["Resources", "Non-Resource", "URLs", "Resource", "Names", "Verbs"]
    assert lines[1].split() == ["*.*", "[]", "[]", "[*]"]
    assert kubectl("auth", "can-i", "delete", "nodes").stdout == "yes\n"


def test_what_nobody_in_particular_may(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "list", "pods", "--as=eve", code=1).stdout == "no\n"
    listed = kubectl("auth", "can-i", "--list", "--as=eve").stdout
    assert "selfsubjectaccessreviews.authorization.k8s.io" in listed
    assert "[/healthz]" in listed
    assert "pods" not in listed


def test_raw_paths(kubectl: Kubectl) -> None:
    assert kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert kubectl("get", "--raw", "/livez?verbose").stdout.endswith("livez check passed\n")
    assert kubectl("get", "--raw", "/healthz/ping").stdout == "ok"
    assert "/apis/apps/v1" in json.loads(kubectl("get", "--raw", "/").stdout)["paths"]
    assert "apiserver_request_total" in kubectl("get", "--raw", "/metrics").stdout
    assert json.loads(kubectl("get", "--raw", "/openid/v1/jwks").stdout)["keys"][0]["alg"] == "RS256"


def test_strict_validation_and_typed_clients(kubectl: Kubectl) -> None:
    """`create configmap` sends protobuf; `create --validate=strict` asks the schema for `fieldValidation`."""
    kubectl("create", "configmap", "typed", "--from-literal=a=b")
    assert json.loads(kubectl("get", "configmap", "typed", "-o", "json").stdout)["data"] == {"a": "b"}
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: strict}\ndatas: {a: b}\n"
    refused = kubectl("create", "--validate=strict", "-f", "-", stdin=manifest, code=1)
    assert 'unknown field "datas"' in refused.stderr
    kubectl("create", "--validate=strict", "-f", "-", stdin=manifest.replace("datas", "data"))
    assert (
        kubectl("apply", "-f", "-", stdin=manifest.replace("datas", "data")).stdout == "configmap/strict configured\n"
    )
    assert kubectl("diff", "-f", "-", stdin=manifest.replace("datas", "data")).stdout == ""
