"""Jobs: what a real one said, counting, indexes, policies, deadlines, suspension."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.job_indexes import format_indexes, parse_indexes
from tests.minicluster.controllers.stage import SPACE, Stage, recorded, template

FINALIZER = "batch.kubernetes.io/job-tracking"


def job(**spec: Any) -> Json:
    pod = spec.pop("pod", {})
    return {"template": template("task", restartPolicy="Never", **pod), **spec}


def running(stage: Stage) -> list[Json]:
    return [pod for pod in stage.living() if pod["status"]["phase"] in ("Pending", "Running")]


def end_all(stage: Stage, code: int = 0) -> None:
    for pod in running(stage):
        stage.end(pod, code)
    stage.run_for(1)


def ending(stage: Stage, name: str = "report") -> tuple[str, str, str]:
    last = stage.status("jobs", name)["conditions"][-1]
    return last["type"], last["reason"], last["message"]


def untimed(statuses: list[Json]) -> list[Json]:
    """Without times and uids, each only once in a row."""
    found: list[Json] = []
    for status in statuses:
        entry = {name: value for name, value in status.items() if name not in ("startTime", "completionTime")}
        entry["conditions"] = [
            {name: value for name, value in each.items() if not name.startswith("last")}
            for each in status.get("conditions", [])
        ]
        for name, uids in (status.get("uncountedTerminatedPods") or {}).items():
            entry["uncountedTerminatedPods"] = {name: len(uids)}
        if not found or found[-1] != entry:
            found.append(entry)
    return found


def test_it_says_what_a_real_one_said() -> None:
    stage = Stage()
    seen = stage.history("jobs")
    stage.make("jobs", "report", job(backoffLimit=1))
    end_all(stage, 4)
    stage.run_for(12)
    end_all(stage, 4)
    real = [entry["status"] for entry in recorded("end-backofflimit", "Job")]
    ours = [entry.get("status", {}) for entry in seen]
    assert untimed(ours) == untimed(real)
    assert list(ours[-1]) == list(real[-1])
    names = stage.names()
    assert stage.events(about="Job") == [
        *(f"Created pod: {pod['metadata']['name']}" for pod in by_age(stage)),
        "Job has reached the specified backoff limit",
    ]
    assert len(names) == 2
    assert all(FINALIZER not in pod["metadata"].get("finalizers", ()) for pod in stage.pods())


def by_age(stage: Stage) -> list[Json]:
    return sorted(stage.pods(), key=lambda pod: pod["metadata"]["creationTimestamp"])


def test_its_pods_look_like_real_ones() -> None:
    stage = Stage()
    stage.make("jobs", "report", job())
    (ours,), real = stage.pods(), recorded("end-backofflimit", "Pod")[0]
    assert ours["metadata"]["generateName"] == real["metadata"]["generateName"]
    assert ours["metadata"]["finalizers"] == real["metadata"]["finalizers"]
    assert set(real["metadata"]["labels"]) <= set(ours["metadata"]["labels"])
    assert ours["metadata"]["ownerReferences"][0].keys() == real["metadata"]["ownerReferences"][0].keys()


def test_it_completes_when_enough_succeeded() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(completions=5, parallelism=2))
    assert len(running(stage)) == 2
    for _ in range(3):
        end_all(stage)
    status = stage.status("jobs", "report")
    assert (status["succeeded"], status.get("active")) == (5, None)
    assert [entry["type"] for entry in status["conditions"]] == ["SuccessCriteriaMet", "Complete"]
    assert ending(stage) == ("Complete", "CompletionsReached", "Reached expected number of succeeded pods")
    assert status["completionTime"] == stage.now()
    assert stage.events("Completed") == ["Job completed"]
    assert len(stage.pods()) == 5


def test_after_a_failure_it_waits_longer_and_longer() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(backoffLimit=4))
    starts = []
    for _ in range(4):
        (pod,) = running(stage)
        starts.append(stage.clock.now())
        stage.end(pod, 1)
        stage.settle()
        while not running(stage):
            stage.run_for(1)
    gaps = [round(later - earlier) for earlier, later in pairwise(starts)]
    assert gaps == [10, 20, 40]


@given(
    completions=st.integers(1, 6),
    parallelism=st.integers(1, 4),
    codes=st.lists(st.sampled_from([0, 0, 1]), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    mode=st.sampled_from(["NonIndexed", "Indexed"]),
)
@settings(max_examples=25, deadline=None)
def test_its_counts_always_add_up(completions: int, parallelism: int, codes: list[int], seed: int, mode: str) -> None:
    chance = random.Random(seed)
    stage = Stage()
    wrong: list[Json] = []
    made: set[str] = set()
    stage.client.watch("pods", lambda _change, pod, _old: made.add(pod["metadata"]["uid"]))

    def check(_change: str, entry: Json, _old: Json | None) -> None:
        status = entry.get("status", {})
        waiting = status.get("uncountedTerminatedPods") or {}
        known = sum(len(uids) for uids in waiting.values())
        counted = status.get("active", 0) + status.get("succeeded", 0) + status.get("failed", 0) + known
        if counted > len(made) or status.get("active", 0) > parallelism or status.get("succeeded", 0) > completions:
            wrong.append(status)

    stage.client.watch("jobs", check)
    spec = job(completions=completions, parallelism=parallelism, backoffLimit=20, completionMode=mode)
    stage.make("jobs", "report", spec)
    results = {0: 0, 1: 0}
    for _ in range(80):
        open_pods = running(stage)
        if not open_pods:
            if "completionTime" in stage.status("jobs", "report"):
                break
            stage.run_for(30)
            continue
        code = codes.pop() if codes else 0
        stage.end(chance.choice(open_pods), code)
        results[code] += 1
        stage.run_for(chance.choice([0, 0.5, 2]))
    assert not wrong
    status = stage.status("jobs", "report")
    assert ending(stage)[0] == "Complete"
    assert (status["succeeded"], status.get("failed", 0)) == (completions, results[1])
    assert results[0] == completions
    assert len(made) == results[0] + results[1]
    if mode == "Indexed":
        assert parse_indexes(status["completedIndexes"], completions) == set(range(completions))


@pytest.mark.parametrize("released", [False, True])
def test_a_controller_that_fell_over_counts_each_pod_once(released: bool) -> None:
    """It had noted the pod's uid, and then either had taken the finalizer off or had not."""
    stage = Stage()
    stage.make("jobs", "report", job())
    (pod,) = stage.pods()
    stage.end(pod, 1)
    uncounted = {"uncountedTerminatedPods": {"failed": [pod["metadata"]["uid"]]}}
    stage.client.patch("jobs", SPACE, "report", {"status": uncounted}, subresource="status")
    if released:
        stage.client.patch("pods", SPACE, pod["metadata"]["name"], {"metadata": {"finalizers": None}})
    stage.run_for(2)
    status = stage.status("jobs", "report")
    assert (status["failed"], status["uncountedTerminatedPods"]) == (1, {})


