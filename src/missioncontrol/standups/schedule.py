"""Standups at a time of day: once for each scheduled time, through restarts and at one of several nodes.

Exactly once rests on the standup itself: it carries the time that it was scheduled for, which the folded state keeps
and the log holds as an idempotency key. Of several nodes the one with the lease holds it; should two do it all the
same, the log keeps the first.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from datetime import datetime, time, timedelta
from time import time as wall_clock
from typing import NamedTuple

from missioncontrol.background import BackgroundTasks
from missioncontrol.config import WEEKDAYS, StandupConfig
from missioncontrol.errors import ConfigError, MissionControlError
from missioncontrol.standups.standups import Standups
from missioncontrol.store import Log

CATCH_UP = timedelta(hours=12)
"""How late a standup is still held for which no server was running."""

LONGEST_SLEEP = 30.0
"""A clock that is set is noticed so soon."""

RETRY_SECONDS = 5.0
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)

logger = logging.getLogger(__name__)


class Schedule(NamedTuple):
    """At which time of day on which days of the week (0 is Monday), on the clock of this machine."""

    at: time
    weekdays: frozenset[int]

    def last(self, moment: datetime) -> datetime:
        """Return the newest scheduled time that is not after a local moment."""
        day = moment.date()
        if moment.time() < self.at:
            day -= timedelta(days=1)
        while day.weekday() not in self.weekdays:
            day -= timedelta(days=1)
        return datetime.combine(day, self.at)

    def following(self, moment: datetime) -> datetime:
        """Return the first scheduled time after a local moment."""
        day = self.last(moment).date() + timedelta(days=1)
        while day.weekday() not in self.weekdays:
            day += timedelta(days=1)
        return datetime.combine(day, self.at)


def read_schedule(config: StandupConfig) -> Schedule | None:
    """Read the settings; None where no standup is scheduled.

    Raises:
        ConfigError: the time of day has another form.
    """
    if config.at is None:
        if config.weekdays:
            raise ConfigError("standup.weekdays needs standup.at, as in at = '09:00'.")
        return None
    found = _TIME.fullmatch(config.at)
    if found is None:
        raise ConfigError(f"standup.at is {config.at[:40]!r}; write a time of day, as in '09:00'.")
    days = config.weekdays or WEEKDAYS
    return Schedule(time(int(found[1]), int(found[2])), frozenset(WEEKDAYS.index(day) for day in days))


class StandupSchedule:
    """Holds the scheduled standups while it is active. Begins with `start`, and may begin again after `stop`."""

    def __init__(
        self,
        schedule: Schedule,
        standups: Standups,
        log: Log,
        background: BackgroundTasks,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        """Prepare.

        Args:
            schedule: when.
            standups: what holds them.
            log: the log that they are about.
            background: runs the waiting, and shows in `/health` when it fails.
            clock: the time of day in seconds since 1970.
        """
        self.active = False
        self._schedule = schedule
        self._standups = standups
        self._log = log
        self._background = background
        self._now = clock
        self._task: asyncio.Task[None] | None = None
        self._passed: str | None = None

    async def start(self) -> None:
        """Begin to hold standups at their times."""
        self.active = True
        self._task = self._background.keep("standups", self._run)

    async def stop(self) -> None:
        """End; a standup that is being made is not recorded."""
        self.active = False
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self.check()
                sleep = self._seconds_left()
            except MissionControlError as error:
                logger.warning("standup.waits", extra={"reason": str(error)})
                sleep = RETRY_SECONDS
            await asyncio.sleep(min(sleep, LONGEST_SLEEP))

    async def check(self) -> None:
        """Hold the standup that is due, unless it was held.

        Raises:
            Unavailable: the log cannot be read or written.
        """
        moment = datetime.fromtimestamp(self._now())
        due = self._schedule.last(moment)
        label = due.isoformat(timespec="minutes")
        if self._passed == label:
            return
        if self._standups.scheduled(label) is None and await self._is_wanted(due, moment):
            await self._standups.hold(scheduled=label)
            logger.info("standup.held", extra={"scheduled": label})
        self._passed = label

    async def _is_wanted(self, due: datetime, moment: datetime) -> bool:
        """Return whether a missed standup is still to be held: not too late, and not older than the log."""
        if moment - due > CATCH_UP:
            return False
        return await self._log.id_at(round(due.timestamp() * 1000)) > 0

    def _seconds_left(self) -> float:
        moment = self._now()
        following = self._schedule.following(datetime.fromtimestamp(moment))
        return max(0.0, following.timestamp() - moment)
