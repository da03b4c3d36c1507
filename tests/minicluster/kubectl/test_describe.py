"""`kubectl describe` beyond one object of each kind (test_kinds.py has that): several, and what they went through."""

from __future__ import annotations

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@shows("kubectl describe KIND", "kubectl describe KIND PREFIX", "kubectl describe KIND -l SELECTOR")
def test_several(here: Kubectl) -> None:
    for name in ("web-1", "web-2", "log"):
        here("create", "configmap", name, f"--from-literal=is={name}")
    here("label", "configmap", "log", "web-2", "tier=gold")

    def named(*args: str) -> list[str]:
        lines = here("describe", "configmaps", *args).stdout.splitlines()
        return [line.split()[1] for line in lines if line.startswith("Name: ")]

    assert named() == ["kube-root-ca.crt", "log", "web-1", "web-2"]
    assert named("web") == ["web-1", "web-2"]
    assert named("-l", "tier=gold") == ["log", "web-2"]
    missing = here("describe", "configmap", "gone", code=1)
    assert missing.stderr == 'Error from server (NotFound): configmaps "gone" not found\n'


@shows("kubectl describe deployment NAME", "kubectl describe KIND NAME --show-events=false")
def test_what_a_deployment_and_its_pods_went_through(here: Kubectl, namespace: str) -> None:
    here("create", "deployment", "web", "--image=nginx:1.27", "--replicas=2")
    here("wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    here("wait", "--for=condition=Progressing", "deployment/web", "--timeout=20s")
    [owned] = here("get", "rs", "-o", "name").stdout.split()
    set_name = owned.partition("/")[2]
    shown = here("describe", "deployment", "web").stdout
    assert "Replicas:               2 desired | 2 updated | 2 total | 2 available | 0 unavailable\n" in shown
    assert f"NewReplicaSet:   {set_name} (2/2 replicas created)\n" in shown
    [event] = [line for line in shown.splitlines() if "ScalingReplicaSet" in line]
    assert event.split(maxsplit=4)[3:] == ["deployment-controller", f"Scaled up replica set {set_name} from 0 to 2"]
    of_set = here("describe", owned).stdout
    assert "Controlled By:  Deployment/web\n" in of_set
    assert of_set.count("SuccessfulCreate") == 2
    assert "Pods Status:    2 Running / 0 Waiting / 0 Succeeded / 0 Failed\n" in of_set
    pod = here("get", "pods", "-o", "name").stdout.split()[0]
    of_pod = here("describe", pod).stdout
    assert f"Controlled By:  {owned.replace('replicaset.apps', 'ReplicaSet')}\n" in of_pod
    reasons = [line.split()[1] for line in of_pod.partition("Events:\n")[2].splitlines()[2:]]
    assert [reason for reason in reasons if reason != "Pulling"] == ["Scheduled", "Pulled", "Created", "Started"]
    assert "Events" not in here("describe", pod, "--show-events=false").stdout


@shows("kubectl describe namespace NAME")
def test_limits_of_a_namespace(here: Kubectl, namespace: str) -> None:
    here("create", "quota", "few", "--hard=pods=2,configmaps=5")
    here("wait", "--for=jsonpath={.status.hard.pods}=2", "quota/few", "--timeout=5s")
    shown = here("describe", "namespace", namespace).stdout
    assert shown.startswith(f"Name:         {namespace}\nLabels:       kubernetes.io/metadata.name={namespace}\n")
    assert "Resource Quotas\n  Name:       few\n  Resource    Used  Hard\n  --------    ---   ---\n" in shown
    assert "  configmaps  1     5\n  pods        0     2\n" in shown
    assert "No LimitRange resource.\n" in shown
