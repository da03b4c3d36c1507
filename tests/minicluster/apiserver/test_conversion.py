"""Events in both of their versions."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.minicluster.apiserver.conversion import convert
from k8sdiag.minicluster.kinds import Registry

REGISTRY = Registry()
OLD, NEW = REGISTRY.of("v1", "Event"), REGISTRY.of("events.k8s.io/v1", "Event")


def event(**more: Any) -> dict[str, Any]:
    about = {"kind": "Pod", "name": "web", "namespace": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": about,
        "message": "m",
        **more,
    }


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"firstTimestamp": "2026-11-21T22:30:05Z", "eventTime": None}, "2026-11-21T22:30:05.000000Z"),
        ({"firstTimestamp": None, "eventTime": "2026-11-21T22:30:05.123456Z"}, "2026-11-21T22:30:05.123456Z"),
        ({"firstTimestamp": "2026-11-21T22:30:05Z", "eventTime": "2026-11-21T22:30:04.5Z"}, "2026-11-21T22:30:04.5Z"),
        ({"firstTimestamp": None, "eventTime": None}, None),
    ],
)
def test_the_newer_version_has_a_time_and_the_older_gets_its_own_back(times: dict[str, Any], said: str | None) -> None:
    assert OLD is not None
    assert NEW is not None
    old = event(**times)
    new = convert(old, NEW)
    assert (new["eventTime"], new["note"], new["regarding"]["name"]) == (said, "m", "web")
    assert new["deprecatedFirstTimestamp"] == times["firstTimestamp"]
    assert convert(new, OLD) == old
