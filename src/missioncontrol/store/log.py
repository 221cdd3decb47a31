"""The log as everybody above sees it: append, read from a cursor, trim.

Invariants that every implementation keeps, and the contract suite checks:

- ids grow by one with every event, without holes, within an epoch;
- an append is durable before a listener hears of it and before the call returns, and it is whole or absent;
- listeners hear of every record once, in the order of ids, on the event loop's thread;
- a key that the log still holds appends nothing and answers with the id it has;
- what a failed append leaves behind is exactly what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from missioncontrol.errors import BadEvent, Outdated
from missioncontrol.events import Cursor, Draft, Patterns, Record

Listener = Callable[[Sequence[Record]], None]

MAX_APPEND_EVENTS = 100_000
"""How many events one append may carry."""

NEWEST_BYTES = 4 * 1024 * 1024
"""With how many bytes of events an answer of `Log.newest` ends, however many more were asked for."""


def may_have_older(newest: Sequence[Record], limit: int) -> bool:
    """Return whether what `Log.newest` has answered ended at one of its bounds, so that there may be older events."""
    return len(newest) >= limit or sum(len(record.body) for record in newest) >= NEWEST_BYTES


FLEET_SOURCES = frozenset({"notify"})
"""Sources of the whole fleet, each at one node at a time: what they remember is every node's, so that any can go on."""


class Checkpoint(NamedTuple):
    """What a source wants to remember, kept in the same transaction as the events it tells.

    `changes` maps keys to values; None takes a key away.
    """

    source: str
    changes: Mapping[str, bytes | None]


def check_keys(checkpoint: Checkpoint | None) -> None:
    """Refuse a checkpoint whose keys no log can keep.

    Raises:
        BadEvent: a key is not text that can be written as UTF-8.
    """
    if checkpoint is None:
        return
    for key in checkpoint.changes:
        # Most are ASCII, which is known without looking.
        if not key.isascii():
            try:
                key.encode()
            except UnicodeEncodeError:
                raise BadEvent(
                    f"{checkpoint.source} remembers something under {key!r}, which is no text."
                ) from None


class Page(NamedTuple):
    """A stretch of the log: the bodies of the wanted events after `after`, up to and including `last`.

    `last` moves on even where the patterns let nothing through. `first` is the oldest id that the log held
    when the page was read: where it is greater than `after` + 1, the ids between are gone. `illegible` are the ids of
    events whose bodies are damaged; they are in `bodies` as `log:unreadable`.
    """

    after: int
    last: int
    first: int
    bodies: list[bytes]
    illegible: tuple[int, ...] = ()


class StateCheckpoint(NamedTuple):
    """The folded state as it stood after the event `id`."""

    id: int
    state: bytes


class Retention(msgspec.Struct, frozen=True):
    """How much of the past is kept: whichever limit is met first. `seconds` of age, `bytes` of events."""

    seconds: float = 7 * 86_400
    bytes: int = 2**30


class LogFigures(msgspec.Struct):
    """Counters since start, for metrics; times in seconds. `unreadable` events are shown as `log:unreadable`."""

    events: int = 0
    bytes: int = 0
    commits: int = 0
    commit_seconds: float = 0.0
    last_commit_seconds: float = 0.0
    duplicates: int = 0
    failures: int = 0
    trimmed: int = 0
    unreadable: int = 0
    queued: int = 0


def outdated(newer: int) -> Outdated:
    """Make the error for an append that has not seen the event `newer`."""
    return Outdated(
        "The task was changed by somebody else at this moment; read it again, and decide again.", newer
    )


class Log(Protocol):
    """One append-only log with its epoch."""

    figures: LogFigures
    new_epoch_reason: str | None

    @property
    def epoch(self) -> str:
        """The name of this life of the log."""

    @property
    def first(self) -> int:
        """The oldest id that can be read; `head` + 1 while there is none."""

    @property
    def head(self) -> int:
        """The newest id that listeners have heard of; 0 before the first event."""

    @property
    def trouble(self) -> str | None:
        """Why nothing can be appended at the moment, in a sentence; None when all is well."""

    def cursor(self) -> Cursor:
        """The cursor that stands at the head."""

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the records of each commit."""

    async def append(
        self, drafts: Sequence[Draft], checkpoint: Checkpoint | None = None, *, after: int | None = None
    ) -> list[int]:
        """Append all drafts or none, and return their ids in the order given.

        Args:
            drafts: what is to be told.
            checkpoint: what a source remembers with it.
            after: the id up to which whoever appends has seen the log; where an event after it is about the same task
                as one of the drafts, nothing is appended.

        Raises:
            Outdated: there is such an event; listeners have heard of it.
            BadEvent: a draft may not be appended.
            TooLarge: there are more than 100,000, or the data of one is over 256 KiB.
            StoreError: the log cannot be written; nothing was kept.
            Overloaded: too much is waiting to be written.
        """

    async def reach(self, id_: int) -> bool:
        """Wait until listeners have heard of an id that another node may have told already.

        Returns False where the log does not have it; at once where there are no other nodes.

        Raises:
            StoreError: that cannot be found out now, or the event is there and takes long to come.
        """

    async def read(
        self, after: int, patterns: Patterns, *, limit: int = 1000, max_bytes: int = 262_144
    ) -> Page:
        """Read the events after the id `after`, at most `limit` of them and about `max_bytes`, oldest first.

        Raises:
            StoreError: the log cannot be read.
        """

    async def newest(self, patterns: Patterns, *, limit: int, before: int | None = None) -> list[Record]:
        """Read the newest events (older than the id `before`), newest first.

        At most `limit` of them; the one with which they have `NEWEST_BYTES` is the last: see `may_have_older`.
        """

    async def id_at(self, time: int) -> int:
        """Return the id of the last event told at or before `time`, in milliseconds since 1970; 0 if none."""

    async def recall(self, source: str) -> dict[str, bytes]:
        """Return everything that a source has remembered."""

    async def save_state(self, checkpoint: StateCheckpoint) -> None:
        """Keep a folded state next to the events."""

    async def load_state(self, at: int) -> StateCheckpoint | None:
        """Return the newest kept state at or before the id `at`."""

    async def close(self) -> None:
        """Write what is queued, then let go of everything."""
