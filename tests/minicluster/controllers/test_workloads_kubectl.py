"""The real kubectl drives rollouts, scaling and jobs of a running lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.minicluster.conftest import Kubectl

pytestmark = pytest.mark.slow

STATEFUL = """
apiVersion: {version}
kind: {kind}
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{{name: app, image: "nginx:1.27"}}]
"""


def read(kubectl: Kubectl, *args: str) -> Any:
    return json.loads(kubectl("get", *args, "-o", "json").stdout)


def test_a_deployment_is_rolled_out_and_back(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    done = kubectl("rollout", "status", "deployment/web", "--timeout=30s").stdout
    assert done.endswith('deployment "web" successfully rolled out\n')
    kubectl("set", "image", "deployment/web", "nginx=nginx:1.28")
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    history = kubectl("rollout", "history", "deployment/web").stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    undone = kubectl("rollout", "undo", "deployment/web").stdout
    assert undone == "deployment.apps/web rolled back\n"
    kubectl("rollout", "status", "deployment/web", "--timeout=40s")
    history = kubectl("rollout", "history", "deployment/web").stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]
    assert read(kubectl, "deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
    described = kubectl("describe", "deployment", "web").stdout
    assert "NewReplicaSet:" in described
    assert "Normal  ScalingReplicaSet" in described
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")


def test_a_paused_deployment_waits(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "held", "--image=nginx:1.27")
    kubectl("rollout", "status", "deployment/held", "--timeout=30s")
    kubectl("rollout", "pause", "deployment/held")
    kubectl("set", "image", "deployment/held", "nginx=nginx:1.28")
    assert len(read(kubectl, "rs", "-l", "app=held")["items"]) == 1
    kubectl("rollout", "resume", "deployment/held")
    kubectl("rollout", "status", "deployment/held", "--timeout=40s")
    assert len(read(kubectl, "rs", "-l", "app=held")["items"]) == 2
    kubectl("rollout", "restart", "deployment/held")
    kubectl("rollout", "status", "deployment/held", "--timeout=40s")
    assert len(read(kubectl, "rs", "-l", "app=held")["items"]) == 3


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_sets_are_rolled_out_and_back(kubectl: Kubectl, kind: str) -> None:
    name = f"a-{kind.lower()}"
    subject = f"{kind.lower()}/{name}"
    kubectl("apply", "-f", "-", stdin=STATEFUL.format(version="apps/v1", kind=kind, name=name))
    kubectl("rollout", "status", subject, "--timeout=30s")
    kubectl("set", "image", subject, "app=nginx:1.28")
    kubectl("rollout", "status", subject, "--timeout=40s")
    history = kubectl("rollout", "history", subject).stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    kubectl("rollout", "undo", subject)
    kubectl("rollout", "status", subject, "--timeout=40s")
    assert read(kubectl, subject)["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.27"
    history = kubectl("rollout", "history", subject).stdout
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["2", "3"]


def test_jobs_run_to_their_end(kubectl: Kubectl) -> None:
    kubectl("create", "job", "once", "--image=busybox", "--", "true")
    kubectl("wait", "--for=condition=complete", "job/once", "--timeout=30s")
    table = kubectl("get", "job", "once").stdout.splitlines()
    assert table[0].split()[:3] == ["NAME", "STATUS", "COMPLETIONS"]
    assert table[1].split()[:3] == ["once", "Complete", "1/1"]
    assert "Normal  Completed" in kubectl("describe", "job", "once").stdout
    kubectl("create", "cronjob", "tick", "--image=busybox", "--schedule=0 0 1 1 *", "--", "true")
    kubectl("create", "job", "now", "--from=cronjob/tick")
    kubectl("wait", "--for=condition=complete", "job/now", "--timeout=30s")
    kubectl("delete", "job", "once")
    assert read(kubectl, "pods", "-l", "job-name=once")["items"] == []


def test_scaling_and_deleting_in_cascade(kubectl: Kubectl) -> None:
    kubectl("create", "deployment", "big", "--image=nginx", "--replicas=1")
    kubectl("scale", "deployment", "big", "--replicas=5")
    kubectl("rollout", "status", "deployment/big", "--timeout=40s")
    assert len(read(kubectl, "pods", "-l", "app=big")["items"]) == 5
    kubectl("delete", "deployment", "big", "--cascade=foreground", "--timeout=60s")
    assert read(kubectl, "rs,pods", "-l", "app=big")["items"] == []
