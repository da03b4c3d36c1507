"""What the real kubectl prints when the server refuses: the words that people paste into search engines."""

# ruff: noqa: E501 - what the server says stays whole, a message a line
from __future__ import annotations

import pytest

from tests.minicluster.conftest import Kubectl

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: refused, namespace: default}
spec:
  selector: {matchLabels: {app: refused}}
  template:
    metadata: {labels: {app: refused}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
"""
SET = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: refused, namespace: default}
spec:
  serviceName: refused
  selector: {matchLabels: {app: refused}}
  template:
    metadata: {labels: {app: refused}}
    spec: {containers: [{name: web, image: "nginx:1"}]}
"""


@pytest.mark.parametrize(
    ("before", "after", "printed"),
    [
        (
            "matchLabels: {app: refused}",
            "matchLabels: {app: other}",
            (
                'The Deployment "refused" is invalid: spec.template.metadata.labels: Invalid value: {"app":"refused"}: '
                "`selector` does not match template `labels`\n"
            ),
        ),
        (
            "name: web, ",
            "name: Web, ports: [{containerPort: 70000}], ",
            (
                'The Deployment "refused" is invalid: \n'
                '* spec.template.spec.containers[0].name: Invalid value: "Web": a lowercase RFC 1123 label must consist of '
                "lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. "
                "'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')\n"
                "* spec.template.spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and "
                "65535, inclusive\n"
            ),
        ),
        (
            "spec:\n",
            "spec:\n  replicas: -1\n",
            (
                'The Deployment "refused" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to '
                "0\n"
            ),
        ),
    ],
)
def test_create(kubectl: Kubectl, before: str, after: str, printed: str) -> None:
    answer = kubectl("apply", "-f", "-", stdin=DEPLOYMENT.replace(before, after, 1), code=1)
    assert answer.stderr == printed


def test_what_may_not_change(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", stdin=SET)
    answer = kubectl("apply", "-f", "-", stdin=SET.replace("serviceName: refused", "serviceName: other"), code=1)
    assert answer.stderr == (
        'The StatefulSet "refused" is invalid: spec: Forbidden: updates to statefulset spec for fields other than '
        "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', "
        "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden\n"
    )
    kubectl("run", "fixed", "--image=nginx:1")
    answer = kubectl("patch", "pod", "fixed", "-p", '{"spec":{"hostname":"x"}}', code=1)
    assert answer.stderr.startswith(
        'The Pod "fixed" is invalid: spec: Forbidden: pod updates may not change fields other than '
        "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
        "(only additions to existing tolerations),"
    )
    kubectl("set", "image", "pod/fixed", "fixed=nginx:2")


def test_amounts_are_kept_in_one_spelling(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "spelled", "--hard=requests.cpu=2000m,requests.memory=1024Mi")
    path = "jsonpath={.spec.hard}"
    assert kubectl("get", "quota", "spelled", "-o", path).stdout == '{"requests.cpu":"2","requests.memory":"1Gi"}'
    answer = kubectl("create", "quota", "wrong", "--hard=gpus=1", code=1)
    assert answer.stderr == (
        'error: failed to create quota: ResourceQuota "wrong" is invalid: [spec.hard[gpus]: Invalid value: "gpus": '
        'must be a standard resource type or fully qualified, spec.hard[gpus]: Invalid value: "gpus": must be a '
        "standard resource for quota]\n"
    )
    kubectl("delete", "quota", "spelled")
