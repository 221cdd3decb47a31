"""The log in memory: the plainest code that keeps every promise, so that it can say what is right in tests."""

from __future__ import annotations

from collections.abc import Sequence

from missioncontrol.errors import StoreError, TooLarge
from missioncontrol.events import (
    Cursor,
    Draft,
    Patterns,
    Record,
    encode_body,
    encode_data,
    new_epoch,
    now,
    subject_of,
)
from missioncontrol.store.log import (
    MAX_APPEND_EVENTS,
    NEWEST_BYTES,
    Checkpoint,
    Listener,
    LogFigures,
    Page,
    Retention,
    StateCheckpoint,
    check_keys,
    outdated,
)


class MemoryLog:
    """A log that lives as long as the object. Set `trouble` to make appends fail, as a full disk would."""

    def __init__(self, *, retention: Retention | None = None) -> None:
        self.figures = LogFigures()
        self.new_epoch_reason: str | None = None
        self.trouble: str | None = None
        self._epoch = new_epoch()
        self._retention = retention or Retention()
        self._records: list[Record] = []
        self._first = 1
        self._keys: dict[str, int] = {}
        self._memory: dict[str, dict[str, bytes]] = {}
        self._states: dict[int, bytes] = {}
        self._listeners: list[Listener] = []

    @property
    def epoch(self) -> str:
        """The name of this life of the log."""
        return self._epoch

    @property
    def first(self) -> int:
        """The oldest id that can be read; `head` + 1 while there is none."""
        return self._first

    @property
    def head(self) -> int:
        """The newest id."""
        return self._first + len(self._records) - 1

    def cursor(self) -> Cursor:
        """The cursor that stands at the head."""
        return Cursor(self._epoch, self.head)

    def listen(self, listener: Listener) -> None:
        """Have `listener` called with the records of each append."""
        self._listeners.append(listener)

    async def append(
        self, drafts: Sequence[Draft], checkpoint: Checkpoint | None = None, *, after: int | None = None
    ) -> list[int]:
        """Append all drafts or none; see `Log.append`."""
        if len(drafts) > MAX_APPEND_EVENTS:
            raise TooLarge(f"{len(drafts):,} events at once; the limit is {MAX_APPEND_EVENTS:,}.")
        check_keys(checkpoint)
        encoded = [encode_data(draft) for draft in drafts]
        if self.trouble is not None:
            raise StoreError(self.trouble)
        if after is not None:
            subjects = {subject_of(draft.type, draft.data) for draft in drafts} - {None}
            for record in reversed(self._records):
                if record.id > after and subject_of(record.type, record.data) in subjects:
                    raise outdated(record.id)
        records: list[Record] = []
        ids: list[int] = []
        for draft, data in zip(drafts, encoded, strict=True):
            if draft.key is not None and draft.key in self._keys:
                ids.append(self._keys[draft.key])
                continue
            id_ = self.head + 1
            time = now()
            record = Record(id_, draft.type, time, encode_body(draft, id_, time, data), draft.data)
            self._records.append(record)
            records.append(record)
            ids.append(id_)
            if draft.key is not None:
                self._keys[draft.key] = id_
        if checkpoint is not None:
            memory = self._memory.setdefault(checkpoint.source, {})
            for key, value in checkpoint.changes.items():
                if value is None:
                    memory.pop(key, None)
                else:
                    memory[key] = value
        self.figures.events += len(records)
        self.figures.commits += 1
        if records:
            for listener in self._listeners:
                listener(records)
        return ids

    def trim(self, upto: int) -> None:
        """Forget the events up to the id `upto`; the newest one always stays."""
        count = min(upto, self.head - 1) - self._first + 1
        if count > 0:
            gone = self._records[:count]
            del self._records[:count]
            self._first += count
            ids = {record.id for record in gone}
            self._keys = {key: id_ for key, id_ in self._keys.items() if id_ not in ids}
            self.figures.trimmed += count

    async def reach(self, id_: int) -> bool:
        """Say whether the log has an id; nobody else tells events."""
        return self.head >= id_

    async def read(
        self, after: int, patterns: Patterns, *, limit: int = 1000, max_bytes: int = 262_144
    ) -> Page:
        """Read one page of events after an id; see `Log.read`."""
        start = max(after, self._first - 1)
        bodies: list[bytes] = []
        last, size = start, 0
        for record in self._records[start - self._first + 1 :][:limit]:
            size += len(record.body)
            if size > max_bytes and last > start:
                break
            last = record.id
            if patterns.matches(record.type):
                bodies.append(record.body)
        return Page(after, last, self._first, bodies)

    async def newest(self, patterns: Patterns, *, limit: int, before: int | None = None) -> list[Record]:
        """Read the newest events, newest first; see `Log.newest`."""
        wanted = (
            record
            for record in reversed(self._records)
            if patterns.matches(record.type) and (before is None or record.id < before)
        )
        records: list[Record] = []
        size = 0
        for record in wanted:
            if len(records) == limit or size >= NEWEST_BYTES:
                break
            records.append(record)
            size += len(record.body)
        return records

    async def id_at(self, time: int) -> int:
        """Return the id of the last event told at or before `time`; see `Log.id_at`."""
        return max((record.id for record in self._records if record.time <= time), default=self._first - 1)

    async def recall(self, source: str) -> dict[str, bytes]:
        """Return everything that a source has remembered."""
        return dict(self._memory.get(source, {}))

    async def save_state(self, checkpoint: StateCheckpoint) -> None:
        """Keep a folded state."""
        self._states[checkpoint.id] = checkpoint.state

    async def load_state(self, at: int) -> StateCheckpoint | None:
        """Return the newest kept state at or before the id `at`."""
        id_ = max((id_ for id_ in self._states if id_ <= at), default=None)
        return None if id_ is None else StateCheckpoint(id_, self._states[id_])

    async def close(self) -> None:
        """Nothing is held."""
