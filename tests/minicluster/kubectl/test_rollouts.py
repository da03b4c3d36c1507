"""New versions go out and come back: deployments, stateful sets, daemon sets."""

from __future__ import annotations

import pytest

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows

SET = """
apiVersion: apps/v1
kind: {kind}
metadata: {{name: web}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: app, image: "nginx:1"}}]}}
"""
IMAGE = "jsonpath={.spec.template.spec.containers[0].image}"


def revisions(history: str) -> list[list[str]]:
    return [line.split(maxsplit=1) for line in history.splitlines()[2:] if line]


def two_versions(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1")
    here("rollout", "status", "deployment/web", "--timeout=20s")
    here("set", "image", "deployment/web", "nginx=nginx:1.27")
    here("rollout", "status", "deployment/web", "--timeout=20s")


@shows("kubectl rollout status deployment/NAME", "kubectl rollout history deployment/NAME")
@shows(
    "kubectl rollout history --revision", "kubectl rollout undo deployment/NAME", "kubectl rollout undo --to-revision"
)
def test_a_deployment_goes_back(here: Kubectl) -> None:
    two_versions(here)
    status = here("rollout", "status", "deployment/web").stdout
    assert status == 'deployment "web" successfully rolled out\n'
    here("annotate", "deployment/web", "kubernetes.io/change-cause=nginx 2")
    history = here("rollout", "history", "deployment/web").stdout
    assert history.startswith("deployment.apps/web \nREVISION  CHANGE-CAUSE\n")
    assert revisions(history) == [["1", "<none>"], ["2", "nginx 2"]]
    first = here("rollout", "history", "deployment/web", "--revision=1").stdout.splitlines()
    assert first[:2] == ["deployment.apps/web with revision #1", "Pod Template:"]
    assert "    Image:\tnginx:1" in first
    assert here("rollout", "undo", "deployment/web").stdout == "deployment.apps/web rolled back\n"
    assert here("get", "deployment", "web", "-o", IMAGE).stdout == "nginx:1"
    here("rollout", "status", "deployment/web", "--timeout=20s")
    assert [one for one, _ in revisions(here("rollout", "history", "deployment/web").stdout)] == ["2", "3"]
    assert here("rollout", "undo", "deployment/web", "--to-revision=2").stdout == "deployment.apps/web rolled back\n"
    assert here("get", "deployment", "web", "-o", IMAGE).stdout == "nginx:1.27"
    missing = here("rollout", "undo", "deployment/web", "--to-revision=77", code=1).stderr
    assert missing == "error: unable to find specified revision 77 in history\n"
    missing = here("rollout", "history", "deployment/web", "--revision=77", code=1).stderr
    assert missing == "error: unable to find the specified revision\n"


def test_there_is_nothing_to_go_back_to(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1")
    here("rollout", "status", "deployment/web", "--timeout=20s")
    alone = here("rollout", "undo", "deployment/web", code=1).stderr
    assert alone == 'error: no rollout history found for deployment "web"\n'
    nowhere = here("rollout", "undo", "deployment/nope", code=1).stderr
    assert nowhere == 'Error from server (NotFound): deployments.apps "nope" not found\n'


@shows("kubectl rollout pause", "kubectl rollout resume", "kubectl rollout restart deployment/NAME")
@shows("kubectl rollout undo --dry-run=server", "kubectl rollout status --revision")
def test_a_deployment_is_held(here: Kubectl) -> None:
    two_versions(here)
    dry = here("rollout", "undo", "deployment/web", "--dry-run=server").stdout
    assert dry == "deployment.apps/web rolled back (server dry run)\n"
    assert here("get", "deployment", "web", "-o", IMAGE).stdout == "nginx:1.27"
    assert here("rollout", "pause", "deployment/web").stdout == "deployment.apps/web paused\n"
    again = here("rollout", "pause", "deployment/web", code=1).stderr
    assert again == 'error: deployments.apps "web" is already paused\n'
    undone = here("rollout", "undo", "deployment/web", code=1).stderr
    assert undone == (
        "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again\n"
    )
    here("set", "image", "deployment/web", "nginx=nginx:1.26")
    waiting = here("rollout", "status", "deployment/web", "--watch=false").stdout
    assert waiting.startswith(
        'Waiting for deployment "web" rollout to finish: 0 out of 1 new replicas have been updated'
    )
    restarted = here("rollout", "restart", "deployment/web", code=1).stderr
    assert restarted == ('error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)\n')
    assert here("rollout", "resume", "deployment/web").stdout == "deployment.apps/web resumed\n"
    assert here("rollout", "resume", "deployment/web", code=1).stderr == 'error: deployments.apps "web" is not paused\n'
    here("rollout", "status", "deployment/web", "--timeout=20s")
    assert here("rollout", "restart", "deployment/web").stdout == "deployment.apps/web restarted\n"
    here("rollout", "status", "deployment/web", "--timeout=20s")
    assert [one for one, _ in revisions(here("rollout", "history", "deployment/web").stdout)] == ["1", "2", "3", "4"]
    other = here("rollout", "status", "deployment/web", "--revision=3", code=1).stderr
    assert other == "error: desired revision (3) is different from the running revision (4)\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("StatefulSet", "partitioned roll out complete: 1 new pods have been updated...\n"),
        ("DaemonSet", 'daemon set "web" successfully rolled out\n'),
    ],
)
@shows("kubectl rollout status statefulset/NAME", "kubectl rollout history statefulset/NAME")
@shows("kubectl rollout undo statefulset/NAME", "kubectl rollout restart statefulset/NAME")
@shows("kubectl rollout status daemonset/NAME", "kubectl rollout history daemonset/NAME")
@shows("kubectl rollout undo daemonset/NAME", "kubectl rollout restart daemonset/NAME")
def test_sets_go_back(here: Kubectl, kind: str, done: str) -> None:
    subject, full = f"{kind.lower()}/web", f"{kind.lower()}.apps/web"
    here("create", "-f", "-", stdin=SET.format(kind=kind))
    assert here("rollout", "status", subject, "--timeout=20s").stdout.endswith(done)
    here("set", "image", subject, "app=nginx:1.27")
    here("rollout", "status", subject, "--timeout=20s")
    history = here("rollout", "history", subject).stdout
    assert history.startswith(f"{full} \nREVISION  CHANGE-CAUSE\n")
    assert revisions(history) == [["1", "<none>"], ["2", "<none>"]]
    assert "    Image:\tnginx:1\n" in here("rollout", "history", subject, "--revision=1").stdout
    assert here("rollout", "undo", subject, "--to-revision=1").stdout == f"{full} rolled back\n"
    assert here("rollout", "status", subject, "--timeout=20s").stdout.endswith(done)
    assert here("get", subject, "-o", IMAGE).stdout == "nginx:1"
    assert revisions(here("rollout", "history", subject).stdout) == [["2", "<none>"], ["3", "<none>"]]
    missing = here("rollout", "undo", subject, "--to-revision=77", code=1).stderr
    assert missing == "error: unable to find specified revision 77 in history\n"
    assert here("rollout", "restart", subject).stdout == f"{full} restarted\n"
    assert here("rollout", "status", subject, "--timeout=20s").stdout.endswith(done)
    assert here("get", "pods", "-o", "jsonpath={.items[*].metadata.annotations}").stdout.startswith(
        '{"kubectl.kubernetes.io/restartedAt":'
    )
    paused = here("rollout", "pause", subject, code=1).stderr
    assert paused == f'error: {kind.lower()}s.apps "web" pausing is not supported\n'
