"""Reads the log and sends messages: the rules' planner, the destinations, and what is remembered between.

Invariants:

- what is remembered (how far the log was read, what is held, what waits to be sent) is kept in the log's own database,
  with an attempt's outcome in the same transaction: after a crash nothing is missing, and a message is sent twice only
  where the crash came between sending it and noting that;
- nobody waits for a destination: while it is slow or away, reading goes on, and what is to be told grows no larger;
- what the notifier tells is never told by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import time as wall_clock

import msgspec

from missioncontrol.background import BackgroundTasks
from missioncontrol.backoff import Backoff
from missioncontrol.config import Level
from missioncontrol.errors import MissionControlError, NotFound
from missioncontrol.events import Data, Draft, Event, Patterns, Record, read_event
from missioncontrol.notify.batch import Batch
from missioncontrol.notify.delivery import Delivery, Waiting, remaining, settle, works
from missioncontrol.notify.planner import Planner, RuleState
from missioncontrol.notify.routes import Routes
from missioncontrol.notify.rules import OWN_CATEGORY, SOURCE, Rule
from missioncontrol.notify.status import (
    DestinationStatus,
    NotifyFigures,
    RuleStatus,
    Trial,
    describe_destination,
    describe_rule,
)
from missioncontrol.notify.text import compose
from missioncontrol.store.log import Checkpoint, Log

NOTIFICATIONS = Patterns(["notification:sent", "notification:failed"])
KEPT = 500
"""How many of the notifications that were sent are shown; the log keeps them as long as everything else."""

_STATE = "state"
_OVER = Patterns(["question:answered", "question:closed"])
PAGE_EVENTS = 200
"""How many events are taken in at once: the loop is held for as long as that takes."""

GATHER_SECONDS = 0.1
LONGEST_SLEEP = 30.0
KEEP_CURSOR_EVENTS = 1_000
STOP_SECONDS = 2.0
MAX_KEEP_PAUSE = 5.0
TEST_TITLE = "Test"
TEST_BODY = "This is a test of Mission Control's notifications. Whoever reads it would be told."

logger = logging.getLogger(__name__)


class _Memory(msgspec.Struct):
    """What is remembered: everything up to the id `after` was read."""

    after: int
    rules: dict[str, RuleState] = {}
    deliveries: dict[str, Delivery] = {}


_memories = msgspec.json.Decoder(_Memory)
_batches = msgspec.json.Decoder(Batch)


class Notifier:
    """Tells people outside the dashboard. Begins with `start`, and may begin again after `stop`.

    `active` says whether it does that now: of several nodes one does.
    """

    def __init__(
        self,
        log: Log,
        routes: Routes,
        clock: Callable[[], float] = wall_clock,
        *,
        background: BackgroundTasks | None = None,
    ) -> None:
        """Prepare; nothing is read or sent before `start`.

        Args:
            log: what it reads.
            routes: what `prepare` has made of the settings.
            clock: the time of day in seconds since 1970.
            background: where it is reported that it has failed and begins again.
        """
        self._background = background or BackgroundTasks()
        self.active = False
        self.figures = NotifyFigures()
        self._log = log
        self._routes, self._destinations = routes
        self._now = clock
        self._wake = {label: asyncio.Event() for label in self._destinations}
        self._look = asyncio.Event()
        self._keeping = asyncio.Lock()
        self._sending = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        names = [name for route in self._routes for name in route.rule.patterns.names()]
        self._patterns = Patterns([*dict.fromkeys(names), *_OVER.names()])
        self._forget()

    def _forget(self) -> None:
        self._after = self._kept_after = self._log.head
        self._planner = Planner([route.rule for route in self._routes])
        self._deliveries = {label: Delivery() for label in self._destinations}

    async def start(self) -> None:
        """Begin to read and to send. Where it never did on this log, what is there already is not told."""
        self._forget()
        self.active = True
        # It begins again with what was kept last, so that at worst something is told twice.
        self._task = self._background.keep("notifications", self._run)

    async def stop(self) -> None:
        """End; what is being sent may be noted for a moment, everything else goes on at the next start."""
        self.active = False
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self._idle.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def look(self) -> None:
        """Look at the clock and the log now."""
        self._look.set()

    # What is known of it.

    def rules(self) -> list[RuleStatus]:
        """Say what each rule is, and what it does now."""
        moment = self._now()
        return [describe_rule(route, self._planner, moment) for route in self._routes]

    def destinations(self) -> list[DestinationStatus]:
        """Say how it stands with each destination."""
        return [
            describe_destination(
                label, [route.rule.name for route in self._routes if label in route.labels], delivery
            )
            for label, delivery in self._deliveries.items()
        ]

    # Trying it.

    async def test(self, name: str | None) -> list[Trial]:
        """Send a test message to the destinations of a rule, or of all, and say what came of each.

        Raises:
            NotFound: there is no such rule.
        """
        routes = [route for route in self._routes if name is None or route.rule.name == name]
        if not routes:
            known = ", ".join(route.rule.name for route in self._routes)
            raise NotFound(f"There is no rule {str(name)[:60]!r}; there are: {known}.")
        pairs = [(route.rule.name, label) for route in routes for label in route.labels]
        results = await asyncio.gather(*(self._test_one(rule, label) for rule, label in pairs))
        drafts: list[Draft] = []
        for result in results:
            drafts.append(
                _note(result.rule, result.destination, TEST_TITLE, TEST_BODY, None, 1, result.error)
            )
            drafts[-1].data["test"] = True
            if result.ok and works(self._deliveries[result.destination], self._now()):
                drafts.append(_recovered(result.destination))
            if result.ok:
                self._try_at_once(result.destination)
        self.figures.sent += sum(result.ok for result in results)
        self.figures.failed += sum(not result.ok for result in results)
        with suppress(MissionControlError):
            # Who asked is told all the same.
            await self._log.append(drafts)
        return list(results)

    async def _test_one(self, rule: str, label: str) -> Trial:
        error = await self._destinations[label].send(TEST_TITLE, TEST_BODY, None)
        return Trial(rule, label, error is None, error)

    def _try_at_once(self, label: str) -> None:
        for waiting in self._deliveries[label].queue[:1]:
            waiting.not_before = 0.0
        self._wake[label].set()

    # Reading.

    def committed(self, records: Sequence[Record]) -> None:
        """Wake up for what was committed to the log; whoever follows the log calls it."""
        if self.active and any(
            self._patterns.matches(record.type) and not record.type.startswith(OWN_CATEGORY)
            for record in records
        ):
            self._look.set()

    async def _run(self) -> None:
        await self._recall()
        async with asyncio.TaskGroup() as tasks:
            for label in self._destinations:
                tasks.create_task(self._deliver(label), name=f"notify {label}")
            while True:
                try:
                    await self._read()
                    moment = self._now()
                    for rule, batch in self._planner.take(moment):
                        self._put(rule, batch)
                except MissionControlError as error:
                    # The log cannot be read now; what it has is told when it can.
                    logger.warning("notify.waits", extra={"reason": str(error)})
                due = self._planner.next_due(self._now())
                sleep = LONGEST_SLEEP if due is None else min(LONGEST_SLEEP, max(0.0, due - self._now()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(sleep):
                        await self._look.wait()
                    # What comes thick is read together.
                    await asyncio.sleep(GATHER_SECONDS)
                self._look.clear()

    async def _recall(self) -> None:
        kept: dict[str, bytes] = {}
        backoff = Backoff(0.1, MAX_KEEP_PAUSE)
        while True:
            try:
                kept = await self._log.recall(SOURCE)
                break
            except MissionControlError:
                await asyncio.sleep(backoff.next())
        memory = None
        if _STATE in kept:
            try:
                memory = _memories.decode(kept[_STATE])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                logger.warning("notify.forgotten", extra={"reason": str(error)})
        if memory is None:
            # With an event, so that the other nodes of a fleet remember it too.
            labels = list(self._destinations)
            data: Data = {"rules": [route.rule.name for route in self._routes], "destinations": labels}
            async with self._keeping:
                await self._keep([Draft("notification:started", data, None, SOURCE)])
            return
        # A log that has lost its tail has less than was read.
        self._after = self._kept_after = min(memory.after, self._log.head)
        self._planner = Planner([route.rule for route in self._routes], memory.rules)
        gone: list[Draft] = []
        for label, delivery in memory.deliveries.items():
            if label in self._deliveries:
                self._deliveries[label] = delivery
                self._wake[label].set()
            else:
                gone += [
                    self._given_up(label, one, "It is no longer in the settings.") for one in delivery.queue
                ]
        if gone:
            async with self._keeping:
                await self._keep(gone)

    async def _read(self) -> None:
        """Read on to the head, and keep what was found."""
        found = False
        while self._after < self._log.head:
            page = await self._log.read(self._after, self._patterns, limit=PAGE_EVENTS, max_bytes=1024 * 1024)
            if page.first > self._after + 1:
                gone = page.first - 1 - self._after
                logger.warning("notify.gap", extra={"events": gone})
            moment = self._now()
            # What is hostile takes long to be described: that is done in a thread, and is remembered.
            for event in await asyncio.to_thread(_prepared, page.bodies):
                found |= self._take_in(event, moment)
            self._after = max(page.last, page.first - 1)
        if found or self._after - self._kept_after >= KEEP_CURSOR_EVENTS:
            async with self._keeping:
                await self._keep([])

    def _take_in(self, event: Event, moment: float) -> bool:
        try:
            return self._planner.add(event, moment)
        except Exception:
            # Anybody may publish anything: one event that cannot be told is not to keep back all others.
            logger.exception("notify.passed_over", extra={"event_id": event.id})
            return False

    def _put(self, rule: Rule, batch: Batch) -> None:
        for route in self._routes:
            if route.rule is rule:
                for label in route.labels:
                    # Each has its own, since it may grow while it waits.
                    copy = _batches.decode(msgspec.json.encode(batch))
                    self._deliveries[label].put(rule.name, copy)
                    self._wake[label].set()

    # Sending.

    async def _deliver(self, label: str) -> None:
        delivery, wake = self._deliveries[label], self._wake[label]
        while self.active:
            wake.clear()
            rest = remaining(delivery, self._now())
            if rest is None or rest > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_SLEEP if rest is None else min(rest, LONGEST_SLEEP)):
                        await wake.wait()
                continue
            self._sending += 1
            self._idle.clear()
            try:
                await self._attempt(label, delivery)
            finally:
                self._sending -= 1
                if not self._sending:
                    self._idle.set()

    async def _attempt(self, label: str, delivery: Delivery) -> None:
        first = delivery.queue[0]
        title, body = self._words(first)
        error = await self._destinations[label].send(title, body, first.batch.level)
        if error is not None:
            self.figures.failed_attempts += 1
            logger.warning(
                "notify.failed", extra={"destination": label, "attempt": first.attempts + 1, "reason": error}
            )
        # Nobody else keeps anything between the outcome and its note.
        async with self._keeping:
            outcome = settle(delivery, error, self._now())
            drafts: list[Draft] = []
            if outcome.over:
                drafts.append(_note(first.rule, label, title, body, first.batch, first.attempts, error))
                if error is None:
                    self.figures.sent += 1
                else:
                    self.figures.failed += 1
            if outcome.failed:
                drafts.append(_alert("warning", f"Notifications to {label} fail: {error}", label))
            if outcome.works_again:
                drafts.append(_recovered(label))
            await self._keep(drafts)

    def _words(self, waiting: Waiting) -> tuple[str, str]:
        rule = next((route.rule for route in self._routes if route.rule.name == waiting.rule), None)
        if rule is None:
            # Of a rule that is no more: it was decided then that this is told.
            return compose(waiting.batch, waiting.rule, None, None, None, 0)
        zone = rule.quiet.zone if rule.quiet is not None else None
        return compose(waiting.batch, rule.name, rule.title, rule.body, zone, rule.per_hour)

    def _given_up(self, label: str, waiting: Waiting, error: str) -> Draft:
        title, body = self._words(waiting)
        self.figures.failed += 1
        return _note(waiting.rule, label, title, body, waiting.batch, waiting.attempts, error)

    async def _keep(self, drafts: Sequence[Draft]) -> None:
        """Make events and what is remembered durable, with `_keeping` held; waits while the log cannot take them."""
        backoff = Backoff(0.1, MAX_KEEP_PAUSE)
        while True:
            after = self._after
            memory = _Memory(after, self._planner.states, self._deliveries)
            try:
                await self._log.append(drafts, Checkpoint(SOURCE, {_STATE: msgspec.json.encode(memory)}))
            except MissionControlError as error:
                logger.warning("notify.waits", extra={"reason": str(error)})
                await asyncio.sleep(backoff.next())
            else:
                self._kept_after = after
                return


def _prepared(bodies: Sequence[bytes]) -> list[Event]:
    """Read events, and describe them once, so that the planner finds that done."""
    events = [read_event(body) for body in bodies]
    for event in events:
        with suppress(Exception):
            # What cannot be described is passed over where it is planned, and logged there.
            Batch(0.0).add(event, 0.0)
    return events


def _note(
    rule: str, label: str, title: str, body: str, batch: Batch | None, attempts: int, error: str | None
) -> Draft:
    data: Data = {
        "rule": rule,
        "destination": label,
        "title": title,
        "body": body,
        "count": 0 if batch is None else batch.count,
        "eventIds": [] if batch is None else batch.ids,
        "attempts": attempts,
    }
    if error is None:
        return Draft("notification:sent", data, None, SOURCE)
    return Draft("notification:failed", {**data, "error": error}, None, SOURCE)


def _recovered(label: str) -> Draft:
    return _alert("info", f"Notifications to {label} work again.", label)


def _alert(level: Level, message: str, label: str) -> Draft:
    details = {"source": SOURCE, "destination": label}
    return Draft("system:alert", {"level": level, "message": message, "details": details}, None, SOURCE)
