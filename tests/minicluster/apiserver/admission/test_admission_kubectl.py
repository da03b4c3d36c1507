"""What a user of the real kubectl sees of admission and subresources."""

from __future__ import annotations

import json
import time

import pytest

from k8sdiag.evidence import Json
from tests.minicluster.apiserver.admission.hook_server import Hook
from tests.minicluster.conftest import Kubectl, Lab

pytestmark = pytest.mark.slow

ENFORCE = "pod-security.kubernetes.io/enforce"


@pytest.fixture(scope="module")
def made() -> list[str]:
    """The namespaces this module has made, for names to stay apart."""
    return []


@pytest.fixture
def namespace(kubectl: Kubectl, made: list[str]) -> str:
    name = f"n{len(made)}"
    made.append(name)
    kubectl("create", "namespace", name)
    until(lambda: kubectl("-n", name, "get", "serviceaccount", "default", code=None).returncode == 0)
    return name


def until(done, seconds: float = 10.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_pod_security(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "run", "old", "--image=nginx")
    said = kubectl("label", "namespace", namespace, f"{ENFORCE}=restricted").stderr
    assert said.splitlines() == [
        (
            f'Warning: existing pods in namespace "{namespace}" violate the new PodSecurity enforce level'
            ' "restricted:latest"'
        ),
        (
            "Warning: old: allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true,"
            " seccompProfile"
        ),
    ]
    said = kubectl("-n", namespace, "run", "new", "--image=nginx", code=1).stderr
    assert said.startswith(
        'Error from server (Forbidden): pods "new" is forbidden: violates PodSecurity "restricted:latest":'
        ' allowPrivilegeEscalation != false (container "new" must set'
    )
    said = kubectl("-n", namespace, "create", "deployment", "web", "--image=nginx").stderr
    assert said.startswith('Warning: would violate PodSecurity "restricted:latest": allowPrivilegeEscalation != false')
    until(lambda: "FailedCreate" in kubectl("-n", namespace, "get", "events").stdout)
    assert 'violates PodSecurity "restricted:latest"' in kubectl("-n", namespace, "get", "events").stdout


def test_quota(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "create", "quota", "small", "--hard=pods=1,configmaps=10")
    until(lambda: "0/1" in kubectl("-n", namespace, "get", "quota", "small").stdout)
    kubectl("-n", namespace, "run", "a", "--image=nginx")
    said = kubectl("-n", namespace, "run", "b", "--image=nginx", code=1).stderr
    assert said == (
        'Error from server (Forbidden): pods "b" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1,'
        " limited: pods=1\n"
    )
    kubectl("-n", namespace, "delete", "pod", "a", "--now")
    until(lambda: kubectl("-n", namespace, "run", "c", "--image=nginx", code=None).returncode == 0)


def test_scale_expose_and_token(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "create", "deployment", "web", "--image=nginx")
    assert kubectl("-n", namespace, "scale", "deployment/web", "--replicas=3").stdout == "deployment.apps/web scaled\n"
    kubectl("-n", namespace, "expose", "deployment/web", "--port=80", "--type=NodePort")
    service = json.loads(kubectl("-n", namespace, "get", "service", "web", "-o", "json").stdout)
    assert 30000 <= service["spec"]["ports"][0]["nodePort"] <= 32767
    token = kubectl("-n", namespace, "create", "token", "default").stdout.strip()
    assert token.count(".") == 2
    who = kubectl("--token", token, "auth", "whoami", "-o", "json").stdout
    assert json.loads(who)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"


def test_drain_asks_the_budget(kubectl: Kubectl, namespace: str) -> None:
    kubectl("-n", namespace, "create", "deployment", "web", "--image=nginx", "--replicas=2")
    kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("-n", namespace, "create", "pdb", "web", "--selector=app=web", "--min-available=2")
    until(lambda: " 0 " in kubectl("-n", namespace, "get", "pdb", "web").stdout)
    node = kubectl("get", "nodes", "-o", "name").stdout.splitlines()[0].partition("/")[2]
    try:
        said = kubectl(
            "drain", node, "--pod-selector=app=web", "--ignore-daemonsets", "--force", "--timeout=2s", code=1
        ).stderr
        assert "Cannot evict pod as it would violate the pod's disruption budget." in said
        kubectl("-n", namespace, "delete", "pdb", "web")
        kubectl("drain", node, "--pod-selector=app=web", "--ignore-daemonsets", "--force", "--timeout=60s")
    finally:
        kubectl("uncordon", node)


def test_a_webhook_over_http_has_a_say_in_what_is_written_and_run(kubectl: Kubectl, namespace: str, hook: Hook) -> None:
    kubectl("-n", namespace, "run", "web", "--image=nginx")
    kubectl("-n", namespace, "wait", "pod/web", "--for=condition=Ready", "--timeout=20s")
    hook.judges["/judge"] = lambda _: {
        "allowed": False,
        "status": {"message": "not here"},
        "warnings": ["mind the gap"],
    }
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps", "pods/exec"], "operations": ["*"]}
    webhook = {
        "name": "judge.example.com",
        "clientConfig": {"url": hook.url("/judge"), "caBundle": hook.bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    configuration = {**kind, "metadata": {"name": namespace}, "webhooks": [webhook]}
    kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
    said = kubectl("-n", namespace, "create", "configmap", "a", code=1).stderr
    assert said.splitlines() == [
        "Warning: mind the gap",
        'error: failed to create configmap: admission webhook "judge.example.com" denied the request: not here',
    ]
    said = kubectl("-n", namespace, "exec", "web", "--", "ls", "-l", code=None).stderr
    assert 'admission webhook "judge.example.com" denied the request: not here' in said
    asked = hook.asked[-1][1]
    assert (asked["operation"], asked["subResource"]) == ("CONNECT", "exec")
    assert asked["object"]["command"] == ["ls", "-l"]
    hook.server.shutdown()
    hook.server.server_close()
    said = kubectl("-n", namespace, "create", "configmap", "a", code=1).stderr
    assert said == (
        'error: failed to create configmap: Internal error occurred: failed calling webhook "judge.example.com":'
        f' failed to call webhook: Post "https://127.0.0.1:{hook.port}/judge?timeout=10s":'
        f" dial tcp 127.0.0.1:{hook.port}: connect: connection refused\n"
    )
    kubectl("delete", "validatingwebhookconfiguration", namespace)


def test_a_webhook_a_controller_waits_for_stops_nobody(lab: Lab, kubectl: Kubectl, namespace: str, hook: Hook) -> None:
    """It may even ask the API server something before it answers."""
    asked: list[float] = []

    def judge(_: Json) -> Json:
        begin = time.monotonic()
        assert lab.request("GET", f"/api/v1/namespaces/{namespace}/pods").status == 200
        asked.append(time.monotonic() - begin)
        time.sleep(1.0)
        return {"allowed": True}

    hook.judges["/judge"] = judge
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    webhook = {
        "name": "slow.example.com",
        "clientConfig": {"url": hook.url("/judge"), "caBundle": hook.bundle},
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    configuration = {**kind, "metadata": {"name": namespace}, "webhooks": [webhook]}
    kubectl("apply", "-f", "-", stdin=json.dumps(configuration))
    kubectl("-n", namespace, "create", "deployment", "web", "--image=nginx", "--replicas=2")
    longest = 0.0
    while len(asked) < 2:
        begin = time.monotonic()
        assert lab.request("GET", "/readyz").status == 200
        longest = max(longest, time.monotonic() - begin)
    kubectl("delete", "validatingwebhookconfiguration", namespace)
    kubectl("-n", namespace, "rollout", "status", "deployment/web", "--timeout=20s")
    assert longest < 0.8
    assert max(asked) < 0.8
    events = kubectl("-n", namespace, "get", "events").stdout
    assert "FailedCreate" not in events
