"""Who is next, and when."""

from __future__ import annotations

from k8sdiag.minicluster.scheduler.pods import PodInfo
from k8sdiag.minicluster.scheduler.queue import SchedulingQueue
from tests.minicluster.scheduler.worlds import pod


def popped(queue: SchedulingQueue, now: float) -> str:
    entry = queue.pop(now)
    return entry.pod.name if entry else ""


def test_by_priority_then_by_age() -> None:
    queue = SchedulingQueue()
    for at, (name, priority) in enumerate([("first", 0), ("second", 0), ("chief", 5)]):
        queue.add(PodInfo(pod(name, priority=priority)), at)
    assert [popped(queue, 9) for _ in range(4)] == ["chief", "first", "second", ""]


def test_an_error_is_tried_again_after_one_second_two_four_eight_ten() -> None:
    queue = SchedulingQueue()
    queue.add(PodInfo(pod("web")), 0.0)
    now, waits = 0.0, []
    for _ in range(6):
        entry = queue.pop(now)
        assert entry is not None
        queue.refused(entry, (), now)
        assert queue.pop(now) is None
        at = queue.next_at(now)
        assert at is not None
        waits.append(at - now)
        now = at
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_an_unschedulable_pod_waits_until_it_is_moved() -> None:
    queue = SchedulingQueue()
    queue.add(PodInfo(pod("web")), 0.0)
    entry = queue.pop(0.0)
    assert entry is not None
    queue.refused(entry, {"NodeResourcesFit"}, 0.0)
    assert queue.next_at(0.0) is None
    assert [each.pod.name for each in queue.refused_by("NodeResourcesFit")] == ["web"]
    assert list(queue.refused_by("NodeAffinity")) == []
    queue.move(entry, 0.2)
    assert queue.places() == {"backoff": 1}
    assert popped(queue, 0.2) == "web"  # nothing else to do: no need to wait


def test_backing_off_comes_after_what_is_active() -> None:
    queue = SchedulingQueue()
    queue.add(PodInfo(pod("chief", priority=9)), 0.0)
    entry = queue.pop(0.0)
    assert entry is not None
    queue.refused(entry, {"NodeResourcesFit"}, 0.0)
    queue.move(entry, 0.1)
    queue.add(PodInfo(pod("web")), 0.1)
    assert [popped(queue, 0.1), popped(queue, 0.1)] == ["web", "chief"]


def test_five_minutes_are_the_longest_wait() -> None:
    queue = SchedulingQueue()
    queue.add(PodInfo(pod("web")), 0.0)
    entry = queue.pop(0.0)
    assert entry is not None
    queue.refused(entry, {"NodeAffinity"}, 0.0)
    queue.flush(300.0)
    assert queue.pop(300.0) is None
    queue.flush(301.0)
    assert popped(queue, 301.0) == "web"


def test_gates_hold_a_pod_and_removal_forgets_it() -> None:
    queue = SchedulingQueue()
    queue.add(PodInfo(pod("gated", schedulingGates=[{"name": "wait"}])), 0.0)
    assert (queue.pop(0.0), queue.places()) == (None, {"gated": 1})
    queue.add(PodInfo(pod("gated")), 1.0)
    assert popped(queue, 1.0) == "gated"
    queue.remove(("shop", "gated"))
    assert len(queue) == 0
