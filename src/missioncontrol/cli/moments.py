"""Moments as people write them: a time, how long ago, or a cursor."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from missioncontrol.errors import BadCursor
from missioncontrol.events import Cursor

EXAMPLES = "'2h', '1d12h', 'yesterday 14:00', '09:30', '2026-11-23T10:15:00Z' or a cursor (EPOCH:ID)"

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "min": "minutes", "s": "seconds"}
_AGO = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?(?:w|d|h|min|m|s)\s*)+", re.ASCII)
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(w|d|h|min|m|s)", re.ASCII)
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DAYS_AGO = {"today": 0, "yesterday": 1}


def read_moment(text: str, now: datetime) -> datetime | Cursor:
    """Read a moment; what has no time zone is meant in that of `now`.

    A time of day alone is the last time that the clock has shown it.

    Raises:
        BadCursor: it is none of the forms.
    """
    plain = " ".join(text.lower().removesuffix(" ago").split())
    try:
        if plain == "now":
            return now
        if _AGO.fullmatch(plain):
            parts = _PART.findall(plain)
            return now - timedelta(**_summed(parts))
        if (clock := _CLOCK.fullmatch(plain)) is not None:
            moment = _at(now, clock)
            return moment if moment <= now else _at(now - timedelta(days=1), clock)
        word, _, rest = plain.partition(" ")
        if word in _DAYS_AGO:
            day = now - timedelta(days=_DAYS_AGO[word])
            clock = _CLOCK.fullmatch(rest or "00:00")
            if clock is not None:
                return _at(day, clock)
        elif "-" in text:
            moment = datetime.fromisoformat(text.strip().upper())
            return moment.astimezone(now.tzinfo) if moment.tzinfo else moment.astimezone()
        else:
            return Cursor.parse(text.strip())
    except (ValueError, OverflowError, BadCursor):
        pass
    raise BadCursor(f"{text!r} is no moment; write {EXAMPLES}.")


def _summed(parts: list[tuple[str, str]]) -> dict[str, float]:
    told: dict[str, float] = {}
    for count, unit in parts:
        told[_UNITS[unit]] = told.get(_UNITS[unit], 0.0) + float(count)
    return told


def _at(day: datetime, clock: re.Match[str]) -> datetime:
    hour, minute, second = clock.groups(default="0")
    # Made again from local parts, so that the day's own offset counts where the clocks were changed since.
    return datetime.combine(day.date(), time(int(hour), int(minute), int(second))).astimezone()
