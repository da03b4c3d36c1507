"""Faults injected into a running lab through the real kubectl, and taken away again without a trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from k8sdiag.minicluster.faults.injection import heal, inject
from k8sdiag.minicluster.faults.marking import LABEL
from k8sdiag.minicluster.faults.through_kubectl import ThroughKubectl
from k8sdiag.minicluster.faults.written import library
from tests.minicluster.conftest import Lab, find_kubectl, running

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(tmp_path_factory.mktemp("lab"), nodes=1) as started:
        yield started


@pytest.fixture
def door(lab: Lab) -> ThroughKubectl:
    return ThroughKubectl([find_kubectl(), f"--kubeconfig={lab.kubeconfig}"])


def test_what_was_injected_is_labelled_and_healed(lab: Lab, door: ThroughKubectl) -> None:
    fault = library()["quota-exceeded"]
    told: list[str] = []
    inject(door, fault, "trial", told.append)
    assert told == []
    space = lab.request("GET", "/api/v1/namespaces/trial").json
    quota = lab.request("GET", "/api/v1/namespaces/trial/resourcequotas/few").json
    assert space["metadata"]["labels"][LABEL] == quota["metadata"]["labels"][LABEL] == fault.id
    assert heal(door, [fault], fault.id, told.append) == 3
    space = lab.request("GET", "/api/v1/namespaces/trial")
    assert space.status == 404 or space.json["metadata"]["deletionTimestamp"]


def test_what_was_done_to_a_node_is_undone(lab: Lab, door: ThroughKubectl) -> None:
    fault = library()["untolerated-taint"]
    told: list[str] = []
    inject(door, fault, fault.namespace, told.append)
    assert lab.request("GET", "/api/v1/nodes/node1").json["spec"]["taints"][0]["key"] == "dedicated"
    assert heal(door, [*library().values()], "", told.append) >= 2
    assert not lab.request("GET", "/api/v1/nodes/node1").json["spec"].get("taints")
