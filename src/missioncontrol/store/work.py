"""What the writer's thread is asked to do, and what comes of it."""

from __future__ import annotations

import sqlite3
from asyncio import Future
from collections.abc import Callable, Sequence
from typing import NamedTuple

from missioncontrol.events import Draft, Record
from missioncontrol.store.log import Checkpoint


class Append(NamedTuple):
    """Drafts that wait, with their data encoded, or None where that is left to the writer."""

    drafts: Sequence[Draft]
    encoded: Sequence[bytes] | None
    checkpoint: Checkpoint | None
    done: Future[list[int]]
    after: int | None = None


class Copied(NamedTuple):
    """A record that has its id already, with its key."""

    record: Record
    key: str | None


class Copy(NamedTuple):
    """Records of another log, in their order, and what is to be remembered with them."""

    copied: Sequence[Copied]
    checkpoints: Sequence[Checkpoint]
    done: Future[None]


class Call(NamedTuple):
    """Anything else to be done on the writer's connection, in a transaction of its own."""

    work: Callable[[sqlite3.Connection], None]
    done: Future[None]


class Committed(NamedTuple):
    """What a commit has made true: records in order, and what each waiting append gets; `done` waits for it too."""

    records: list[Record]
    answers: list[tuple[Future[list[int]], list[int]]]
    done: Future[None] | None = None
