"""Records by id, and the two nouns that are nothing more than that: tasks and leads.

Invariants of every part of the state:

- a record is never changed in place: a change puts a new one, so that values may be shared with events;
- what has not the shape that an event of its type asks for changes nothing, and raises nothing;
- a record is encoded once after it has changed, so that a snapshot costs what has changed since the one before; a
  change that adds to a record costs what it adds, until the record may be as large as one may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from missioncontrol.events import Data, Record
from missioncontrol.events.decoding import decode_json
from missioncontrol.state.limits import MAX_LEADS, MAX_RECORD_BYTES, MAX_TASKS
from missioncontrol.state.values import (
    id_in,
    list_in,
    number_in,
    object_in,
    place_of,
    size_of,
    text_in,
    time_of,
)

Fold = Callable[[Data, Record], None]

encode_json = msgspec.json.Encoder().encode

_R = TypeVar("_R", bound=Any)


class Rows(Generic[_R]):
    """Records by id with the JSON of each; at most `limit` of them, none larger than `MAX_RECORD_BYTES`.

    `left_out` counts what was not put because of that.
    """

    def __init__(self, limit: int) -> None:
        self.records: dict[str, _R] = {}
        self.left_out = 0
        self._limit = limit
        # None where the record has changed since; and how long it is at most.
        self._json: dict[str, bytes | None] = {}
        self._bound: dict[str, int] = {}
        self._order: list[str] = []
        self._ordered = True

    def put(self, id_: str, record: _R, grown: int | None = None) -> bool:
        """Add or replace a record; False where it is one too many or too large, and nothing has changed.

        Args:
            id_: the record's id.
            record: what is put.
            grown: by how many bytes of JSON it is longer than the record before, at most; None where that is not known.
        """
        new = id_ not in self._json
        if grown is not None and not new and (bound := self._bound[id_] + grown) <= MAX_RECORD_BYTES:
            self.records[id_] = record
            self._json[id_] = None
            self._bound[id_] = bound
            return True
        json = encode_json(record)
        # `size_of` is never more than the length, which is at hand.
        if (new and len(self._json) >= self._limit) or (
            len(json) > MAX_RECORD_BYTES and size_of(decode_json(json)) > MAX_RECORD_BYTES
        ):
            self.left_out += 1
            return False
        if new:
            self._order.append(id_)
            self._ordered = False
        self.records[id_] = record
        self._json[id_] = json
        self._bound[id_] = len(json)
        return True

    def remove(self, id_: str | None) -> bool:
        """Remove a record; False where there is none."""
        if id_ is None or self.records.pop(id_, None) is None:
            return False
        del self._json[id_], self._bound[id_]
        # Taken out of the order when that is asked for: searching it for each would cost what the list costs.
        self._ordered = False
        return True

    def clear(self) -> None:
        """Remove all records."""
        self.records.clear()
        self._json.clear()
        self._bound.clear()
        self._order.clear()
        self._ordered = True

    def ids(self) -> list[str]:
        """Return the ids in their order; the list must not be changed."""
        if not self._ordered:
            # Those that were there are in order already, which makes sorting all as quick as merging.
            self._order = [*dict.fromkeys(id_ for id_ in self._order if id_ in self._json)]
            self._order.sort()
            self._ordered = True
        return self._order

    def bound(self, id_: str) -> int:
        """Return how many bytes of JSON a record has at most."""
        return self._bound[id_]

    def json(self, id_: str) -> bytes | None:
        """Return the JSON of a record; None where there is none."""
        return self._encoded(id_) if id_ in self._json else None

    def _encoded(self, id_: str) -> bytes:
        json = self._json[id_]
        if json is None:
            json = self._json[id_] = encode_json(self.records[id_])
            self._bound[id_] = len(json)
        return json

    def listed(self, ids: Iterable[str] | None = None) -> bytes:
        """Return records as a JSON list: all in the order of their ids, or those that are named."""
        encoded = self._encoded
        pieces = [encoded(id_) for id_ in (self.ids() if ids is None else ids)]
        if not pieces:
            return b"[]"
        # The brackets go into the first and the last piece: around the whole they would cost another copy of it.
        pieces[0] = b"[" + pieces[0]
        pieces[-1] += b"]"
        return b",".join(pieces)

    def keyed(self) -> bytes:
        """Return all records as a JSON object by id."""
        encoded = self._encoded
        return b"{%b}" % b",".join([b"%b:%b" % (encode_json(id_), encoded(id_)) for id_ in self.ids()])


class StatePart:
    """One part of the state. `folds` maps event types to what they do; `changed` drops the JSON made before."""

    folds: dict[str, Fold]

    def __init__(self) -> None:
        self._json: bytes | None = None

    def changed(self) -> None:
        """Forget the JSON: something is different now."""
        self._json = None

    def encoded(self) -> bytes:
        """Return the part as JSON; put together once per change."""
        if self._json is None:
            self._json = self.encode()
        return self._json

    def encode(self) -> bytes:
        """Put the part together as JSON."""
        raise NotImplementedError

    def restore(self, value: Any) -> None:
        """Take over a part as `encode` has written it, or an earlier release has.

        Raises:
            LookupError, TypeError, ValueError: it is no such part.
        """
        raise NotImplementedError

    @property
    def left_out(self) -> int:
        """How many changes were left out because they were too many or too large."""
        return 0


class Table(StatePart):
    """Records by id; shown as a list in the order of ids."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.rows: Rows[Data] = Rows(limit)

    @property
    def records(self) -> dict[str, Data]:
        """The records by id; they must not be changed."""
        return self.rows.records

    @property
    def left_out(self) -> int:
        """How many changes were left out."""
        return self.rows.left_out

    def put(self, id_: str, record: Data, grown: int | None = None) -> bool:
        """Add or replace a record; False where the bounds of the state do not allow it. `grown` as in `Rows.put`."""
        if not self.rows.put(id_, record, grown):
            return False
        self.changed()
        return True

    def merge(self, id_: str | None, updates: Data, removed: Any = None) -> None:
        """Lay `updates` over a record and take the fields away that `removed` names; unknown ids change nothing."""
        old = self.records.get(id_) if id_ is not None else None
        if old is not None:
            record = {**old, **updates}
            for name in removed if isinstance(removed, list) else ():
                if isinstance(name, str):
                    record.pop(name, None)
            record["id"] = old["id"]
            # A field that is replaced is counted twice: it is no longer than that.
            self.put(old["id"], record, len(encode_json(updates)))

    def remove(self, id_: str | None) -> None:
        """Remove a record, if there is one."""
        if self.rows.remove(id_):
            self.changed()

    def encode(self) -> bytes:
        """Return the records as a JSON list, in the order of their ids."""
        return self.rows.listed()

    def restore(self, value: Any) -> None:
        """Take over a list of records."""
        self.rows.clear()
        for record in value:
            id_ = record["id"]
            if not isinstance(id_, str):
                raise TypeError("an id is no text")
            self.rows.put(id_, self.restored(record))
        self.changed()

    def restored(self, record: Data) -> Data:
        """Return a kept record with the fields that every record of this part has."""
        return record


