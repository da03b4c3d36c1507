"""`kubectl expose`: a Service from what is there."""

from __future__ import annotations

import json

from tests.minicluster.conftest import Kubectl
from tests.minicluster.kubectl.shows import shows


@shows("kubectl expose deployment NAME", "kubectl expose pod NAME", "kubectl expose replicaset NAME")
@shows("kubectl expose service NAME")
def test_expose(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx", "--port=80", "--replicas=1")
    here("run", "one", "--image=nginx", "--port=8080")
    assert here("expose", "deployment", "web", "--target-port=8080", "--type=NodePort").stdout == (
        "service/web exposed\n"
    )
    service = json.loads(here("get", "service", "web", "-o", "json").stdout)["spec"]
    port = service["ports"][0]
    assert (service["type"], service["selector"], port["port"], port["targetPort"]) == (
        "NodePort",
        {"app": "web"},
        80,
        8080,
    )
    assert 30000 <= port["nodePort"] <= 32767
    assert here("expose", "deployment", "web", code=1).stderr == (
        'Error from server (AlreadyExists): services "web" already exists\n'
    )
    assert here("expose", "pod", "one").stdout == "service/one exposed\n"
    assert here("get", "service", "one", "-o", "jsonpath={.spec.ports[0].port}").stdout == "8080"
    replicas = here("get", "replicasets", "-o", "jsonpath={.items[0].metadata.name}").stdout
    here("expose", "replicaset", replicas, "--port=81", "--name=replicas")
    assert "pod-template-hash" in here("get", "service", "replicas", "-o", "jsonpath={.spec.selector}").stdout
    here("expose", "service", "web", "--name=other", "--port=443", "--target-port=8443")
    assert here("get", "service", "other", "--no-headers").stdout.split()[4] == "443/TCP"


@shows("kubectl expose --cluster-ip", "kubectl expose --type=LoadBalancer")
def test_addresses_are_given_once(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx", "--port=80", "--replicas=0")
    balanced = ("--type=LoadBalancer", "--external-ip=5.6.7.8", "--protocol=UDP", "--session-affinity=ClientIP")
    here("expose", "deployment", "web", "--name=first", "--cluster-ip=10.96.77.7", *balanced)
    shown = here("get", "service", "first", "-o", "wide", "--no-headers").stdout.split()
    assert shown[:4] == ["first", "LoadBalancer", "10.96.77.7", "5.6.7.8"]
    assert shown[-1] == "app=web"
    taken = here("expose", "deployment", "web", "--name=second", "--cluster-ip=10.96.77.7", code=1).stderr
    assert taken == (
        'The Service "second" is invalid: spec.clusterIPs: Invalid value: ["10.96.77.7"]: failed to allocate IP'
        " 10.96.77.7: provided IP is already allocated\n"
    )
    outside = here("expose", "deployment", "web", "--name=third", "--cluster-ip=1.2.3.4", code=1).stderr
    assert outside == (
        'The Service "third" is invalid: spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4:'
        " the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/12\n"
    )


def test_what_cannot_be_exposed(here: Kubectl) -> None:
    here("create", "deployment", "web", "--image=nginx", "--replicas=0")
    no_port = here("expose", "deployment", "web", code=1).stderr
    assert no_port == "error: couldn't find port via --port flag or introspection\n"
    assert here("expose", "deployment", "web", "--port=80", "--name=Bad!", code=1).stderr == (
        'The Service "Bad!" is invalid: metadata.name: Invalid value: "Bad!": a DNS-1035 label must consist of lower'
        " case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric"
        " character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')\n"
    )
