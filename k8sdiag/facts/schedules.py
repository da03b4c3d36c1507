"""CronJobs by the clock: is the time zone known, and how many runs are overdue; for when no event is left to say so.

Sample: `spec.schedule: "*/5 * * * *"`, `status.lastScheduleTime` an hour ago, and no Job is active.
"""

from __future__ import annotations

from collections.abc import Iterator

from k8sdiag.clock import parse_time
from k8sdiag.evidence import Json, ref_of
from k8sdiag.facts import Fact, Keys, workload_key
from k8sdiag.finding import Proof
from k8sdiag.patterns import regex
from k8sdiag.relations import View

KIND = "schedule"
KEYS = ("workload", "namespace")
FIELDS = {
    "name": "metadata.name of the CronJob",
    "namespace": "metadata.namespace",
    "schedule": "spec.schedule",
    "timeZone": "spec.timeZone",
    "timeZone.known": "it is in the IANA time zone database: yes, no or unknown",
    "concurrency": "spec.concurrencyPolicy",
    "suspended": "spec.suspend",
    "active": "status.active[].name",
    "missed": "runs that should have begun since the last one, where the schedule is a simple one",
    "last": "status.lastScheduleTime, or metadata.creationTimestamp where there has been none",
    "last.seconds": "seconds since then",
}
_EVERY = regex(r"(?:\*/(\d{1,2})|\*) \* \* \* \*")
_HOURLY = regex(r"\d{1,2} \* \* \* \*|@hourly")
_DAILY = regex(r"\d{1,2} \d{1,2} \* \* \*|@daily|@midnight")


def derive(view: View) -> Iterator[Fact]:
    for cron in view.of_kind("CronJob"):
        spec, status, ref = cron.get("spec") or {}, cron.get("status") or {}, ref_of(cron)
        last = status.get("lastScheduleTime") or cron["metadata"].get("creationTimestamp") or ""
        began, period = parse_time(last), _period(spec.get("schedule") or "")
        waited = int(view.snapshot.taken_at - began) if began is not None else None
        active = [item.get("name") or "" for item in status.get("active") or []]
        fields = {
            "name": ref.name,
            "namespace": ref.namespace,
            "schedule": spec.get("schedule") or "",
            "timeZone": spec.get("timeZone") or "",
            "timeZone.known": _known(spec.get("timeZone") or ""),
            "concurrency": spec.get("concurrencyPolicy") or "Allow",
            "suspended": bool(spec.get("suspend")),
            "active": tuple(active),
            "missed": waited // period if waited is not None and period else None,
            "last": last,
            "last.seconds": waited,
        }
        keys: Keys = {"workload": (workload_key(ref),), "namespace": (ref.namespace,)}
        yield Fact(KIND, ref, fields, keys, tuple(_proof(str(ref), spec, status)))


def _period(schedule: str) -> int | None:
    """Seconds between two runs of a simple schedule."""
    schedule = " ".join(schedule.split())
    every = _EVERY.fullmatch(schedule)
    if every:
        return 60 * int(every.group(1) or 1) or None
    if _HOURLY.fullmatch(schedule):
        return 3600
    return 86400 if _DAILY.fullmatch(schedule) else None


def _known(zone: str) -> str:
    if not zone or not _loads("Europe/London"):  # no time zone database here
        return "unknown"
    return "yes" if _loads(zone) else "no"


def _loads(zone: str) -> bool:
    from zoneinfo import ZoneInfo  # looks for its database when imported

    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        return False
    return True


def _proof(word: str, spec: Json, status: Json) -> Iterator[Proof]:
    zone = f"; spec.timeZone: {spec['timeZone']}" if spec.get("timeZone") else ""
    yield Proof("spec", word, "", f"spec.schedule: {spec.get('schedule')}{zone}")
    yield Proof("status", word, "", f"status.lastScheduleTime: {status.get('lastScheduleTime') or 'none'}")
