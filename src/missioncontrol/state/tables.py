"""Records by id, and the two nouns that are nothing more than that: tasks and leads.

Invariants of every noun of the state:

- a record is never changed in place: a change puts a new one, so that values may be shared with events, which
  nobody may change either;
- what has not the shape that an event of its type asks for changes nothing, and raises nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from missioncontrol.events import Data, Record, rfc3339
from missioncontrol.events.hosts import host_of

Fold = Callable[[Data, Record], None]

encode_json = msgspec.json.Encoder().encode


def id_in(data: Data, *names: str) -> str | None:
    """Return the first of the named values that can be an id: a text that is not empty, or a whole number."""
    for name in names:
        value = data.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def text_in(data: Data, name: str) -> str | None:
    """Return the named value if it is a text that is not empty."""
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def number_in(data: Data, name: str) -> int | float | None:
    """Return the named value if it is a number that JSON can write and that can be summed."""
    value = data.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -1e300 < value < 1e300:
        return value
    return None


def time_of(data: Data, record: Record) -> str:
    """Say when it happened: the data's own `timestamp`, else the time at which the log took it."""
    return text_in(data, "timestamp") or rfc3339(record.time).decode()


def place_of(id_: str, record: Record) -> Data:
    """Return the field that says which host something belongs to, in a fleet of several; no field in one of one."""
    return {} if record.host is None else {"host": host_of(id_) or record.host}


def deeper_than(value: Any, depth: int) -> bool:
    """Say whether lists and objects stand in one another more than `depth` levels deep."""
    level = [value] if isinstance(value, (dict, list, tuple)) else []
    for _ in range(depth):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list, tuple))
        ]
        if not level:
            return False
    return bool(level)


class Noun:
    """One part of the state. `folds` maps event types to what they do; `changed` drops the JSON made before."""

    folds: dict[str, Fold]

    def __init__(self) -> None:
        self._json: bytes | None = None

    def changed(self) -> None:
        """Forget the JSON: something is different now."""
        self._json = None

    def encoded(self) -> bytes:
        """Return the part as JSON; made once per change."""
        if self._json is None:
            self._json = encode_json(self.value())
        return self._json

    def value(self) -> Any:
        """Return the part as a snapshot shows it."""
        raise NotImplementedError

    def restore(self, value: Any) -> None:
        """Take over a part as `value` returned it."""
        raise NotImplementedError


class Table(Noun):
    """Records by id; shown as a list in the order of ids."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, Data] = {}

    def put(self, id_: str, record: Data) -> None:
        """Add or replace a record."""
        self.records[id_] = record
        self.changed()

    def merge(self, id_: str | None, updates: Any, removed: Any = None) -> None:
        """Lay fields over a record that is there, and take the removed ones away; its id stays."""
        old = self.records.get(id_) if id_ is not None else None
        if old is None or not isinstance(updates, dict):
            return
        new = {**old, **updates, "id": old["id"]}
        for name in removed if isinstance(removed, list) else ():
            if name != "id" and isinstance(name, str):
                new.pop(name, None)
        self.put(old["id"], new)

    def remove(self, id_: str | None) -> None:
        """Take a record away, if it is there."""
        if id_ is not None and self.records.pop(id_, None) is not None:
            self.changed()

    def value(self) -> list[Data]:
        """Return the records in the order of their ids."""
        return [self.records[id_] for id_ in sorted(self.records)]

    def restore(self, value: list[Data]) -> None:
        """Take over a list of records."""
        self.records = {record["id"]: record for record in value}
        self.changed()


class Work(Table):
    """Records that events bring whole and then change: what tasks and leads have in common."""

    noun: ClassVar[str]
    id_names: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        super().__init__()
        self.folds = {f"{self.noun}:updated": self._updated, "state:baseline": self._baseline}

    def added(self, data: Data, record: Record) -> None:
        """Keep the record that the event brings; one with the same id is replaced."""
        item = data.get(self.noun)
        if isinstance(item, dict) and (id_ := id_in(item, *self.id_names)) is not None:
            self.put(id_, {**place_of(id_, record), **item, "id": id_})

    def changed_with(self, data: Data, fields: Data) -> None:
        """Lay `fields` over the record that an event names, on top of whatever else it says has changed."""
        updates = data.get("updates")
        also = updates if isinstance(updates, dict) else {}
        self.merge(self.id_of(data), {**also, **fields}, data.get("removed"))

    def removed(self, data: Data, record: Record) -> None:
        """Take away the record that the event names."""
        self.remove(self.id_of(data))

    def _updated(self, data: Data, record: Record) -> None:
        if isinstance(data.get("updates"), dict):
            self.changed_with(data, {})

    def _baseline(self, data: Data, record: Record) -> None:
        items: Any = data.get(f"{self.noun}s")
        for item in items if isinstance(items, list) else ():
            self.added({self.noun: item}, record)

    def id_of(self, data: Data) -> str | None:
        """Return the id that an event names."""
        return id_in(data, f"{self.noun}Id")


class Tasks(Work):
    """The tasks of the fleet."""

    noun = "task"
    id_names = ("id",)

    def __init__(self) -> None:
        super().__init__()
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


class Leads(Work):
    """The leads that the fleet has found; each one's id stands under `id`, wherever it came from."""

    noun = "lead"
    id_names = ("id", "leadId")

    def __init__(self) -> None:
        super().__init__()
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
