"""The table of kinds against what kubectl takes, and against the other list of cluster-scoped kinds there is."""

from __future__ import annotations

import pytest

from k8sdiag.evidence import CLUSTER_SCOPED
from k8sdiag.kinds import KINDS, parse_kind, served_by


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("po", "Pod"), ("pod", "Pod"), ("PODS", "Pod"), ("deploy", "Deployment"), ("deployments.apps", "Deployment"),
        ("Deployment.v1.apps", "Deployment"), ("rs", "ReplicaSet"), ("sts", "StatefulSet"), ("ds", "DaemonSet"),
        ("job", "Job"), ("cj", "CronJob"), ("svc", "Service"), ("pvc", "PersistentVolumeClaim"), ("no", "Node"),
        ("pv", "PersistentVolume"), ("cm", "ConfigMap"), ("sa", "ServiceAccount"), ("hpa", "HorizontalPodAutoscaler"),
        ("ns", "Namespace"), ("sc", "StorageClass"), ("pdb", "PodDisruptionBudget"), ("ing", "Ingress"),
        ("netpol", "NetworkPolicy"), ("networkpolicies", "NetworkPolicy"), ("quota", "ResourceQuota"),
        ("limits", "LimitRange"), ("ep", "Endpoints"), ("endpoints", "Endpoints"), ("ev", "Event"),
        ("rc", "ReplicationController"),
        ("pc", "PriorityClass"), ("crd", "CustomResourceDefinition"), ("secrets", "Secret"), (" pod ", "Pod"),
    ],
)  # fmt: skip
def test_kubectls_words(word: str, kind: str) -> None:
    found = parse_kind(word)
    assert found is not None
    assert found.kind == kind


@pytest.mark.parametrize("word", ["", "gadget", "pods.apps", "deployments.extensions", "."])
def test_words_that_name_nothing(word: str) -> None:
    assert parse_kind(word) is None


def test_no_word_means_two_kinds() -> None:
    words = [word for kind in KINDS.values() for word in {kind.kind.lower(), kind.plural, *kind.short}]
    assert len(words) == len(set(words))


def test_scope_agrees_with_the_evidence() -> None:
    unlike = {name for name, kind in KINDS.items() if kind.namespaced == (name in CLUSTER_SCOPED)}
    assert unlike == {"CertificateSigningRequest"}, "evidence.py never meets one"


def test_paths() -> None:
    assert KINDS["Pod"].path() == "/api/v1/pods"
    assert KINDS["Pod"].path("shop", "web") == "/api/v1/namespaces/shop/pods/web"
    assert KINDS["Deployment"].path("shop") == "/apis/apps/v1/namespaces/shop/deployments"
    assert KINDS["Node"].path("shop", "node1") == "/api/v1/nodes/node1"
    assert KINDS["Pod"].path("a/b", "../x?y") == "/api/v1/namespaces/a%2Fb/pods/..%2Fx%3Fy"


def test_a_reference_is_known_by_its_group() -> None:
    assert served_by("Deployment", "apps/v1beta2") is KINDS["Deployment"]
    assert served_by("Pod", "v1") is KINDS["Pod"]
    assert served_by("Deployment", "example.com/v1") is None
    assert served_by("Rollout", "argoproj.io/v1alpha1") is None
