"""`replay`: a stretch of the past again, at a speed, in the terminal or into another server."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from cyclopts import Parameter

from missioncontrol.cli.history import HistoryPage, Past, ServerPast, find_stretch, open_past, read_stretch
from missioncontrol.cli.moments import EXAMPLES
from missioncontrol.cli.sentences import describe_gap, note
from missioncontrol.cli.settings import ClientToken, Json, Url, read_token, read_url
from missioncontrol.cli.signals import on_ending
from missioncontrol.cli.status import duration
from missioncontrol.cli.values import EventPatterns
from missioncontrol.cli.watch import JsonPrinter, Printer
from missioncontrol.client import Event, Publisher
from missioncontrol.errors import BadEvent, ConfigError, ReservedKind
from missioncontrol.events import Data, Draft, Patterns, read_event, refuse_foreign
from missioncontrol.events.shapes import fit, is_reserved

INTO_BATCH = 500
"""How many events are published at a time where they come without a pause."""

LEAST_PAUSE = 0.005
"""Seconds below which nothing is waited for: it adds up, and is waited for then."""


def replay(
    *patterns: EventPatterns,
    from_: Annotated[
        str | None,
        Parameter(
            name="--from", help=f"Where to begin: {EXAMPLES}. Default: the oldest event that the log holds."
        ),
    ] = None,
    to: Annotated[str | None, Parameter(help="Where to end, in the same forms. Default: now.")] = None,
    speed: Annotated[
        str, Parameter(help="How many times as fast as it was, as in `1`, `10x`, or `max`.")
    ] = "10",
    max_pause: Annotated[
        float, Parameter(help="The longest pause in seconds; longer ones are shortened, with a note.")
    ] = 5.0,
    into: Annotated[
        str | None, Parameter(name="--into", help="Publish the events again into the server at this URL.")
    ] = None,
    into_token: Annotated[
        str | None, Parameter(help="The token of that server, where it asks for one.")
    ] = None,
    data: Annotated[
        Path | None, Parameter(help="Read the log in this data folder, where no server runs.")
    ] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Show again what happened, at the speed that it had or faster.

    With `--into` the events are published into another server instead, with their types, data and sources; the
    time at which they happened stands in the data's `timestamp`. Each has a key made of its place in the log,
    so that replaying the same again tells nothing twice.

    For example:

        mission-control replay --from 2h
        mission-control replay --from 'yesterday 14:00' --to 'yesterday 15:00' --speed 60 agent task
        mission-control replay --from k3v9x2ab:4711 --speed max --json
        mission-control replay --from 1d --into http://localhost:4001 --speed max
    """
    pace = Pace(read_speed(speed), max_pause)
    wanted = Patterns(patterns or ("*",))
    past = open_past(read_url(url), read_token(token), data)
    target = None if into is None else Target(into, read_token(into_token, environment={}))
    return asyncio.run(_Replay(pace, wanted, target, json=json).run(past, from_, to))