def test_each_index_has_its_own_pod() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(completions=3, parallelism=2, completionMode="Indexed"))
    first, second = stage.pods()
    assert first["metadata"]["name"].startswith("report-0-")
    assert second["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] == "1"
    assert second["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"] == "1"
    assert second["spec"]["hostname"] == "report-1"
    (variable,) = second["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"
    assert (
        variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/job-completion-index']"
    )
    stage.end(second)
    stage.run_for(1)
    assert stage.status("jobs", "report")["completedIndexes"] == "1"
    assert any(pod["metadata"]["name"].startswith("report-2-") for pod in stage.pods())


def test_an_index_may_fail_on_its_own() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(completions=2, parallelism=2, completionMode="Indexed", backoffLimitPerIndex=1))
    for _ in range(3):
        for pod in running(stage):
            stage.end(pod, 1 if pod["metadata"]["name"].startswith("report-0-") else 0)
        stage.run_for(15)
    status = stage.status("jobs", "report")
    assert (status["failedIndexes"], status["completedIndexes"]) == ("0", "1")
    assert (status["failed"], status["succeeded"]) == (2, 1)
    assert ending(stage) == ("Failed", "FailedIndexes", "Job has failed indexes")
    counts = [
        pod["metadata"]["annotations"]["batch.kubernetes.io/job-index-failure-count"]
        for pod in by_age(stage)
        if pod["metadata"]["name"].startswith("report-0-")
    ]
    assert counts == ["0", "1"]


def policy(action: str) -> Json:
    return {"rules": [{"action": action, "onExitCodes": {"operator": "In", "values": [42]}}]}


def test_an_exit_code_may_fail_the_job_at_once() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(podFailurePolicy=policy("FailJob"), parallelism=2, completions=2))
    pod = stage.pods()[0]
    stage.end(pod, 42)
    stage.run_for(1)
    stage.bury_all()
    stage.run_for(2)
    name = pod["metadata"]["name"]
    message = f"Container app for pod shop/{name} failed with exit code 42 matching FailJob rule at index 0"
    assert ending(stage) == ("Failed", "PodFailurePolicy", message)
    assert stage.events("PodFailurePolicy") == [message]
    assert not running(stage)


def test_an_ignored_failure_is_not_counted() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(podFailurePolicy=policy("Ignore"), backoffLimit=0))
    end_all(stage, 42)
    stage.run_for(15)
    assert "failed" not in stage.status("jobs", "report")
    end_all(stage)
    assert ending(stage)[0] == "Complete"


