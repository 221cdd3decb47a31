"""What waits to be sent to one destination, and how it has gone so far. Without I/O.

Invariants:

- messages go out in the order in which they came; the first is tried until it is sent or given up;
- few wait, however long a destination is away: what comes then goes into the last one that waits.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from missioncontrol.backoff import Backoff
from missioncontrol.notify.batch import Batch

MAX_ATTEMPTS = 10
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 300.0
JITTER = 1.25
"""About 14 minutes from the first attempt to the last."""

MAX_WAITING = 10
MAX_WAITING_FAILING = 2


class Waiting(msgspec.Struct):
    """A message of a rule that is not sent yet; `not_before` in seconds since 1970."""

    rule: str
    batch: Batch
    attempts: int = 0
    not_before: float = 0.0


class Delivery(msgspec.Struct):
    """How it stands with a destination. `failing_since` is set while messages are given up, or an attempt has failed.

    `alarmed` says that its failure was told.
    """

    queue: list[Waiting] = []
    failing_since: float | None = None
    last_error: str | None = None
    last_sent: float | None = None
    alarmed: bool = False

    def put(self, rule: str, batch: Batch) -> None:
        """Have a message wait; where many do, it goes into the last one of its rule."""
        limit = MAX_WAITING_FAILING if self.alarmed else MAX_WAITING
        if len(self.queue) >= limit:
            # The first one may be on its way.
            for waiting in reversed(self.queue[1:]):
                if waiting.rule == rule:
                    waiting.batch.merge(batch)
                    waiting.batch.held = "behind"
                    return
        self.queue.append(Waiting(rule, batch))


class Outcome(NamedTuple):
    """What an attempt has led to: the message is `over`; the destination is now known to `fail`, or to `work` again."""

    over: bool
    failed: bool = False
    works_again: bool = False


def remaining(delivery: Delivery, now: float) -> float | None:
    """Return how long the first message has to wait, in seconds; None where none waits."""
    if not delivery.queue:
        return None
    first = delivery.queue[0]
    # A clock that was set back is not to hold anything up.
    first.not_before = min(first.not_before, now + LONGEST_PAUSE * JITTER)
    return first.not_before - now


def settle(delivery: Delivery, error: str | None, now: float) -> Outcome:
    """Note what came of an attempt at the first message that waits."""
    first = delivery.queue[0]
    first.attempts += 1
    if error is None:
        delivery.queue.pop(0)
        return Outcome(over=True, works_again=works(delivery, now))
    delivery.failing_since = delivery.failing_since or now
    delivery.last_error = error
    if first.attempts < MAX_ATTEMPTS:
        first.not_before = now + pause(first.attempts)
        return Outcome(over=False)
    delivery.queue.pop(0)
    failed = not delivery.alarmed
    delivery.alarmed = True
    return Outcome(over=True, failed=failed)


def works(delivery: Delivery, now: float) -> bool:
    """Note that a destination takes messages; says whether its failure had been told."""
    again = delivery.alarmed
    delivery.failing_since, delivery.last_error, delivery.alarmed = None, None, False
    delivery.last_sent = now
    return again


def pause(attempts: int) -> float:
    """Return how long to wait after so many attempts, in seconds: twice as long each time, with jitter."""
    return Backoff(FIRST_PAUSE, LONGEST_PAUSE, spread=(2 - JITTER, JITTER), attempts=attempts - 1).next()
