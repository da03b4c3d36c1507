"""Sizes: by hand and by an autoscaler; and what `kubectl set` changes in a workload."""

from __future__ import annotations

import json
from typing import Any

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


def template(here: Kubectl, subject: str = "deployment/web") -> Any:
    return json.loads(here("get", subject, "-o", "json").stdout)["spec"]["template"]["spec"]


@shows(
    "kubectl scale --replicas",
    "kubectl scale --current-replicas",
    "kubectl scale --timeout",
    "kubectl scale -l SELECTOR",
)
def test_scale(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx", "--replicas=0")
    assert here("scale", "deployment", "web", "--replicas=2").stdout == "deployment.apps/web scaled\n"
    mismatch = here("scale", "deployment/web", "--replicas=4", "--current-replicas=3", code=1).stderr
    assert mismatch == "error: Expected replicas to be 3, was 2\n"
    here("scale", "deployment/web", "--replicas=1", "--current-replicas=2")
    scaled = here("scale", "deployment/web", "--replicas=0", "--timeout=10s").stdout
    assert scaled == "deployment.apps/web scaled\n"
    assert here("scale", "deployment", "-l", "app=web", "--replicas=1").stdout == "deployment.apps/web scaled\n"
    assert here("scale", "deployment", "nope", "--replicas=1", code=1).stderr == (
        'Error from server (NotFound): deployments.apps "nope" not found\n'
    )
    here("rollout", "status", "deployment/web", "--timeout=20s")
    assert here("get", "deployment", "web", "--no-headers").stdout.split()[:4] == ["web", "1/1", "1", "1"]


def test_what_has_no_size_cannot_be_scaled(here: Kubectl) -> None:
    here("create", "configmap", "web")
    assert here("scale", "configmap/web", "--replicas=2", code=1).stderr == (
        "Error from server (NotFound): the server could not find the requested resource\n"
    )


@shows("kubectl autoscale deployment NAME")
def test_autoscale(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx", "--replicas=1")
    made = here("autoscale", "deployment", "web", "--min=1", "--max=4", "--cpu=50%").stdout
    assert made == "horizontalpodautoscaler.autoscaling/web autoscaled\n"
    shown = here("get", "hpa", "web").stdout.splitlines()
    assert shown[0].split() == ["NAME", "REFERENCE", "TARGETS", "MINPODS", "MAXPODS", "REPLICAS", "AGE"]
    assert shown[1].startswith("web    Deployment/web   cpu: <unknown>/50%   1         4         ")
    taken = here("autoscale", "deployment", "web", "--max=4", "--cpu=50%", code=1).stderr
    assert taken == ('Error from server (AlreadyExists): horizontalpodautoscalers.autoscaling "web" already exists\n')


@shows("kubectl set image", "kubectl set env", "kubectl set env --list", "kubectl set env --from")
@shows("kubectl set resources", "kubectl set serviceaccount")
def test_set_on_a_workload(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx:1", "--replicas=0")
    assert here("set", "image", "deployment/web", "nginx=nginx:2").stdout == "deployment.apps/web image updated\n"
    assert here("set", "image", "deployment/web", "nginx=nginx:2").stdout == ""
    assert here("set", "image", "deployment", "--all", "*=nginx:3").stdout == "deployment.apps/web image updated\n"
    unknown = here("set", "image", "deployment/web", "nope=x", code=1).stderr
    assert unknown == 'error: unable to find container named "nope"\n'
    assert here("set", "env", "deployment/web", "A=1", "B=2").stdout == "deployment.apps/web env updated\n"
    assert here("set", "env", "deployment/web", "A-").stdout == "deployment.apps/web env updated\n"
    here("create", "configmap", "settings", "--from-literal=COLOUR=blue")
    here("set", "env", "deployment/web", "--from=configmap/settings", "--prefix=MY_")
    listed = here("set", "env", "deployment/web", "--list", "--resolve").stdout
    assert listed == "# Deployment web, container nginx\nB=2\nMY_COLOUR=blue\n"
    updated = here("set", "resources", "deployment/web", "--limits=cpu=200m", "--requests=cpu=100m").stdout
    assert updated == "deployment.apps/web resource requirements updated\n"
    assert here("set", "resources", "deployment/web", "--requests=cpu=1", code=1).stderr == (
        'error: failed to patch resources update to pod template Deployment.apps "web" is invalid:'
        ' spec.template.spec.containers[0].resources.requests: Invalid value: "1": must be less than or equal to cpu'
        " limit of 200m\n"
    )
    assert here("set", "serviceaccount", "deployment/web", "robot").stdout == (
        "deployment.apps/web serviceaccount updated\n"
    )
    spec = template(here)
    assert (spec["serviceAccountName"], spec["containers"][0]["image"]) == ("robot", "nginx:3")
    assert spec["containers"][0]["resources"] == {"limits": {"cpu": "200m"}, "requests": {"cpu": "100m"}}


@shows("kubectl set selector", "kubectl set subject")
def test_set_on_others(here: Kubectl, namespace: str) -> None:
    here("create", "service", "clusterip", "web", "--tcp=80")
    assert here("set", "selector", "service", "web", "app=other").stdout == "service/web selector updated\n"
    assert here("get", "service", "web", "-o", "jsonpath={.spec.selector}").stdout == '{"app":"other"}'
    here("create", "rolebinding", "readers", "--clusterrole=view", "--user=ann")
    changed = here("set", "subject", "rolebinding", "readers", "--user=bob", "--serviceaccount=" + namespace + ":robot")
    assert changed.stdout == "rolebinding.rbac.authorization.k8s.io/readers subjects updated\n"
    wide = here("get", "rolebinding", "readers", "-o", "wide", "--no-headers").stdout.split()
    assert wide[:2] + wide[3:] == ["readers", "ClusterRole/view", "ann,", "bob", f"{namespace}/robot"]
