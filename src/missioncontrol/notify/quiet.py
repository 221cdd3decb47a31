"""Quiet hours: a stretch of every day, on the clock of a time zone."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from missioncontrol.errors import ConfigError

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)", re.ASCII)


class QuietHours(NamedTuple):
    """From `begin` to `end`, over midnight where that is earlier; `zone` is None for this machine's own."""

    begin: time
    end: time
    zone: ZoneInfo | None

    @classmethod
    def parse(cls, text: str, zone: str | None) -> QuietHours:
        """Read `22:00-07:00`.

        Raises:
            ConfigError: the hours have another form, or there is no such time zone.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None or found.group(1, 2) == found.group(3, 4):
            raise ConfigError(f"quiet_hours is {text[:40]!r}; write two times of day, as in '22:00-07:00'.")
        try:
            where = None if zone is None else ZoneInfo(zone)
        except (LookupError, ValueError, OSError):
            raise ConfigError(f"quiet_zone is {zone!r}; name a time zone, as in 'Europe/Berlin'.") from None
        begin_hour, begin_minute, end_hour, end_minute = map(int, found.groups())
        return cls(time(begin_hour, begin_minute), time(end_hour, end_minute), where)

    def ends(self, now: float) -> float | None:
        """Return when the quiet hours end that `now` lies in; None where it lies in none. In seconds since 1970."""
        local = datetime.fromtimestamp(now, self.zone)
        clock = local.time()
        within_a_day = min(self.begin, self.end) <= clock < max(self.begin, self.end)
        if within_a_day != (self.begin < self.end):
            return None
        day = local.date() + timedelta(days=1) if clock >= self.end else local.date()
        # The wall clock decides, so that the end is right also in a night in which the clocks change.
        return datetime.combine(day, self.end, self.zone).timestamp()
