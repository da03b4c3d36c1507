"""One lab for all tests of kubectl, and a namespace for each test."""

from __future__ import annotations

import re
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.minicluster.conftest import Kubectl, Lab, running


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for all of them: what belongs to the cluster and not to a namespace is shared."""
    with running(tmp_path_factory.mktemp("kubectl")) as started:
        yield started


@pytest.fixture
def namespace(lab: Lab, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, named after file and test; also a good name for what is in no namespace."""
    words = f"{request.path.stem.removeprefix('test_')}-{request.node.name.removeprefix('test_')}"
    name = re.sub("[^a-z0-9]+", "-", words.lower()).strip("-")
    if len(name) > 50:
        name = f"{name[:41].strip('-')}-{zlib.crc32(name.encode()):08x}"
    answer = lab.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.status == 201, answer.body
    client = lab.cluster.client()
    until(lambda: lab.run(lambda: client.find("serviceaccounts", name, "default")) is not None)
    return name


def until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what the cluster does by itself."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def here(kubectl: Kubectl, namespace: str) -> Kubectl:
    """kubectl in the test's namespace."""

    def call(
        *args: str, stdin: str | None = None, code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return kubectl("--namespace", namespace, *args, stdin=stdin, code=code, env=env)

    return call
