"""Which run of a CronJob is due now, and when the next one is (pkg/controller/cronjob/utils.go
mostRecentScheduleTime)."""

from __future__ import annotations

from dataclasses import dataclass

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json
from k8sdiag.minicluster.cron import Every, Schedule


@dataclass(frozen=True, slots=True)
class Due:
    """The latest moment that has passed without its run, the next one, and how many were missed."""

    at: float | None
    next: float | None
    missed: int = 0


def look_up(schedule: Schedule | Every, cron_job: Json, now: float) -> Due:
    """Counted from the last run, or from the CronJob's making; not from before its starting deadline."""
    created = parse_time(cron_job["metadata"].get("creationTimestamp")) or 0.0
    last = parse_time((cron_job.get("status") or {}).get("lastScheduleTime"))
    since = created if last is None else last
    deadline = cron_job["spec"].get("startingDeadlineSeconds")
    if deadline is not None:
        since = max(since, now - deadline)
    first = schedule.next(since)
    if first is None or now < first:
        return Due(None, first)
    second = schedule.next(first)
    if second is None or now < second:
        return Due(first, second, 1)
    # Of a long gap only the end is walked: from where an even beat would have come to.
    beat = second - first
    missed = int((now - first) / beat) + 1
    latest = first + max(0, missed - 2) * beat if isinstance(schedule, Every) else first
    if not isinstance(schedule, Every) and missed > 2:
        latest = schedule.next(first + (missed - 2) * beat - 1) or first
        latest = latest if latest <= now else first
    upcoming = schedule.next(latest)
    while upcoming is not None and upcoming <= now:
        latest, upcoming = upcoming, schedule.next(upcoming)
    return Due(latest, upcoming, missed)
