"""The real kubectl against pods on simulated nodes."""

from __future__ import annotations

from base64 import b64decode

import pytest

from tests.minicluster.conftest import Kubectl

pytestmark = pytest.mark.slow


def test_a_pod_runs_and_answers(kubectl: Kubectl) -> None:
    kubectl("run", "web", "--image=nginx", "--port=80", "--env=COLOUR=blue")
    kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=20s")
    assert "Configuration complete; ready for start up" in kubectl("logs", "web").stdout
    assert kubectl("exec", "web", "--", "sh", "-c", "echo $COLOUR").stdout == "blue\n"
    assert kubectl("exec", "-i", "web", "--", "cat", stdin="hello").stdout == "hello"
    failed = kubectl("exec", "web", "--", "sh", "-c", "exit 7", code=None)
    assert failed.returncode == 7
    assert "command terminated with exit code 7" in failed.stderr
    unknown = kubectl("exec", "web", "--", "frobnicate", code=None)
    assert unknown.returncode != 0
    assert "executable file not found in $PATH" in unknown.stderr
    wide = kubectl("get", "pod", "web", "-o", "wide", "--no-headers").stdout.split()
    assert wide[:3] == ["web", "1/1", "Running"]
    assert wide[5].startswith("10.244.0.")
    assert wide[6] == "node1"
    kubectl("delete", "pod", "web", "--timeout=20s")


def test_the_authority_is_in_every_namespace(kubectl: Kubectl) -> None:
    kubectl("wait", "--for=create", "configmap/kube-root-ca.crt", "--timeout=10s")
    said = kubectl("get", "configmap", "kube-root-ca.crt", "-o", r"jsonpath={.data.ca\.crt}").stdout
    assert said.startswith("-----BEGIN CERTIFICATE-----")


def test_a_secret_for_a_token_gets_one(kubectl: Kubectl) -> None:
    manifest = """
apiVersion: v1
kind: Secret
metadata: {name: robot, annotations: {kubernetes.io/service-account.name: default}}
type: kubernetes.io/service-account-token
"""
    kubectl("apply", "-f", "-", stdin=manifest)
    kubectl("wait", "--for=jsonpath={.data.token}", "secret/robot", "--timeout=10s")
    encoded = kubectl("get", "secret", "robot", "-o", "jsonpath={.data.token}").stdout
    token = b64decode(encoded).decode()
    who = kubectl("--token", token, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}").stdout
    assert who == "system:serviceaccount:default:default"


def test_a_job_completes(kubectl: Kubectl) -> None:
    kubectl("create", "job", "hello", "--image=busybox", "--", "sh", "-c", "echo hello; sleep 1")
    kubectl("wait", "--for=condition=Complete", "job/hello", "--timeout=20s")
    assert kubectl("logs", "job/hello").stdout == "hello\n"


def test_a_node_is_cordoned_and_drained(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "shop", "--image=nginx", "--replicas=2")
    kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
    assert "evicting pod" in kubectl("drain", "node1", "--ignore-daemonsets", "--timeout=30s").stdout
    assert "node1   Ready,SchedulingDisabled" in kubectl("get", "nodes").stdout
    kubectl("uncordon", "node1")
    kubectl("rollout", "status", "deployment/shop", "--timeout=20s")
    kubectl("delete", "deployment", "shop")


def test_a_namespace_goes_with_all_in_it(kubectl: Kubectl) -> None:
    kubectl("create", "namespace", "temporary")
    kubectl("-n", "temporary", "create", "deployment", "web", "--image=nginx")
    kubectl("-n", "temporary", "expose", "deployment", "web", "--port=80")
    kubectl("-n", "temporary", "rollout", "status", "deployment/web", "--timeout=20s")
    kubectl("delete", "namespace", "temporary", "--timeout=30s")
    assert "NotFound" in kubectl("get", "namespace", "temporary", code=1).stderr
