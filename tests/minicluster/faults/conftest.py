"""One lab process for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.minicluster.faults.process import Door, LabProcess


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabProcess]:
    made = LabProcess(tmp_path_factory.mktemp("faults") / "lab")
    yield made
    made.kill()


@pytest.fixture(scope="module")
def door(process: LabProcess) -> Door:
    return process.start()
