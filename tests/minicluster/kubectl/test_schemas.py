"""What there is and what it is made of: `api-resources`, `api-versions`, `explain`."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl, Lab
from tests.minicluster.kubectl.shows import shows


@shows("kubectl api-resources", "kubectl api-resources -o wide|name", "kubectl api-resources --api-group=GROUP")
def test_resources(kubectl: Kubectl) -> None:
    shown = kubectl("api-resources", "--api-group=apps").stdout
    assert shown == (
        "NAME                  SHORTNAMES   APIVERSION   NAMESPACED   KIND\n"
        "controllerrevisions                apps/v1      true         ControllerRevision\n"
        "daemonsets            ds           apps/v1      true         DaemonSet\n"
        "deployments           deploy       apps/v1      true         Deployment\n"
        "replicasets           rs           apps/v1      true         ReplicaSet\n"
        "statefulsets          sts          apps/v1      true         StatefulSet\n"
    )
    wide = kubectl("api-resources", "-o", "wide", "--no-headers", "--categories=all").stdout.splitlines()
    assert [line.split()[0] for line in wide] == [
        *("pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets", "statefulsets"),
        *("horizontalpodautoscalers", "cronjobs", "jobs"),
    ]
    fixed = kubectl("api-resources", "--namespaced=false", "-o", "name", "--sort-by=name").stdout.split()
    assert fixed == sorted(fixed)
    assert {"nodes", "namespaces", "persistentvolumes", "storageclasses.storage.k8s.io"} <= set(fixed)
    gets = kubectl("api-resources", "--verbs=create", "-o", "name").stdout.split()
    assert "componentstatuses" not in gets


@shows("kubectl api-versions")
def test_versions(kubectl: Kubectl) -> None:
    versions = [line for line in kubectl("api-versions").stdout.split() if "example.com" not in line]
    assert versions == [
        *("admissionregistration.k8s.io/v1", "apiextensions.k8s.io/v1", "apiregistration.k8s.io/v1", "apps/v1"),
        *("authentication.k8s.io/v1", "authorization.k8s.io/v1", "autoscaling/v1", "autoscaling/v2", "batch/v1"),
        *("certificates.k8s.io/v1", "coordination.k8s.io/v1", "discovery.k8s.io/v1", "events.k8s.io/v1"),
        *("flowcontrol.apiserver.k8s.io/v1", "metrics.k8s.io/v1beta1", "networking.k8s.io/v1", "node.k8s.io/v1"),
        *("policy/v1", "rbac.authorization.k8s.io/v1", "scheduling.k8s.io/v1", "storage.k8s.io/v1", "v1"),
    ]


@shows("kubectl explain KIND", "kubectl explain KIND.FIELD", "kubectl explain KIND --recursive")
def test_explain(kubectl: Kubectl) -> None:
    shown = kubectl("explain", "pods").stdout
    assert shown.startswith("KIND:       Pod\nVERSION:    v1\n\nDESCRIPTION:\n")
    assert "\nFIELDS:\n  apiVersion\t<string>\n" in shown
    part = kubectl("explain", "deployment.spec.strategy.rollingUpdate").stdout
    assert part.startswith("GROUP:      apps\nKIND:       Deployment\nVERSION:    v1\n\n")
    assert "FIELD: rollingUpdate <RollingUpdateDeployment>\n" in part
    assert "  maxSurge\t<IntOrString>\n" in part
    whole = kubectl("explain", "pod", "--recursive").stdout
    assert "          matchExpressions\t<[]NodeSelectorRequirement>" in whole
    assert len(whole.splitlines()) > 800
    older = kubectl("explain", "hpa", "--api-version=autoscaling/v1").stdout
    assert "VERSION:    v1\n" in older
    wrong = kubectl("explain", "pods.spec.nothing", code=1)
    assert wrong.stderr == 'error: field "nothing" does not exist\n'


@shows("kubectl explain KIND --recursive")
def test_every_kind_is_explained_down_to_the_ground(kubectl: Kubectl) -> None:
    for word in ("deployments", "hpa", "crd", "ingresses", "networkpolicies", "pv", "validatingwebhookconfigurations"):
        lines = kubectl("explain", word, "--recursive").stdout.splitlines()
        fields = [line for line in lines[lines.index("FIELDS:") + 1 :] if line.strip()]
        assert len(fields) > 30, word
        assert all("<" in line or "enum:" in line for line in fields), word


@shows("kubectl get --raw PATH")
def test_openapi_of_a_group(lab: Lab, kubectl: Kubectl) -> None:
    paths = json.loads(kubectl("get", "--raw", "/openapi/v3").stdout)["paths"]
    found = json.loads(kubectl("get", "--raw", paths["apis/apps/v1"]["serverRelativeURL"]).stdout)
    assert "io.k8s.api.apps.v1.Deployment" in found["components"]["schemas"]
