"""Commands that an object does not allow become those that do the same by making it anew, or go."""

from __future__ import annotations

import pytest

from k8sdiag.pasted import JOB_IDENTITY, RISKS, as_accepted, risk_of

PATCH = """kubectl -n shop patch {} --type=merge -p '{{"spec":{{"template":{{"spec":{{"x":1}}}}}}}}'"""
DEEPER = (
    "kubectl -n shop patch cronjob/etl --type=merge -p "
    """'{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"x":1}}}}}}'"""
)
STRATEGY = """kubectl -n shop patch {} -p '{{"spec":{{"strategy":{{"type":"Recreate"}}}}}}'"""
POD = [
    "kubectl get pod web -n shop -o yaml > web.yaml",
    "${EDITOR:-vi} web.yaml && kubectl replace --force -f web.yaml",
]
JOB = [
    f"kubectl get job etl -n shop -o json | jq '{JOB_IDENTITY}' > etl.json",
    "${EDITOR:-vi} etl.json && kubectl replace --force -f etl.json",
]


@pytest.mark.parametrize(
    ("command", "accepted"),
    [
        ("kubectl -n shop edit pod/web", POD),
        ("kubectl -n shop set env pod/web -c app A=B", POD),
        (PATCH.format("pod/web"), POD),
        (STRATEGY.format("pod/web"), []),
        ("kubectl -n shop scale pod/web --replicas=1", []),
        ("kubectl -n shop rollout undo pod/web", []),
        (
            "kubectl -n shop rollout restart pod/web",
            ["kubectl get pod web -n shop -o yaml | kubectl replace --force -f -"],
        ),
        ("kubectl -n shop edit pod/web    # see", [POD[0], f"{POD[1]}    # see"]),
        ("kubectl -n shop edit job/etl", JOB),
        ("kubectl -n shop set resources job/etl --requests=cpu=1", JOB),
        (PATCH.format("job/etl"), JOB),
        ("kubectl -n shop rollout undo job/etl", []),
        (
            "kubectl -n shop rollout restart job/etl",
            [f"kubectl get job etl -n shop -o json | jq '{JOB_IDENTITY}' | kubectl replace --force -f -"],
        ),
        (
            "kubectl -n shop rollout restart cronjob/etl",
            ["kubectl create job etl-again -n shop --from=cronjob/etl"],
        ),
        (PATCH.format("cronjob/etl"), [DEEPER]),
        ("kubectl -n shop rollout undo cronjob/etl", []),
        ("kubectl -n shop rollout restart replicaset/web", []),
        ("kubectl -n shop scale daemonset/web --replicas=1", []),
        (STRATEGY.format("statefulset/db"), []),
    ],
)
def test_what_is_immutable_is_made_anew(command: str, accepted: list[str]) -> None:
    assert as_accepted(command) == accepted


@pytest.mark.parametrize(
    "command",
    [
        "kubectl -n shop set image pod/web app=web:2",
        "kubectl -n shop set env pod/web --list",
        "kubectl -n shop edit deployment/web",
        "kubectl -n shop edit cronjob/etl",
        "kubectl -n shop rollout restart statefulset/db",
        PATCH.format("deployment/web"),
        STRATEGY.format("deployment/web"),
        'kubectl -n shop patch pod/web -p \'{"metadata":{"finalizers":null}}\'',
        'kubectl -n shop patch job/etl -p \'{"spec":{"suspend":false}}\'',
        "kubectl -n shop get pod/web",
        "systemctl restart kubelet",
    ],
)
def test_what_is_allowed_stays(command: str) -> None:
    assert as_accepted(command) == [command]
    assert risk_of(command) == ""


def test_the_risk_is_told() -> None:
    assert risk_of("kubectl -n shop edit pod/web") == RISKS["pod"]
    assert risk_of("kubectl -n shop set env job/etl A=B") == RISKS["job"]
    assert risk_of("kubectl -n shop rollout undo pod/web") == ""
