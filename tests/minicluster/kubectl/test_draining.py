"""Nodes are taken out of use and given back."""

from __future__ import annotations

import threading

import pytest

from tests.minicluster.conftest import Kubectl, Lab
from tests.minicluster.kubectl.conftest import until
from tests.minicluster.kubectl.shows import shows

DAEMONS = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: app, image: nginx}]}
"""
WITH_FILES = """
apiVersion: v1
kind: Pod
metadata: {name: scratch}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{name: scratch, emptyDir: {}}]
  containers: [{name: app, image: nginx, volumeMounts: [{name: scratch, mountPath: /scratch}]}]
"""


@shows("kubectl cordon NODE", "kubectl uncordon NODE")
def test_cordon(kubectl: Kubectl) -> None:
    assert kubectl("cordon", "node1").stdout == "node/node1 cordoned\n"
    assert kubectl("cordon", "node1").stdout == "node/node1 already cordoned\n"
    shown = kubectl("get", "node", "node1", "--no-headers").stdout.split()
    assert shown[:2] == ["node1", "Ready,SchedulingDisabled"]
    assert kubectl("uncordon", "node1").stdout == "node/node1 uncordoned\n"
    assert kubectl("uncordon", "node1").stdout == "node/node1 already uncordoned\n"
    assert kubectl("cordon", "nowhere", code=1).stderr == 'Error from server (NotFound): nodes "nowhere" not found\n'


@shows("kubectl drain NODE", "kubectl drain --ignore-daemonsets", "kubectl drain --force")
@shows("kubectl drain --delete-emptydir-data", "kubectl drain --dry-run=server", "kubectl drain --pod-selector")
def test_what_stands_in_the_way_is_named(here: Kubectl, namespace: str, lab: Lab) -> None:
    here("apply", "-f", "-", stdin=DAEMONS)
    here("apply", "-f", "-", stdin=WITH_FILES)
    here("run", "alone", "--image=nginx")
    here("rollout", "status", "daemonset/agent")
    here("wait", "--for=condition=Ready", "pod/scratch", "pod/alone")
    daemon = here("get", "pods", "-l", "app=agent", "-o", "jsonpath={.items[0].metadata.name}").stdout
    here("label", "pods", "--all", "stands=here")  # other tests' pods may still be on their way off the node
    only = "--pod-selector=stands=here"
    try:
        refused = here("drain", "node1", only, code=1)
        assert refused.stdout == "node/node1 cordoned\n"
        daemons = (
            f"cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore): {namespace}/{daemon}",
            f"cannot delete Pods that declare no controller (use --force to override): {namespace}/alone",
            f"cannot delete Pods with local storage (use --delete-emptydir-data to override): {namespace}/scratch",
        )
        assert all(text in refused.stderr for text in daemons), refused.stderr
        tried = here(
            "drain", "node1", only, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--dry-run=server"
        )
        assert f"evicting pod {namespace}/alone (server dry run)\n" in tried.stdout
        assert tried.stdout.endswith("node/node1 drained (server dry run)\n")
        here("get", "pod", "alone")
        done = here("drain", "node1", only, "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--timeout=30s")
        assert f"Warning: ignoring DaemonSet-managed Pods: {namespace}/{daemon}; deleting Pods" in done.stderr
        assert "pod/scratch evicted\n" in done.stdout
        assert done.stdout.endswith("node/node1 drained\n")
        assert here("get", "pods", "-o", "name").stdout == f"pod/{daemon}\n"
    finally:
        here("uncordon", "node1")
    client = lab.cluster.client()
    until(lambda: lab.run(lambda: client.find("pods", namespace, "alone")) is None)


@pytest.mark.slow
@shows("kubectl drain NODE", "kubectl drain --timeout")
def test_a_budget_holds_a_drain_up_until_it_is_gone(here: Kubectl, namespace: str) -> None:
    here("create", "deployment", "web", "--image=nginx")
    here("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    here("rollout", "status", "deployment/web", "--timeout=20s")
    pod = here("get", "pods", "-o", "jsonpath={.items[0].metadata.name}").stdout
    drain = ("drain", "node1", "--ignore-daemonsets", "--force", "--delete-emptydir-data", "--pod-selector=app=web")
    try:
        held = here(*drain, "--timeout=2s", code=1)
        assert f"evicting pod {namespace}/{pod}\n" in held.stdout
        assert (
            f'error when evicting pods/"{pod}" -n "{namespace}" (will retry after 5s): Cannot evict pod as it would'
            " violate the pod's disruption budget.\n"
        ) in held.stderr
        assert "global timeout reached: 2s" in held.stderr
        free = threading.Timer(1.0, lambda: here("delete", "pdb", "web"))
        free.start()
        done = here(*drain, "--timeout=30s")
        free.join()
        assert done.stdout.endswith(f"pod/{pod} evicted\nnode/node1 drained\n")
    finally:
        here("uncordon", "node1")
        here("delete", "pdb", "web", "--ignore-not-found")


@shows("kubectl drain --disable-eviction", "kubectl drain -l SELECTOR")
def test_a_drain_by_deletion_asks_no_budget(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx")
    here("create", "poddisruptionbudget", "web", "--selector=app=web", "--min-available=1")
    here("rollout", "status", "deployment/web", "--timeout=20s")
    pod = here("get", "pods", "-o", "jsonpath={.items[0].metadata.name}").stdout
    chosen = ("-l", "kubernetes.io/hostname=node1", "--pod-selector=app=web", "--disable-eviction")
    try:
        done = here("drain", *chosen, "--force", "--ignore-daemonsets", "--grace-period=1", "--timeout=20s")
        assert f"pod/{pod} deleted\n" in done.stdout
        assert done.stdout.endswith("node/node1 drained\n")
    finally:
        here("uncordon", "node1")
