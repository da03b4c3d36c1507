"""Everything about a live API holds on both ways to it: read directly, and through the official client."""

from __future__ import annotations

import pytest

from k8sdiag.live import direct


@pytest.fixture(autouse=True, params=["direct", "library"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which way a kubeconfig is read; `library` shuts the direct one."""
    chosen: str = request.param
    if chosen == "library":
        monkeypatch.setattr(direct, "choose", lambda *_: None)
    return chosen