class RecordTable(Table):
    """Records that events bring whole and then change: what tasks and leads have in common."""

    noun: ClassVar[str]
    id_names: ClassVar[tuple[str, ...]]

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.folds = {f"{self.noun}:updated": self._updated, "state:baseline": self._baseline}

    def added(self, data: Data, record: Record) -> None:
        """Keep the record that the event brings; one with the same id is replaced."""
        self._add(data.get(self.noun), record)

    def changed_with(self, data: Data, fields: Data) -> None:
        """Lay `fields` over the record that an event names, on top of whatever else it says has changed."""
        self.merge(self.id_of(data), {**object_in(data, "updates"), **fields}, data.get("removed"))

    def removed(self, data: Data, record: Record) -> None:
        """Remove the record that the event names."""
        self.remove(self.id_of(data))

    def _add(self, item: Any, record: Record) -> None:
        if isinstance(item, dict) and (id_ := id_in(item, *self.id_names)) is not None:
            self.put(id_, {**place_of(id_, record), **item, "id": id_})

    def _updated(self, data: Data, record: Record) -> None:
        if isinstance(data.get("updates"), dict):
            self.changed_with(data, {})

    def _baseline(self, data: Data, record: Record) -> None:
        for item in list_in(data, f"{self.noun}s"):
            self._add(item, record)

    def id_of(self, data: Data) -> str | None:
        """Return the id that an event names."""
        return id_in(data, f"{self.noun}Id")


class Tasks(RecordTable):
    """The tasks of the fleet."""

    noun = "task"
    id_names = ("id",)

    def __init__(self) -> None:
        super().__init__(MAX_TASKS)
        self.folds |= {
            "task:created": self.added,
            "task:completed": self._completed,
            "task:assigned": self._assigned,
            "task:deleted": self.removed,
        }

    def _completed(self, data: Data, record: Record) -> None:
        if isinstance(data.get("updates"), dict):
            self.changed_with(data, {"status": "completed"})
            return
        fields = {"status": "completed", "result": data.get("result"), "completedAt": time_of(data, record)}
        self.changed_with(data, fields)

    def _assigned(self, data: Data, record: Record) -> None:
        fields: Data = {"assignedTo": id_in(data, "agentId")}
        if not isinstance(data.get("updates"), dict) and (by := text_in(data, "assignedBy")):
            fields["assignedBy"] = by
        self.changed_with(data, fields)


class Leads(RecordTable):
    """The leads that the fleet has found, each with its id under `id`, whatever the key in its event was."""

    noun = "lead"
    id_names = ("id", "leadId")

    def __init__(self) -> None:
        super().__init__(MAX_LEADS)
        self.folds |= {
            "lead:added": self.added,
            "lead:scored": self._scored,
            "lead:removed": self.removed,
        }

    def _scored(self, data: Data, record: Record) -> None:
        score = number_in(data, "score")
        if score is None:
            return
        fields: Data = {"score": score}
        if not isinstance(data.get("updates"), dict):
            if data.get("factors") is not None:
                fields["factors"] = data["factors"]
            if (previous := number_in(data, "previousScore")) is not None:
                fields["previousScore"] = previous
        self.changed_with(data, fields)
