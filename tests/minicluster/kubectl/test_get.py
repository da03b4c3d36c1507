"""`kubectl get`: columns, formats, order, selectors, watches; what is not there."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from tests.minicluster.conftest import Kubectl, Lab, environment_of, find_kubectl
from tests.minicluster.kubectl.shows import shows

PODS = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: web, tier: TIER}}
spec: {nodeSelector: {nowhere: "true"}, containers: [{name: c, image: "nginx:1.27"}]}
"""


@pytest.fixture
def pods(here: Kubectl) -> Kubectl:
    """Three pods that no node takes."""
    made = (("b", "gold"), ("a", "tin"), ("c", "gold"))
    here("create", "-f", "-", stdin="---".join(PODS.replace("NAME", n).replace("TIER", t) for n, t in made))
    return here


@shows("kubectl get KIND", "kubectl get KIND -o wide", "kubectl get KIND --show-labels", "kubectl get KIND -L LABEL")
def test_columns(pods: Kubectl) -> None:
    plain = pods("get", "pods").stdout.splitlines()
    assert plain[0] == "NAME   READY   STATUS    RESTARTS   AGE"
    assert [line.split()[:4] for line in plain[1:]] == [[name, "0/1", "Pending", "0"] for name in "abc"]
    wide = pods("get", "pods", "-o", "wide").stdout.splitlines()
    assert wide[0] == "NAME   READY   STATUS    RESTARTS   AGE   IP       NODE     NOMINATED NODE   READINESS GATES"
    assert wide[1].split()[5:] == ["<none>"] * 4
    labels = pods("get", "pods", "--show-labels", "--no-headers").stdout.splitlines()
    assert [line.split()[-1] for line in labels] == ["app=web,tier=tin", "app=web,tier=gold", "app=web,tier=gold"]
    tiers = pods("get", "pods", "-L", "tier").stdout.splitlines()
    assert tiers[0].split()[-1] == "TIER"
    assert [line.split()[-1] for line in tiers[1:]] == ["tin", "gold", "gold"]
    kinds = pods("get", "pods", "--show-kind", "--no-headers").stdout.splitlines()
    assert [line.split()[0] for line in kinds] == ["pod/a", "pod/b", "pod/c"]


@shows(
    "kubectl get KIND -o name",
    "kubectl get KIND -o json",
    "kubectl get KIND -o yaml",
    "kubectl get KIND -o jsonpath=TEMPLATE",
    "kubectl get KIND -o custom-columns=SPEC",
    "kubectl get KIND -o go-template=TEMPLATE",
)
def test_formats(pods: Kubectl) -> None:
    assert pods("get", "pods", "-o", "name").stdout == "pod/a\npod/b\npod/c\n"
    listed = json.loads(pods("get", "pods", "-o", "json").stdout)
    assert (listed["apiVersion"], listed["kind"], listed["metadata"]) == ("v1", "List", {"resourceVersion": ""})
    assert [item["kind"] for item in listed["items"]] == ["Pod"] * 3
    assert pods("get", "pods", "-o", "yaml").stdout.startswith(
        "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n"
    )
    path = "jsonpath={range .items[?(@.metadata.labels.tier=='gold')]}{.metadata.name} {end}"
    assert pods("get", "pods", "-o", path).stdout == "b c "
    columns = "custom-columns=NAME:.metadata.name,IMAGE:.spec.containers[*].image,NODE:.spec.nodeName"
    assert pods("get", "pod", "a", "-o", columns).stdout == ("NAME   IMAGE        NODE\na      nginx:1.27   <none>\n")
    template = "go-template={{range .items}}{{.metadata.name}}:{{.status.phase}} {{end}}"
    assert pods("get", "pods", "-o", template).stdout == "a:Pending b:Pending c:Pending "


@shows("kubectl get KIND --sort-by=PATH")
def test_order(pods: Kubectl) -> None:
    pods("label", "pod", "a", "rank=3")
    pods("label", "pod", "b", "rank=1")
    pods("label", "pod", "c", "rank=2")
    rows = pods("get", "pods", "--sort-by=.metadata.labels.rank", "--no-headers").stdout.splitlines()
    assert [row.split()[0] for row in rows] == ["b", "c", "a"]
    rows = pods("get", "pods", "--sort-by={.metadata.labels.rank}", "-o", "name").stdout.splitlines()
    assert rows == ["pod/b", "pod/c", "pod/a"]