def test_some_indexes_may_be_enough() -> None:
    stage = Stage()
    rules = {"rules": [{"succeededIndexes": "1"}]}
    spec = job(completions=3, parallelism=3, completionMode="Indexed", successPolicy=rules)
    stage.make("jobs", "report", spec)
    stage.end(stage.pods()[1])
    stage.run_for(1)
    stage.bury_all()
    stage.run_for(2)
    assert ending(stage) == ("Complete", "SuccessPolicy", "Matched rules at index 0")
    assert not running(stage)


def test_a_deadline_ends_it() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(activeDeadlineSeconds=30))
    stage.ready_all()
    stage.run_for(31)
    assert "Failed" not in [entry["type"] for entry in stage.status("jobs", "report")["conditions"]]
    stage.bury_all()
    stage.run_for(2)
    assert ending(stage) == ("Failed", "DeadlineExceeded", "Job was active longer than specified deadline")
    assert stage.events("DeadlineExceeded") == ["Job was active longer than specified deadline"]


def test_a_work_queue_is_done_when_one_says_so_and_all_have_ended() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(parallelism=3))
    stage.change("jobs", "report", {"spec": {"parallelism": 2}})
    stage.run_for(2)
    stage.client.delete("jobs", SPACE, "report", policy="Background")
    stage.run_for(5)
    assert stage.pods() == []
    spec = job(parallelism=3)
    stage.client.create("jobs", {"metadata": {"name": "queue"}, "spec": {**spec, "completions": None}}, SPACE)
    stage.settle()
    assert len(running(stage)) == 3
    first, second, third = running(stage)
    stage.end(first, 1)
    stage.run_for(15)
    assert len(running(stage)) == 3  # nobody has said yet that there is no more work
    stage.end(second)
    stage.run_for(15)
    assert len(running(stage)) == 2
    assert not stage.status("jobs", "queue").get("conditions")
    end_all(stage)
    assert ending(stage, "queue")[0] == "Complete"
    assert stage.status("jobs", "queue")["succeeded"] == 3
    assert third["metadata"]["name"] in stage.names()


@pytest.mark.parametrize(("policy_name", "pods"), [("TerminatingOrFailed", 2), ("Failed", 1)])
def test_a_pod_on_its_way_out_is_replaced_at_once_or_when_it_is_gone(policy_name: str, pods: int) -> None:
    stage = Stage()
    stage.make("jobs", "report", job(podReplacementPolicy=policy_name))
    stage.ready_all()
    (pod,) = stage.pods()
    stage.client.delete("pods", SPACE, pod["metadata"]["name"])
    stage.run_for(15)
    assert len(stage.pods()) == pods
    assert stage.status("jobs", "report")["terminating"] == 1


def test_suspended_it_has_no_pods() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(suspend=True))
    assert stage.pods() == []
    assert ending(stage) == ("Suspended", "JobSuspended", "Job suspended")
    assert "startTime" not in stage.status("jobs", "report")
    stage.change("jobs", "report", {"spec": {"suspend": False}})
    assert len(stage.pods()) == 1
    stage.change("jobs", "report", {"spec": {"suspend": True}})
    assert running(stage) == []
    assert stage.events("Suspended") + stage.events("Resumed") == ["Job suspended", "Job resumed"]


def test_restarts_in_place_count_against_the_limit() -> None:
    stage = Stage()
    spec = {"template": template("task", restartPolicy="OnFailure"), "backoffLimit": 2}
    stage.make("jobs", "report", spec)
    stage.ready_all()
    (pod,) = stage.pods()
    statuses = [{**pod["status"]["containerStatuses"][0], "restartCount": 2}]
    stage.set_status(pod, {"containerStatuses": statuses})
    stage.run_for(1)
    stage.bury_all()
    stage.run_for(2)
    assert ending(stage)[1] == "BackoffLimitExceeded"


def test_another_controllers_job_is_left_alone() -> None:
    stage = Stage()
    stage.make("jobs", "report", job(managedBy="example.com/queue"))
    assert stage.pods() == []


def test_pods_of_a_deleted_job_are_let_go() -> None:
    stage = Stage()
    stage.make("jobs", "report", job())
    stage.ready_all()
    stage.client.delete("jobs", SPACE, "report", policy="Orphan")
    stage.run_for(2)
    (pod,) = stage.pods()
    assert "finalizers" not in pod["metadata"]


@given(st.sets(st.integers(0, 60)))
def test_sets_of_indexes_come_back(indexes: set[int]) -> None:
    text = format_indexes(indexes)
    assert parse_indexes(text, 61) == indexes
    assert parse_indexes(text, 30) == {index for index in indexes if index < 30}


@pytest.mark.parametrize(
    ("indexes", "text"), [(set(), ""), ({1}, "1"), ({1, 2}, "1,2"), ({1, 2, 3, 7, 9}, "1-3,7,9"), ({0, 1, 2}, "0-2")]
)
def test_how_indexes_are_written(indexes: set[int], text: str) -> None:
    assert format_indexes(indexes) == text