def read_speed(text: str) -> float | None:
    """Read a speed; None is as fast as it goes.

    Raises:
        ConfigError: it is none.
    """
    plain = text.strip().lower()
    if plain == "max":
        return None
    try:
        speed = float(plain.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < 1e9:
        raise ConfigError(f"--speed is {text!r}; write how many times as fast, as in 1, 10x or 0.5, or max.")
    return speed


class Pace:
    """How long to wait before an event, by the time between it and the one before."""

    def __init__(self, speed: float | None, max_pause: float) -> None:
        """Take a speed, None for no waiting at all, and the longest pause in seconds."""
        self._speed = speed
        self._max_pause = max(0.0, max_pause)
        self._last: datetime | None = None
        self._owed = 0.0

    def step(self, time: str) -> tuple[float, float]:
        """Return the pause in seconds, and how long it really was where it is shortened, else 0."""
        if self._speed is None:
            return 0.0, 0.0
        try:
            at = datetime.fromisoformat(time)
        except ValueError:
            return 0.0, 0.0
        between = 0.0 if self._last is None else max(0.0, (at - self._last).total_seconds())
        self._last = at
        pause = between / self._speed
        if pause > self._max_pause:
            return self._max_pause, between
        self._owed += pause
        return self._owed, 0.0

    def waited(self, seconds: float) -> None:
        """Note that so much was waited, so that being late is made up for."""
        self._owed = max(-1.0, self._owed - seconds)


class Target(NamedTuple):
    """The server into which events are published again."""

    url: str
    token: str | None


class _Replay:
    """One run."""

    def __init__(self, pace: Pace, patterns: Patterns, target: Target | None, *, json: bool) -> None:
        self._pace = pace
        self._patterns = patterns
        self._target = target
        self._printer = JsonPrinter(sys.stdout) if json else Printer(sys.stdout)
        self._publisher: Publisher | None = None
        self._epoch = ""
        self._waiting: list[Draft] = []
        self._told = 0
        self._last = 0
        self._left_out = 0
        self._at: int | None = None

    async def run(
        self, opening: AbstractAsyncContextManager[Past], begin: str | None, end: str | None
    ) -> int:
        """Replay from one moment to another, until the end or a signal."""
        this = asyncio.current_task()
        if this is not None:
            cancel = this.cancel
            on_ending(asyncio.get_running_loop(), lambda _: cancel())
        stopped = False
        try:
            async with AsyncExitStack() as opened:
                past = await opened.enter_async_context(opening)
                if self._target is not None:
                    await _refuse_same(past, self._target)
                    publisher = Publisher(self._target.url, token=self._target.token)
                    self._publisher = await opened.enter_async_context(publisher)
                await self._go(past, begin, end)
        except asyncio.CancelledError:
            stopped = True
        self._end(stopped=stopped)
        return 0

    async def _go(self, past: Past, begin: str | None, end: str | None) -> None:
        self._epoch = past.epoch
        stretch = await find_stretch(past, begin, end)
        if stretch.note:
            note(stretch.note)
        async for page in read_stretch(past, stretch, self._patterns):
            await self._tell(page)
        await self._hand_on()

    async def _tell(self, page: HistoryPage) -> None:
        if page.gap is not None:
            await self._hand_on()
            self._printer.print(page.gap)
            if self._publisher is not None:
                # What is printed is not what is published, and a hole in a copy must be seen.
                note(f"GAP: {describe_gap(page.gap)}")
        loop = asyncio.get_running_loop()
        for body in page.bodies:
            event = read_event(body)
            pause, instead_of = self._pace.step(event.time)
            if instead_of:
                await self._hand_on()
                note(f"{duration(instead_of)} without an event, shortened to {pause:g} s")
            if pause > LEAST_PAUSE:
                await self._hand_on()
                before = loop.time()
                await asyncio.sleep(pause)
                if not instead_of:
                    self._pace.waited(loop.time() - before)
            await self._take(event)
        # A turn for the signal that ends it: without a pause there would be none.
        await asyncio.sleep(0)

    async def _take(self, event: Event) -> None:
        if self._publisher is None:
            self._printer.print(event)
            self._told, self._at = self._told + 1, event.id
            return
        found = publishable(event, f"replay:{self._epoch}:{event.id}")
        self._left_out += not found
        self._waiting += found
        self._last = event.id
        if len(self._waiting) >= INTO_BATCH:
            await self._hand_on()

    async def _hand_on(self) -> None:
        """Let whoever reads have what waits."""
        if self._publisher is not None and self._waiting:
            await self._publisher.publish_many(self._waiting)
            self._told, self._at = self._told + len(self._waiting), self._last
            self._waiting.clear()
        self._printer.flush()

    def _end(self, *, stopped: bool) -> None:
        self._printer.flush()
        events = "1 event" if self._told == 1 else f"{self._told:,} events"
        done = "published" if self._publisher is not None else "shown"
        if self._left_out:
            note(f"left out {self._left_out:,} that only a server publishes, or that no server accepts today")
        if stopped and self._at is not None:
            note(f"stopped after {events}; go on with --from {self._epoch}:{self._at}")
        else:
            note(f"{events} {done}")


def publishable(event: Event, key: str) -> list[Draft]:
    """Return what a client may publish to the same effect as an event of a server; nothing where it cannot.

    A baseline, which only a server publishes, becomes an event for each of its records.
    """
    if not is_reserved(event.type):
        data = event.data if event.data.get("timestamp") else {**event.data, "timestamp": event.time}
        try:
            draft = Draft(event.type, fit(event.type, data), key, event.source)
            refuse_foreign([draft])
            return [draft]
        except ReservedKind:
            # A permission or a budget is asked by the server alone.
            return []
        except BadEvent:
            # An earlier release accepted what is refused today.
            return []
    if event.type != "state:baseline":
        return []
    made: list[tuple[str, Data]] = []
    for agent in _objects(event.data.get("agents")):
        made.append(
            (
                "agent:statusChange",
                {"agentId": agent.get("id"), "status": agent.get("status"), "agent": agent},
            )
        )
    made += [("task:created", {"task": task}) for task in _objects(event.data.get("tasks"))]
    made += [("lead:added", {"lead": lead}) for lead in _objects(event.data.get("leads"))]
    tokens = event.data.get("tokens")
    used = tokens.get("agents") if isinstance(tokens, dict) else None
    for name, use in used.items() if isinstance(used, dict) else ():
        if isinstance(use, dict):
            figures = {"tokens": use.get("tokens"), "cost": use.get("cost"), "session": use.get("session")}
            made.append(("token:usage", {"agent": name, **figures}))
    gateway = event.data.get("gateway")
    if isinstance(gateway, dict):
        made.append(("system:status", {"status": gateway.get("status"), "details": gateway.get("details")}))
    return [
        Draft(type_, {**data, "timestamp": event.time}, f"{key}:{number}", event.source)
        for number, (type_, data) in enumerate(made)
    ]


def _objects(value: Any) -> list[Data]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


async def _refuse_same(past: Past, target: Target) -> None:
    """Raise where a log would be replayed into itself, which would tell the past as the present."""
    async with ServerPast(*target) as other:
        if other.epoch == past.epoch:
            raise ConfigError(f"{target.url} has the very log that is to be replayed; name another server.")
