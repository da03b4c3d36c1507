"""CronJobs: when, how many at once, how many are kept, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from k8sdiag.clock import format_time, parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.controllers.cron_schedule import look_up
from k8sdiag.minicluster.cron import parse
from tests.minicluster.controllers.stage import SPACE, START, Stage, template


def cron(schedule: str = "*/5 * * * *", **spec: Any) -> Json:
    return {
        "schedule": schedule,
        "jobTemplate": {"spec": {"template": template("task", restartPolicy="Never")}},
        **spec,
    }


def end_all(stage: Stage, code: int = 0) -> None:
    for pod in stage.living():
        if pod["status"]["phase"] in ("Pending", "Running"):
            stage.end(pod, code)
    stage.run_for(2)


def named(minutes: int) -> str:
    return f"tick-{int(START) // 60 + minutes}"


def test_a_job_at_each_moment_named_after_it() -> None:
    stage = Stage()
    made = stage.make("cronjobs", "tick", cron())
    assert stage.names("jobs") == []
    stage.run_for(299)
    assert stage.names("jobs") == []
    stage.run_for(2)
    assert stage.names("jobs") == [named(5)]
    job = stage.get("jobs", named(5))
    assert job["metadata"]["annotations"] == {"batch.kubernetes.io/cronjob-scheduled-timestamp": "2027-01-15T08:05:00Z"}
    assert job["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "name": "tick",
            "uid": made["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]
    status = stage.status("cronjobs", "tick")
    assert status["lastScheduleTime"] == "2027-01-15T08:05:00Z"
    (active,) = status["active"]
    assert (active["kind"], active["name"], active["uid"]) == ("Job", named(5), job["metadata"]["uid"])
    assert stage.events("SuccessfulCreate", "CronJob") == [f"Created job {named(5)}"]
    end_all(stage)
    status = stage.status("cronjobs", "tick")
    assert "active" not in status
    assert status["lastSuccessfulTime"] == stage.status("jobs", named(5))["completionTime"]
    assert stage.events("SawCompletedJob") == [f"Saw completed job: {named(5)}, condition: Complete"]


def test_forbid_leaves_a_run_out() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron(concurrencyPolicy="Forbid"))
    stage.run_for(601)
    assert stage.names("jobs") == [named(5)]
    message = "Not starting job because prior execution is running and concurrency policy is Forbid"
    assert set(stage.events("JobAlreadyActive")) == {message}
    end_all(stage)
    assert stage.names("jobs") == [named(5), named(10)]  # the one that was left out, late


def test_replace_ends_the_old_one() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron(concurrencyPolicy="Replace"))
    stage.run_for(602)
    assert stage.names("jobs") == [named(10)]
    assert stage.events("SuccessfulDelete", "CronJob") == [f"Deleted job {named(5)}"]
    assert [entry["name"] for entry in stage.status("cronjobs", "tick")["active"]] == [named(10)]


def test_allow_runs_both() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron())
    stage.run_for(601)
    assert [entry["name"] for entry in stage.status("cronjobs", "tick")["active"]] == [named(5), named(10)]


def test_only_so_many_are_kept() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron(successfulJobsHistoryLimit=2, failedJobsHistoryLimit=1))
    stage.change("cronjobs", "tick", {"spec": {"jobTemplate": {"spec": {"backoffLimit": 0}}}})
    stage.run_for(3)
    for code in (0, 0, 1, 0, 1):
        stage.run_for(300 - 2)
        end_all(stage, code)
    assert stage.names("jobs") == [named(10), named(20), named(25)]


def test_suspended_it_starts_nothing_and_then_catches_up_once() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron(suspend=True))
    stage.run_for(1000)
    assert stage.names("jobs") == []
    stage.change("cronjobs", "tick", {"spec": {"suspend": False}})
    assert stage.names("jobs") == [named(15)]


def test_too_late_is_not_at_all() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron(suspend=True, startingDeadlineSeconds=20))
    stage.run_for(400)
    stage.change("cronjobs", "tick", {"spec": {"suspend": False}})
    assert stage.names("jobs") == []
    stage.run_for(201)
    assert stage.names("jobs") == [named(10)]


def test_a_job_that_went_missing_is_noticed() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron())
    stage.run_for(301)
    stage.client.delete("jobs", SPACE, named(5), policy="Background")
    stage.settle()
    assert stage.events("MissingJob") == [f"Active job went missing: {named(5)}"]
    assert "active" not in stage.status("cronjobs", "tick")


def test_its_time_zone_counts() -> None:
    stage = Stage()
    stage.make("cronjobs", "tick", cron("30 9 * * *", timeZone="Europe/Berlin"))
    stage.run_for(30 * 60 + 1)  # 08:30 UTC
    (name,) = stage.names("jobs")
    stamp = stage.get("jobs", name)["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert stamp == "2027-01-15T09:30:00+01:00"


def cron_job(created: str, last: str = "", deadline: int | None = None) -> Json:
    spec = {} if deadline is None else {"startingDeadlineSeconds": deadline}
    status = {"lastScheduleTime": last} if last else {}
    return {"metadata": {"creationTimestamp": created}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("schedule", "obj", "now", "due", "upcoming", "missed"),
    [
        ("0 * * * *", cron_job("2027-01-15T08:10:00Z"), "2027-01-15T08:59:59Z", "", "2027-01-15T09:00:00Z", 0),
        (
            *("0 * * * *", cron_job("2027-01-15T08:10:00Z"), "2027-01-15T09:00:01Z"),
            *("2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z", 1),
        ),
        (
            *("0 * * * *", cron_job("2027-01-15T08:10:00Z", "2027-01-15T09:00:00Z"), "2027-01-15T12:30:00Z"),
            *("2027-01-15T12:00:00Z", "2027-01-15T13:00:00Z", 3),
        ),
        (
            *("* * * * *", cron_job("2027-01-01T00:00:00Z"), "2027-01-15T08:00:30Z"),
            *("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z", 20640),
        ),
        (
            *("* * * * *", cron_job("2027-01-01T00:00:00Z", deadline=90), "2027-01-15T08:00:30Z"),
            *("2027-01-15T08:00:00Z", "2027-01-15T08:01:00Z", 1),
        ),
        (  # a beat that is not even: working hours only
            *("0 9-17 * * 1-5", cron_job("2027-01-08T00:00:00Z"), "2027-01-15T20:00:00Z"),
            *("2027-01-15T17:00:00Z", "2027-01-18T09:00:00Z", 180),
        ),
    ],
)
def test_which_run_is_due(schedule: str, obj: Json, now: str, due: str, upcoming: str, missed: int) -> None:
    found = look_up(parse(schedule), obj, parse_time(now) or 0.0)
    assert (format_time(found.at), format_time(found.next), found.missed) == (due, upcoming, missed)
