"""Cron schedules: robfig's grammar and its complaints, and when the next run is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k8sdiag.clock import format_time, parse_time
from k8sdiag.minicluster import cron
from k8sdiag.minicluster.cron import CronError, Every, Schedule


def after(text: str, moment: str, zone: str = "") -> str:
    at = parse_time(moment)
    assert at is not None
    return format_time(cron.parse(text, zone).next(at))


@pytest.mark.parametrize(
    ("text", "from_", "to"),
    [
        ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"),
        ("* * * * *", "2026-01-01T00:00:30Z", "2026-01-01T00:01:00Z"),
        ("*/15 * * * *", "2026-01-01T00:44:59Z", "2026-01-01T00:45:00Z"),
        ("*/15 * * * *", "2026-01-01T00:45:00Z", "2026-01-01T01:00:00Z"),
        ("5/15 * * * *", "2026-01-01T00:21:00Z", "2026-01-01T00:35:00Z"),
        ("20-35/15 * * * *", "2026-01-01T00:21:00Z", "2026-01-01T00:35:00Z"),
        ("0 3 * * *", "2026-01-01T03:00:00Z", "2026-01-02T03:00:00Z"),
        ("0 0 31 * *", "2026-02-01T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 * * MON-FRI", "2026-01-02T12:00:00Z", "2026-01-05T00:00:00Z"),
        ("0 0 * JAN,jul Sun", "2026-02-01T12:00:00Z", "2026-07-05T00:00:00Z"),
        # Day of month and day of week: either will do where both are given, both where one is a star.
        ("0 0 13 * 5", "2026-01-10T00:00:00Z", "2026-01-13T00:00:00Z"),
        ("0 0 13 * 5", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"),
        ("0 0 13 * ?", "2026-01-13T00:00:00Z", "2026-02-13T00:00:00Z"),
        ("@hourly", "2026-01-01T00:10:00Z", "2026-01-01T01:00:00Z"),
        ("@daily", "2026-01-01T00:10:00Z", "2026-01-02T00:00:00Z"),
        ("@weekly", "2026-01-01T00:10:00Z", "2026-01-04T00:00:00Z"),
        ("@monthly", "2026-01-01T00:10:00Z", "2026-02-01T00:00:00Z"),
        ("@yearly", "2026-01-01T00:10:00Z", "2027-01-01T00:00:00Z"),
        ("@every 1h30m", "2026-01-01T00:10:00Z", "2026-01-01T01:40:00Z"),
        ("@every 10ms", "2026-01-01T00:10:00Z", "2026-01-01T00:10:01Z"),
        ("TZ=Asia/Tokyo 0 6 * * *", "2026-01-01T00:00:00Z", "2026-01-01T21:00:00Z"),
        ("CRON_TZ=Asia/Tokyo @daily", "2026-01-01T00:00:00Z", "2026-01-01T15:00:00Z"),
        ("0 0 30 2 *", "2026-01-01T00:00:00Z", ""),
    ],
)
def test_next(text: str, from_: str, to: str) -> None:
    assert after(text, from_) == to


def test_daylight_saving() -> None:
    # 02:30 does not exist in Berlin on 29 March 2026, and is there twice on 25 October.
    assert after("30 2 * * *", "2026-03-28T12:00:00Z", "Europe/Berlin") == "2026-03-30T00:30:00Z"
    assert after("30 2 * * *", "2026-10-24T12:00:00Z", "Europe/Berlin") == "2026-10-25T00:30:00Z"
    assert after("30 2 * * *", "2026-10-25T00:30:00Z", "Europe/Berlin") == "2026-10-26T01:30:00Z"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "empty spec string"),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("every day", "expected exactly 5 fields, found 2: [every day]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* 24 * * *", "end of range (24) above maximum (23): 24"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-3 * * * *", "beginning of range (5) beyond end of range (3): 5-3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=Mars/Olympus * * * * *", "provided bad location Mars/Olympus: unknown time zone Mars/Olympus"),
    ],
)
def test_complaints(text: str, complaint: str) -> None:
    with pytest.raises(CronError) as caught:
        cron.parse(text)
    assert str(caught.value) == complaint


def test_unknown_zone() -> None:
    with pytest.raises(CronError, match="unknown time zone Mars/Olympus"):
        cron.parse("* * * * *", "Mars/Olympus")


def parts(least: int, most: int) -> st.SearchStrategy[str]:
    number = st.integers(least, most)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    one = st.one_of(st.just("*"), number.map(str), span, span.map(lambda text: f"{text}/2"), st.just("*/7"))
    return st.lists(one, min_size=1, max_size=3).map(",".join)


FIELDS = st.tuples(parts(0, 59), parts(0, 23), parts(1, 28), parts(1, 12), parts(0, 6)).map(" ".join)
MOMENTS = st.integers(0, 4_000_000_000).map(float)


@given(FIELDS, MOMENTS)
def test_the_next_run_fits_and_none_is_between(text: str, moment: float) -> None:
    schedule = cron.parse(text)
    assert isinstance(schedule, Schedule)
    found = schedule.next(moment)
    assert found is not None
    assert found > moment
    assert fits(schedule, datetime.fromtimestamp(found, UTC))
    minute = datetime.fromtimestamp(found, UTC) - timedelta(minutes=1)
    while minute.timestamp() > moment and found - minute.timestamp() < 86400:
        assert not fits(schedule, minute)
        minute -= timedelta(minutes=1)


def fits(schedule: Schedule, at: datetime) -> bool:
    day, weekday = at.day in schedule.days, at.isoweekday() % 7 in schedule.weekdays
    starred = schedule.any_day or schedule.any_weekday
    return (
        at.second == 0
        and at.minute in schedule.minutes
        and at.hour in schedule.hours
        and at.month in schedule.months
        and ((day and weekday) if starred else (day or weekday))
    )


@given(st.text(max_size=30))
def test_any_text_is_a_schedule_or_an_error(text: str) -> None:
    try:
        found = cron.parse(text)
    except CronError:
        return
    assert isinstance(found, Schedule | Every)
