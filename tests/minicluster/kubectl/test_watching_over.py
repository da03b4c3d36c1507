"""What goes on in the cluster: events, usage, dumps, proxies, plugins."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.minicluster.conftest import Kubectl, Lab
from tests.minicluster.kubectl.conftest import until
from tests.minicluster.kubectl.shows import shows
from tests.minicluster.kubectl.test_pods import started


@pytest.fixture
def web(here: Kubectl) -> None:
    here("run", "web", "--image=nginx:1.27", "--port=80")
    here("wait", "--for=condition=Ready", "pod/web", "--timeout=10s")


@pytest.mark.usefixtures("web")
@shows("kubectl events", "kubectl events --for", "kubectl events --types")
def test_events(here: Kubectl) -> None:
    shown = here("events", "--for", "pod/web").stdout.splitlines()
    assert shown[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    rows = sorted(re.split(r"\s{2,}", line)[1:] for line in shown[1:])
    assert [row[:2] for row in rows] == [
        ["Normal", "Created"],
        ["Normal", "Pulled"],
        ["Normal", "Scheduled"],
        ["Normal", "Started"],
    ]
    assert here("events", "--types=Warning").stderr.startswith("No events found in ")
    wrong = here("events", "--types=Nope", code=1).stderr
    assert wrong == "error: valid --types are Normal or Warning\n"
    assert here("events", "--for", "pod/other").stderr.startswith("No events found in ")


@shows("kubectl events --watch")
def test_events_as_they_come(here: Kubectl, lab: Lab, namespace: str) -> None:
    here("create", "configmap", "settings")
    with started(lab, "-n", namespace, "events", "--watch", "--for", "pod/web") as watching:
        assert watching.stdout is not None
        here("run", "web", "--image=nginx:1.27")
        assert watching.stdout.readline().split()[:3] == ["LAST", "SEEN", "TYPE"]
        assert {watching.stdout.readline().split()[2] for _ in range(4)} == {
            "Scheduled",
            "Pulled",
            "Created",
            "Started",
        }


@pytest.mark.usefixtures("web")
@pytest.mark.slow
@shows("kubectl top nodes", "kubectl top pods", "kubectl top pods --containers", "kubectl top pods --sum")
def test_top(here: Kubectl) -> None:
    until(lambda: here("top", "pods", code=None).returncode == 0, 30.0)  # usage is gathered now and then
    nodes = here("top", "nodes").stdout.splitlines()
    assert nodes[0].split() == ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"]
    assert re.fullmatch(r"node1 +\d+m +\d+% +\d+Mi +\d+% +", nodes[1])
    pods = here("top", "pods").stdout.splitlines()
    assert pods[0].split() == ["NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert re.fullmatch(r"web +\d+m +\d+Mi +", pods[1])
    containers = here("top", "pods", "web", "--containers").stdout.splitlines()
    assert containers[0].split() == ["POD", "NAME", "CPU(cores)", "MEMORY(bytes)"]
    assert containers[1].split()[:2] == ["web", "web"]
    assert len(here("top", "pods", "--sum").stdout.splitlines()) == 4
    missing = here("top", "pod", "nope", code=1).stderr
    assert missing == 'Error from server (NotFound): pods.metrics.k8s.io "nope" not found\n'


@shows("kubectl cluster-info", "kubectl cluster-info dump", "kubectl cluster-info dump --output-directory")
def test_cluster_info(here: Kubectl, namespace: str, lab: Lab, tmp_path: Path) -> None:
    here("run", "web", "--image=nginx:1.27")
    here("wait", "--for=condition=Ready", "pod/web", "--timeout=10s")
    plain = re.sub("\x1b\\[[0-9;]*m", "", here("cluster-info").stdout)
    assert plain == (
        f"Kubernetes control plane is running at {lab.url}\n\n"
        "To further debug and diagnose cluster problems, use 'kubectl cluster-info dump'.\n"
    )
    dumped = here("cluster-info", "dump", "--namespaces", namespace).stdout
    decoder, place, found = json.JSONDecoder(), 0, list[Any]()
    while (place := dumped.find("{\n", place)) >= 0:
        one, place = decoder.raw_decode(dumped, place)
        found.append(one)
    assert [one["kind"] for one in found] == [
        "NodeList",
        "EventList",
        "ReplicationControllerList",
        "ServiceList",
        "DaemonSetList",
        "DeploymentList",
        "ReplicaSetList",
        "PodList",
    ]
    assert [pod["metadata"]["name"] for pod in found[-1]["items"]] == ["web"]
    assert "==== START logs for container web of pod" in dumped
    here("cluster-info", "dump", "--namespaces", namespace, f"--output-directory={tmp_path}")
    log = (tmp_path / namespace / "web" / "logs.txt").read_text(encoding="utf-8")
    assert "start worker processes\n" in log
    assert json.loads((tmp_path / "nodes.json").read_text(encoding="utf-8"))["items"]


@pytest.mark.usefixtures("web")
@shows("kubectl proxy")
def test_proxy(here: Kubectl, lab: Lab, namespace: str) -> None:
    here("expose", "pod", "web", "--port=8000", "--target-port=80")
    with started(lab, "proxy", "--port=0") as proxy:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().removeprefix("Starting to serve on ").strip()
        inside = f"http://{address}/api/v1/namespaces/{namespace}"

        def read(path: str) -> bytes:
            with urllib.request.urlopen(path, timeout=10) as page:
                return bytes(page.read())

        assert json.loads(read(f"{inside}/pods/web"))["metadata"]["name"] == "web"
        assert b"Welcome to nginx!" in read(f"{inside}/pods/web/proxy/")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            read(f"{inside}/pods/web/exec?command=ls")


@pytest.mark.usefixtures("web")
@shows(
    "kubectl get --raw PATH/pods/NAME/proxy",
    "kubectl get --raw PATH/nodes/NAME/proxy",
    "kubectl get --raw PATH/services/NAME/proxy",
)
def test_raw_proxies(here: Kubectl, lab: Lab, namespace: str) -> None:
    inside = f"/api/v1/namespaces/{namespace}"
    here("expose", "pod", "web", "--port=8000", "--target-port=80", "--name=proxy")
    here("wait", "--for=jsonpath={.subsets[0].addresses}", "endpoints/proxy", "--timeout=5s")
    for place in ("pods/web", "pods/web:80", "pods/http:web:80", "services/proxy:8000", "services/proxy"):
        assert "Welcome to nginx!" in here("get", "--raw", f"{inside}/{place}/proxy/").stdout
    moved = lab.request("GET", f"{inside}/pods/web/proxy?a=b")
    assert (moved.status, moved.headers["location"]) == (301, f"{inside}/pods/web/proxy/?a=b")
    address = here("get", "pod", "web", "-o", "jsonpath={.status.podIP}").stdout
    assert here("get", "--raw", f"{inside}/pods/web:99/proxy/", code=1).stderr == (
        f"Error from server (ServiceUnavailable): error trying to reach service: dial tcp {address}:99: connect:"
        " connection refused\n"
    )
    assert here("get", "--raw", f"{inside}/services/proxy:81/proxy/", code=1).stderr == (
        'Error from server (ServiceUnavailable): no service port "81" found for service "proxy"\n'
    )
    assert lab.request("HEAD", f"{inside}/pods/web/proxy/").status == 200
    assert here("get", "--raw", "/api/v1/nodes/node1/proxy/healthz").stdout == "ok"
    pods = json.loads(here("get", "--raw", "/api/v1/nodes/node1/proxy/pods").stdout)
    assert "web" in [pod["metadata"]["name"] for pod in pods["items"]]
    nowhere = here("get", "--raw", "/api/v1/nodes/nope/proxy/healthz", code=1).stderr
    assert nowhere == 'Error from server (NotFound): nodes "nope" not found\n'


@pytest.mark.usefixtures("web")
@shows("kubectl diag pod NAME", "kubectl plugin list")
def test_this_program_as_a_plugin(here: Kubectl, lab: Lab, namespace: str) -> None:
    programs = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    listed = here("plugin", "list", env=programs).stdout
    assert any(line.endswith("/kubectl-diag") for line in listed.splitlines())
    said = subprocess.run(
        ["kubectl", "diag", "pod", "web", "-n", namespace],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**programs, "HOME": str(lab.folder), "KUBECONFIG": str(lab.kubeconfig)},
    )
    assert said.returncode == 0, said.stderr
    assert "pod/web" in said.stdout
    assert "Running 1/1" in said.stdout


@pytest.mark.slow
def test_the_servers_own_service_comes_back(kubectl: Kubectl) -> None:
    kubectl("-n", "default", "delete", "service", "kubernetes")
    kubectl("-n", "default", "wait", "--for=create", "service/kubernetes", "--timeout=15s")
    address = kubectl("-n", "default", "get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}").stdout
    assert address == "10.96.0.1"
