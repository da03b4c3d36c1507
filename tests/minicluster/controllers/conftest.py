"""The world in which controllers are tested."""

from __future__ import annotations

import pytest

from tests.minicluster.controllers.world import World


@pytest.fixture
def world() -> World:
    return World()