@shows("kubectl get KIND -l SELECTOR", "kubectl get KIND --field-selector=SELECTOR")
def test_selectors(pods: Kubectl, namespace: str) -> None:
    def names(*args: str) -> list[str]:
        return [line.removeprefix("pod/") for line in pods("get", "pods", "-o", "name", *args).stdout.split()]

    assert names("-l", "tier=gold") == ["b", "c"]
    assert names("-l", "tier!=gold") == ["a"]
    assert names("-l", "tier in (tin, gold),app") == ["a", "b", "c"]
    assert names("-l", "!tier") == []
    assert names("--field-selector=metadata.name!=a,status.phase=Pending") == ["b", "c"]
    assert names("--field-selector=spec.nodeName=node1") == []
    wrong = pods("get", "pods", "--field-selector=spec.color=red", code=1)
    assert wrong.stderr == (
        'Error from server (BadRequest): Unable to find "/v1, Resource=pods" that match label selector "", field '
        'selector "spec.color=red": field label not supported: spec.color\n'
    )
    nothing = pods("get", "pods", "-l", "tier=none")
    assert nothing.stderr == f"No resources found in {namespace} namespace.\n"


@shows("kubectl get KIND -A", "kubectl get KIND,KIND", "kubectl get all")
def test_several_kinds_and_all_namespaces(pods: Kubectl, namespace: str) -> None:
    everywhere = pods("get", "pods", "-A").stdout.splitlines()
    assert everywhere[0].split()[:2] == ["NAMESPACE", "NAME"]
    assert [line.split()[1] for line in everywhere if line.split()[0] == namespace] == ["a", "b", "c"]
    pods("create", "service", "clusterip", "web", "--tcp=80")
    both = pods("get", "pods,services", "-o", "name").stdout.split()
    assert both == ["pod/a", "pod/b", "pod/c", "service/web"]
    lines = pods("get", "all").stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["NAME", "pod/a", "pod/b", "pod/c", "NAME", "service/web"]
    assert pods("get", "po/a", "svc/web", "-o", "name").stdout == "pod/a\nservice/web\n"


@shows("kubectl get KIND NAME", "kubectl get KIND NAME --ignore-not-found")
def test_what_is_not_there(here: Kubectl, namespace: str) -> None:
    missing = here("get", "pod", "gone", code=1)
    assert (missing.stdout, missing.stderr) == ("", 'Error from server (NotFound): pods "gone" not found\n')
    assert here("get", "pod", "gone", "--ignore-not-found").stdout == ""
    assert here("get", "pods").stderr == f"No resources found in {namespace} namespace.\n"
    assert here("get", "pods", "-o", "yaml").stdout == (
        'apiVersion: v1\nitems: []\nkind: List\nmetadata:\n  resourceVersion: ""\n'
    )
    unknown = here("get", "widgetries", code=1)
    assert unknown.stderr == 'error: the server doesn\'t have a resource type "widgetries"\n'
    assert here("get", "deploy", "gone", code=1).stderr == (
        'Error from server (NotFound): deployments.apps "gone" not found\n'
    )


@shows("kubectl get KIND --chunk-size=NUMBER")
def test_pages(pods: Kubectl) -> None:
    assert pods("get", "pods", "--chunk-size=1", "-o", "name").stdout == "pod/a\npod/b\npod/c\n"
    assert len(pods("get", "pods", "--chunk-size=2").stdout.splitlines()) == 4


@shows("kubectl get endpoints", "kubectl get componentstatuses")
def test_kinds_on_their_way_out(here: Kubectl) -> None:
    said = here("get", "endpoints", "kubernetes", "-n", "default")
    assert said.stderr == "Warning: v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice\n"
    said = here("get", "componentstatuses", "-o", "custom-columns=N:.metadata.name,S:.conditions[0].status")
    assert said.stderr == "Warning: v1 ComponentStatus is deprecated in v1.19+\n"
    assert [row.split() for row in said.stdout.splitlines()[1:]] == [
        ["controller-manager", "True"],
        ["scheduler", "True"],
        ["etcd-0", "True"],
    ]


@pytest.mark.slow
@shows("kubectl get KIND -w", "kubectl get KIND -w --output-watch-events", "kubectl get KIND --watch-only")
def test_watch(here: Kubectl, namespace: str, lab: Lab) -> None:
    here("create", "configmap", "one")
    common = ("--namespace", namespace, "get", "configmaps", "--field-selector=metadata.name!=kube-root-ca.crt")
    environment = environment_of(lab)
    watches = [
        subprocess.Popen(
            [find_kubectl(), *common, *more, "--no-headers"], stdout=subprocess.PIPE, text=True, env=environment
        )
        for more in (("-w",), ("-w", "--output-watch-events"), ("--watch-only", "-o", "name"))
    ]
    try:
        time.sleep(1.0)
        here("create", "configmap", "two")
        here("delete", "configmap", "one")
        time.sleep(1.0)
    finally:
        for watch in watches:
            watch.terminate()
    said = [watch.communicate(timeout=5)[0].splitlines() for watch in watches]
    assert [line.split()[0] for line in said[0]] == ["one", "two", "one"]
    assert [line.split()[:2] for line in said[1]] == [["ADDED", "one"], ["ADDED", "two"], ["DELETED", "one"]]
    assert said[2] == ["configmap/two", "configmap/one"]
