"""Cron schedules as CronJobs take them: robfig/cron v3 ParseStandard (parser.go, spec.go, constantdelay.go).

Five fields (minute, hour, day of month, month, day of week) with `*`, `?`, ranges, steps, lists and names, the words
`@hourly`, `@daily`…, `@every 1h30m`, and a `TZ=` or `CRON_TZ=` in front. Complaints are robfig's, word for word:
`kubectl create cronjob` prints them.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from k8sdiag.patterns import regex


class CronError(ValueError):
    """A schedule that is none; the words are robfig/cron's."""


@dataclass(frozen=True, slots=True)
class Every:
    """`@every 1h30m`: so many seconds apart, counted from whenever one asks."""

    seconds: int

    def next(self, after: float) -> float:
        """The first moment after `after`, on a whole second."""
        return float(int(after) + self.seconds)


@dataclass(frozen=True, slots=True)
class Schedule:
    """What each field allows. `any_day` and `any_weekday`: the field was `*` or `?`, so that the other alone decides;
    where neither was, a day that fits either will do."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: tzinfo = UTC

    def next(self, after: float) -> float | None:
        """The first moment after `after` that fits; None where there is none within five years (30 February)."""
        # The wall clock is walked, then put back into its zone: an hour that daylight saving skips has no run, one that
        # it repeats has the first only.
        local = datetime.fromtimestamp(after, self.zone)
        wall = local.replace(tzinfo=None, second=0, microsecond=0)
        last = wall.year + 5
        wall += timedelta(minutes=1)
        while True:
            found = self._from(wall, last)
            if found is None:
                return None
            moment = found.replace(tzinfo=self.zone).timestamp()
            exists = datetime.fromtimestamp(moment, self.zone).replace(tzinfo=None) == found
            if exists and moment > after:
                return moment
            wall = found + timedelta(minutes=1)

    def _from(self, wall: datetime, last_year: int) -> datetime | None:
        """The first wall-clock minute at or after `wall` that fits."""
        while wall.year <= last_year:
            if wall.month not in self.months:
                wall = _next_month(wall)
            elif not self._day(wall):
                wall = wall.replace(hour=0, minute=0) + timedelta(days=1)
            elif wall.hour not in self.hours:
                wall = wall.replace(minute=0) + timedelta(hours=1)
            elif wall.minute not in self.minutes:
                wall += timedelta(minutes=1)
            else:
                return wall
        return None

    def _day(self, wall: datetime) -> bool:
        day, weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return day and weekday if self.any_day or self.any_weekday else day or weekday


def _next_month(wall: datetime) -> datetime:
    length = calendar.monthrange(wall.year, wall.month)[1]
    return wall.replace(day=1, hour=0, minute=0) + timedelta(days=length)


@dataclass(frozen=True, slots=True)
class _Field:
    least: int
    most: int
    names: tuple[str, ...] = ()  # the first one means `least`


_MINUTE, _HOUR, _DAY = _Field(0, 59), _Field(0, 23), _Field(1, 31)
_MONTH = _Field(1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
_WEEKDAY = _Field(0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

_WORDS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_DURATION = regex(r"[+-]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
_PART = regex(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse(text: str, zone: str = "") -> Schedule | Every:
    """A schedule in a time zone (`zone`, or the one the text starts with; else UTC). CronError for what is none."""
    if not text:
        raise CronError("empty spec string")
    place: tzinfo = load_zone(zone) if zone else UTC
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, blank, text = text.partition(" ")
        if not blank:  # robfig slices past the end here and the server answers 500; refusing says as much
            raise CronError("expected exactly 5 fields, found 0: []")
        name = head.partition("=")[2]
        try:
            place = load_zone(name)
        except CronError as error:
            raise CronError(f"provided bad location {name}: {error}") from error
        text = text.strip()
    if text.startswith("@"):
        return _word(text, place)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise CronError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    sets = [_field(words, bounds) for words, bounds in zip(fields, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = sets
    return Schedule(minutes, hours, days, months, weekdays, any_day, any_weekday, place)


def load_zone(name: str) -> tzinfo:
    """An IANA zone, as Go's time.LoadLocation would find it. CronError with Go's words where there is none."""
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CronError(f"unknown time zone {name}") from error


def _word(text: str, place: tzinfo) -> Schedule | Every:
    if text in _WORDS:
        found = parse(_WORDS[text])
        assert isinstance(found, Schedule)  # noqa: S101 - the table above holds nothing else
        return Schedule(
            found.minutes, found.hours, found.days, found.months, found.weekdays,
            found.any_day, found.any_weekday, place,
        )  # fmt: skip
    if text.startswith("@every "):
        seconds = _duration(text[len("@every ") :])
        if seconds is None:
            quoted = text[len("@every ") :].replace("\\", "\\\\").replace('"', '\\"')
            raise CronError(f'failed to parse duration {text}: time: invalid duration "{quoted}"')
        return Every(max(1, int(seconds)))
    raise CronError(f"unrecognized descriptor: {text}")


def _duration(text: str) -> float | None:
    """Go's time.ParseDuration."""
    if text in ("0", "+0", "-0"):
        return 0.0
    if not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return -seconds if text.startswith("-") else seconds


def _field(text: str, bounds: _Field) -> tuple[frozenset[int], bool]:
    """The values of a comma-separated list, and whether one of its parts was a star."""
    allowed: set[int] = set()
    star = False
    for part in text.split(","):
        if part:
            values, starred = _range(part, bounds)
            allowed |= values
            star = star or starred
    return frozenset(allowed), star


def _range(text: str, bounds: _Field) -> tuple[set[int], bool]:
    """`number | number "-" number [ "/" number ] | "*" | "?"`, with or without a step."""
    span, *steps = text.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if star:
        start, end = bounds.least, bounds.most
    else:
        start = _number(ends[0], bounds)
        if len(ends) > 2:
            raise CronError(f"too many hyphens: {text}")
        end = start if len(ends) == 1 else _number(ends[1], bounds)
    step = 1
    if len(steps) > 1:
        raise CronError(f"too many slashes: {text}")
    if steps:
        step = _whole(steps[0])
        if len(ends) == 1 and not star:  # `N/step` means `N-max/step`
            end = bounds.most
        if step > 1:
            star = False
    if start < bounds.least:
        raise CronError(f"beginning of range ({start}) below minimum ({bounds.least}): {text}")
    if end > bounds.most:
        raise CronError(f"end of range ({end}) above maximum ({bounds.most}): {text}")
    if start > end:
        raise CronError(f"beginning of range ({start}) beyond end of range ({end}): {text}")
    if step == 0:
        raise CronError(f"step of range should be a positive number: {text}")
    return set(range(start, end + 1, step)), star


def _number(text: str, bounds: _Field) -> int:
    if text.lower() in bounds.names:
        return bounds.names.index(text.lower()) + bounds.least
    return _whole(text)


def _whole(text: str) -> int:
    sign = text[:1] if text[:1] in ("+", "-") else ""
    digits = text[len(sign) :]
    if not (digits.isascii() and digits.isdigit()):
        quoted = text.replace("\\", "\\\\").replace('"', '\\"')
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{quoted}": invalid syntax')
    number = int(digits)
    if sign == "-" and number:
        raise CronError(f"negative number (-{number}) not allowed: {text}")
    return number
