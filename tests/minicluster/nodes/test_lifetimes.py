"""The life of a container as a function of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.minicluster.nodes.commands import Run, run_of
from k8sdiag.minicluster.nodes.lifetimes import life_at

RUNS = st.builds(Run, st.none() | st.floats(0.05, 2000), st.integers(0, 255))
POLICIES = st.sampled_from(["Always", "OnFailure", "Never"])


@given(RUNS, POLICIES, st.floats(0, 20_000))
def test_what_happens_next_is_to_come_and_changes_something(run: Run, policy: str, now: float) -> None:
    life = life_at(run, 0.0, policy, now)
    if life.until is None:
        assert run.seconds is None or life.state == "ended"
        return
    assert life.until > now or life.until == pytest.approx(now)
    after = life_at(run, 0.0, policy, life.until + 1e-6)
    assert (after.state, after.restarts) != (life.state, life.restarts)


@given(RUNS, POLICIES, st.floats(0, 20_000), st.floats(0, 20_000))
def test_restarts_only_grow(run: Run, policy: str, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert life_at(run, 0.0, policy, early).restarts <= life_at(run, 0.0, policy, late).restarts


def test_a_crash_loop_waits_longer_each_time() -> None:
    run = Run(1.0, 1)
    moments: list[float] = []
    at = 0.0
    while len(moments) < 8:
        life = life_at(run, 0.0, "Always", at)
        assert life.until is not None
        if life.state == "waiting":
            moments.append(round(life.wait, 1))
        at = life.until + 1e-6
    assert moments == [0.5, 10, 20, 40, 80, 160, 300, 300]


@pytest.mark.parametrize(
    ("policy", "code", "state"),
    [("Never", 1, "ended"), ("Never", 0, "ended"), ("OnFailure", 0, "ended"), ("OnFailure", 1, "waiting")],
)
def test_policies(policy: str, code: int, state: str) -> None:
    assert life_at(Run(1.0, code), 0.0, policy, 1.1).state == state


@pytest.mark.parametrize(
    ("container", "run"),
    [
        ({"command": ["true"]}, Run(0.05)),
        ({"command": ["false"]}, Run(0.05, 1)),
        ({"command": ["/bin/sleep", "5"]}, Run(5.0)),
        ({"command": ["sleep", "infinity"]}, Run()),
        ({"command": ["sleep", "1h", "30m"]}, Run(5400.0)),
        ({"command": ["sh", "-c", "exit 7"]}, Run(0.05, 7)),
        ({"command": ["sh", "-c"], "args": ["echo hi; sleep 2; exit 3"]}, Run(2.1, 3, ((0.0, "hi"),))),
        ({"command": ["sh", "-c", "echo a && sleep 3600"]}, Run(3600.1, 0, ((0.0, "a"),))),
        ({"command": ["sh", "-c", "while true; do date; sleep 1; done"]}, Run()),
        ({"command": ["sh", "-c", "echo 'open"]}, Run()),
        ({"command": ["python3", "-m", "http.server"]}, Run()),
        ({"image": "busybox:1.36"}, Run(0.05)),
        ({"image": "docker.io/library/busybox", "stdin": True}, Run()),
        ({"image": "nginx"}, Run()),
    ],
)
def test_what_commands_come_to(container: dict[str, object], run: Run) -> None:
    found = run_of(container)
    assert (found.seconds is None, found.code, found.lines) == (run.seconds is None, run.code, run.lines)
    assert found.seconds == (None if run.seconds is None else pytest.approx(run.seconds))


def test_in_a_job_every_program_ends() -> None:
    assert run_of({"command": ["perl", "-e", "print 1"]}, in_job=True).seconds is not None
