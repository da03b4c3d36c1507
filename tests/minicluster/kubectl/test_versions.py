"""What the server says it is and has: kinds, versions, raw paths."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@shows("kubectl get --raw PATH")
def test_raw(here: Kubectl, namespace: str) -> None:
    found = json.loads(here("get", "--raw", f"/api/v1/namespaces/{namespace}").stdout)
    assert (found["kind"], found["metadata"]["name"]) == ("Namespace", namespace)
    assert here("get", "--raw", "/livez").stdout == "ok"
    missing = here("get", "--raw", "/api/v1/namespaces/nowhere", code=1)
    assert missing.stderr == 'Error from server (NotFound): namespaces "nowhere" not found\n'


@shows("kubectl get apiservices", "kubectl get flowschemas", "kubectl get servicecidrs,ipaddresses")
def test_what_a_server_registers_of_itself(here: Kubectl, namespace: str) -> None:
    rows = {row.split()[0]: row.split()[1:3] for row in here("get", "apiservices", "--no-headers").stdout.splitlines()}
    for version in [line for line in here("api-versions").stdout.split() if "apiregistration" not in line]:
        group, _, plain = version.rpartition("/")
        assert rows[f"{plain}.{group}"] == ["Local", "True"]
    flows = here("get", "flowschemas", "--no-headers").stdout.splitlines()
    assert [row.split()[:4] for row in flows if row.split()[0] in ("probes", "system-nodes")] == [
        ["probes", "exempt", "2", "<none>"],
        ["system-nodes", "system", "500", "ByUser"],
    ]
    assert {row.split()[-1] for row in flows if not row.startswith("example")} == {"False"}
    here("create", "service", "clusterip", "web", "--tcp=80", "--clusterip=10.96.44.44")
    here("wait", "--for=create", "ipaddress/10.96.44.44", "--timeout=5s")
    taken = here("get", "ipaddress", "10.96.44.44", "--no-headers").stdout
    assert taken.split() == ["10.96.44.44", f"services/{namespace}/web"]
    here("delete", "service", "web")
    here("wait", "--for=delete", "ipaddress/10.96.44.44", "--timeout=5s")
    ranges = here("get", "servicecidrs", "kubernetes", "--no-headers").stdout
    assert ranges.split()[:2] == ["kubernetes", "10.96.0.0/12"]


@shows("kubectl version")
def test_version(here: Kubectl) -> None:
    client, _, server = here("version").stdout.splitlines()
    assert client.startswith("Client Version: v1.")
    assert server.startswith("Server Version: v1.33.")
