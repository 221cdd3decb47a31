"""Standups: what each agent did between two moments, as the server summed it up. The newest are kept, newest first."""

from __future__ import annotations

from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.limits import MAX_RECORD_BYTES, MAX_STANDUPS, MAX_STANDUPS_BYTES
from missioncontrol.state.tables import StatePart, encode_json
from missioncontrol.state.values import id_in, size_of


class Standups(StatePart):
    """The newest standups; `event` of each is the event that recorded it.

    They stay in the state when the log has trimmed their events, so a standup is not lost to retention.
    """

    def __init__(self) -> None:
        super().__init__()
        self._records: list[Data] = []
        self._sizes: list[int] = []
        self.folds = {"standup:held": self._held}

    @property
    def records(self) -> list[Data]:
        """The standups, newest first; neither the list nor a record in it may be changed."""
        return self._records

    def _held(self, data: Data, record: Record) -> None:
        found = data.get("standup")
        if not isinstance(found, dict) or (id_ := id_in(found, "id")) is None:
            return
        if any(known["id"] == id_ for known in self._records):
            # The first one of an id counts, as for questions.
            return
        standup = {**found, "id": id_, "event": record.id}
        size = size_of(standup)
        if size <= MAX_RECORD_BYTES:
            self._keep([standup, *self._records], [size, *self._sizes])

    def _keep(self, records: list[Data], sizes: list[int]) -> None:
        """Keep the newest of these that fit."""
        count, total = 0, 0
        for size in sizes[:MAX_STANDUPS]:
            total += size
            if total > MAX_STANDUPS_BYTES:
                break
            count += 1
        # New lists: a thread may still read the old ones.
        self._records, self._sizes = records[:count], sizes[:count]
        self.changed()

    def encode(self) -> bytes:
        """Return the standups as a JSON list, newest first."""
        return encode_json(self._records)

    def restore(self, value: Any) -> None:
        """Take over a list of standups."""
        kept = [
            (record, size)
            for record in list(value)[:MAX_STANDUPS]
            if isinstance(record, dict)
            and isinstance(record.get("id"), str)
            and isinstance(record.get("event"), int)
            and (size := size_of(record)) <= MAX_RECORD_BYTES
        ]
        self._keep([record for record, _ in kept], [size for _, size in kept])
