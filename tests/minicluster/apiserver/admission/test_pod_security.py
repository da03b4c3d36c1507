"""Pod Security Standards: the violations word for word, warnings, versions, and labels that are none."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.evidence import Json
from k8sdiag.minicluster.apiserver.admission.pod_security_checks import LATEST
from k8sdiag.minicluster.apiserver.admission.pod_security_restricted import violations
from k8sdiag.minicluster.apiserver.errors import ApiError
from k8sdiag.minicluster.apiserver.request import ADMIN, Request
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster

PREFIX = "pod-security.kubernetes.io/"
GOOD: Json = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
# pend-psa of the recorded incidents: a privileged container called app.
RECORDED = (
    'violates PodSecurity "restricted:latest": privileged (container "app" must not set '
    'securityContext.privileged=true), allowPrivilegeEscalation != false (container "app" must set '
    'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must set '
    'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must set '
    'securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set '
    'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)


def spec(security: Json | None = None, **more: Any) -> Json:
    container: Json = {"name": "app", "image": "nginx"}
    if security is not None:
        container["securityContext"] = security
    return {"containers": [container], **more}


def pod(name: str, pod_spec: Json, namespace: str = "safe") -> Json:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": pod_spec}


def namespace(client: Client, **labels: str) -> None:
    named = {f"{PREFIX}{key.replace('_', '-')}": value for key, value in labels.items()}
    client.create("namespaces", {"metadata": {"name": "safe", "labels": named}})
    client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": "safe"}})


def warnings(cluster: MiniCluster, verb: str, resource: str, obj: Json, name: str = "") -> list[str]:
    kind = cluster.registry.named(resource)
    body = {"kind": kind.kind, "apiVersion": kind.api_version, **obj}
    where = "safe" if kind.namespaced else ""
    request = Request(verb, kind, ADMIN, where, name, body=body)
    return cluster.handlers.handle(request).warnings


def test_the_recorded_refusal(client: Client) -> None:
    namespace(client, enforce="restricted")
    with pytest.raises(ApiError) as caught:
        client.create("pods", pod("app-6d-x", spec({"privileged": True, "allowPrivilegeEscalation": True})))
    assert caught.value.message == f'pods "app-6d-x" is forbidden: {RECORDED}'
    client.create("pods", pod("good", spec(GOOD)))


def test_workloads_are_let_in_with_a_warning(cluster: MiniCluster, client: Client) -> None:
    namespace(client, enforce="restricted")
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": spec({"privileged": True})}
    deployment = {
        "metadata": {"name": "web", "namespace": "safe"},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
    found = warnings(cluster, "create", "deployments", deployment)
    assert len(found) == 1
    assert found[0].startswith('would violate PodSecurity "restricted:latest": privileged (container "app" must not')


def test_warn_alone_refuses_nothing(cluster: MiniCluster, client: Client) -> None:
    namespace(client, warn="baseline", warn_version="v1.33")
    found = warnings(cluster, "create", "pods", pod("web", spec(hostNetwork=True)))
    assert found == ['would violate PodSecurity "baseline:v1.33": host namespaces (hostNetwork=true)']


def test_a_stricter_label_warns_of_what_is_there(cluster: MiniCluster, client: Client) -> None:
    namespace(client)
    for name in ("b", "a", "c"):
        client.create("pods", pod(name, spec(GOOD, hostPID=True)))
    client.create("pods", pod("d", spec({**GOOD, "privileged": True, "allowPrivilegeEscalation": True})))
    stored = client.get("namespaces", "", "safe")
    meta = {**stored["metadata"], "labels": {**stored["metadata"]["labels"], f"{PREFIX}enforce": "restricted"}}
    assert warnings(cluster, "update", "namespaces", {**stored, "metadata": meta}, "safe") == [
        'existing pods in namespace "safe" violate the new PodSecurity enforce level "restricted:latest"',
        "a (and 2 other pods): host namespaces",
        "d: privileged, allowPrivilegeEscalation != false",
    ]


def test_a_level_that_is_none(client: Client) -> None:
    with pytest.raises(ApiError) as caught:
        namespace(client, enforce="strict")
    assert caught.value.code == 422
    assert "must be one of privileged, baseline, restricted" in caught.value.message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (spec(hostNetwork=True, hostIPC=True), "host namespaces (hostNetwork=true, hostIPC=true)"),
        (
            spec(volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "hostPath": {"path": "/"}}]),
            'hostPath volumes (volumes "a", "b")',
        ),
        (
            {"containers": [{"name": "app", "ports": [{"hostPort": 80}, {"hostPort": 443}]}]},
            'hostPort (container "app" uses hostPorts 443, 80)',
        ),
        (
            spec({"capabilities": {"add": ["SYS_ADMIN", "CHOWN"]}}),
            (
                'non-default capabilities (container "app" must not include "SYS_ADMIN" in'
                " securityContext.capabilities.add)"
            ),
        ),
        (
            spec({"procMount": "Unmasked"}),
            'procMount (container "app" must not set securityContext.procMount to "Unmasked")',
        ),
        (
            spec({"seLinuxOptions": {"type": "spc_t", "user": "root"}}),
            (
                'seLinuxOptions (container "app" set forbidden securityContext.seLinuxOptions: type "spc_t"; '
                "user may not be set)"
            ),
        ),
        (
            spec(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            spec({"seccompProfile": {"type": "Unconfined"}}),
            'seccompProfile (container "app" must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            spec({"appArmorProfile": {"type": "Unconfined"}}),
            'forbidden AppArmor profile (container "app" must not set AppArmor profile type to "Unconfined")',
        ),
        (
            spec({"windowsOptions": {"hostProcess": True}}),
            'hostProcess (container "app" must not set securityContext.windowsOptions.hostProcess=true)',
        ),
        (spec(GOOD), ""),
    ],
)
def test_baseline(given: Json, said: str) -> None:
    assert ", ".join(map(str, violations("baseline", LATEST, {}, given))) == said
    assert violations("privileged", LATEST, {}, given) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            spec(
                {**GOOD, "runAsUser": 0}, volumes=[{"name": "a", "hostPath": {"path": "/"}}, {"name": "b", "nfs": {}}]
            ),
            (
                'restricted volume types (volumes "a", "b" use restricted volume types "hostPath", "nfs"), '
                'runAsUser=0 (container "app" must not set runAsUser=0)'
            ),
        ),
        (
            spec({**GOOD, "runAsNonRoot": False}),
            'runAsNonRoot != true (container "app" must not set securityContext.runAsNonRoot=false)',
        ),
        (
            spec({**GOOD, "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE", "CHOWN"]}}),
            'unrestricted capabilities (container "app" must not include "CHOWN" in securityContext.capabilities.add)',
        ),
        (
            spec(
                {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            ),
            "",
        ),
    ],
)
def test_restricted(given: Json, said: str) -> None:
    assert ", ".join(map(str, violations("restricted", LATEST, {}, given))) == said


def test_old_versions_of_the_standard_know_less() -> None:
    given = spec({"runAsNonRoot": True, "allowPrivilegeEscalation": False})
    assert violations("restricted", 18, {}, given) == []
    assert [found.reason for found in violations("restricted", 22, {}, given)] == [
        "unrestricted capabilities",
        "seccompProfile",
    ]
