"""A cluster that stands still: no controllers, but what admission asks for is there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from k8sdiag.clock import ManualClock
from k8sdiag.minicluster.client import Client
from k8sdiag.minicluster.cluster import MiniCluster
from tests.minicluster.apiserver.admission.hook_server import Hook


@pytest.fixture
def cluster() -> MiniCluster:
    made = MiniCluster(ManualClock(1_800_000_000.0), seed=7)
    made.client().create("serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
    return made


@pytest.fixture
def client(cluster: MiniCluster) -> Client:
    return cluster.client()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.server.shutdown()
    made.server.server_close()
