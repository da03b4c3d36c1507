"""Back-off, phases and restarts hold for any history."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.minicluster.kubelet.http_answer import HttpAnswer
from k8sdiag.minicluster.kubelet.restart import BackOff, duration

from .scripted import Script
from .stage import Stage

KEY = ("uid", "app")


def test_waits_double_to_five_minutes() -> None:
    waits, now = [], 0.0
    back_off = BackOff()
    for _ in range(7):
        back_off.next(KEY, now, now)
        waits.append(back_off.wait_of(KEY))
        now += waits[-1]
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_ten_good_minutes_are_a_new_beginning() -> None:
    back_off = BackOff()
    back_off.next(KEY, 0, 0)
    back_off.next(KEY, 10, 10)
    assert back_off.left_since(KEY, 611, 612) == 0
    back_off.next(KEY, 611, 612)
    assert back_off.wait_of(KEY) == 10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.35, "350ms"), (1.234, "1.234s"), (10, "10s"), (80, "1m20s"), (300, "5m0s"), (3661.5, "1h1m1.5s")],
)
def test_durations_as_go_prints_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.05, 900), st.integers(0, 3)), min_size=1, max_size=5),
    st.sampled_from(["Always", "OnFailure", "Never"]),
    st.integers(0, 5),
)
def test_any_history_of_a_container(runs: list[tuple[float, int]], policy: str, seed: int) -> None:
    stage = Stage(seed=seed)
    stage.runtime.scripts["app"] = [*(Script(seconds=seconds, code=code) for seconds, code in runs), Script()]
    stage.pod(restartPolicy=policy)
    stage.run(sum(seconds for seconds, _ in runs) + 400)
    counts, phases = [], []
    for _, _, pod in stage.seen:
        phases.append(pod["status"]["phase"])
        counts += [one["restartCount"] for one in pod["status"].get("containerStatuses") or ()]
    assert counts == sorted(counts), "restarts are only ever more"
    order = ["Pending", "Running", "Succeeded", "Failed"]
    assert [order.index(phase) for phase in phases] == sorted(order.index(phase) for phase in phases)
    starts = sum(1 for _, what, _ in stage.runtime.asked if what == "start")
    assert counts[-1] <= starts - 1 <= counts[-1] + 1
    if policy == "Never":
        assert starts == 1
        assert phases[-1] == ("Failed" if runs[0][1] else "Succeeded")
    elif policy == "OnFailure" and phases[-1] == "Succeeded":
        assert runs[starts - 1][1] == 0


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 20), st.booleans())
def test_the_grace_of_a_pod_is_kept(grace: int, ignores: bool) -> None:
    stage = Stage()
    stage.runtime.scripts["app"] = Script(ignores_term=ignores)
    stage.pod(terminationGracePeriodSeconds=grace)
    stage.run(5)
    stage.client.delete("pods", "default", "web")
    begun = stage.now
    assert stage.run(grace + 6) == {}
    gone = stage.seen[-1][0] - begun
    assert gone <= grace + 5
    if ignores and grace:
        assert gone >= max(2, grace)


@given(st.integers(100, 599), st.binary(max_size=60), st.integers(1, 20))
def test_http_answers_come_in_pieces(status: int, body: bytes, size: int) -> None:
    raw = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    answer = HttpAnswer()
    for at in range(0, len(raw), size):
        answer.feed(raw[at : at + size])
    if status >= 200:
        assert (answer.status, answer.complete, answer.malformed) == (status, True, "")


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_none(data: bytes) -> None:
    answer = HttpAnswer()
    answer.feed(data)
    assert answer.status >= 0
