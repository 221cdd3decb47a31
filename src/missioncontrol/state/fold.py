"""The fold: events go in, the state of the fleet comes out.

Invariants:

- deterministic: the same events in the same order give the same state, however they were batched, and whether or
  not the state was kept and loaded in between;
- total: no event can make it raise, and one that has not the shape of its type, or is nested more deeply than
  `missioncontrol.events.limits.MAX_DEPTH`, changes nothing. Should a part raise all the same, that is a mistake of
  ours: it is counted in `faults`, and costs nothing but what this one event changes in this one part;
- bounded: `missioncontrol.state.limits` says how much of each kind there is;
- an event is folded once: one that is not newer than the last is passed over.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from missioncontrol.errors import Damaged
from missioncontrol.events import Data, Record
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.limits import MAX_DEPTH, is_deeper
from missioncontrol.state.agents import Agents
from missioncontrol.state.questions import Questions
from missioncontrol.state.standups import Standups
from missioncontrol.state.system import System
from missioncontrol.state.tables import Fold, Leads, StatePart, Table, Tasks
from missioncontrol.state.tokens import Tokens

Part = Literal["agents", "tasks", "tokens", "leads", "system", "questions", "standups"]
TableName = Literal["agents", "tasks", "leads", "questions"]

logger = logging.getLogger(__name__)


class FleetState:
    """Agents, tasks, token use, leads, the system, questions and standups, as they are after the event `id`.

    `faults` counts events that a part could not fold, `fault` describes the last of them.
    """

    __slots__ = ("_folds", "_json", "_parts", "_standups", "_tables", "_tokens", "fault", "faults", "id")

    def __init__(self) -> None:
        self.id = 0
        self.faults = 0
        self.fault: str | None = None
        self._json: bytes | None = None
        agents, tasks, tokens, leads, system = Agents(), Tasks(), Tokens(), Leads(), System()
        self._tokens = tokens
        questions = Questions()
        self._standups = Standups()
        self._tables: dict[str, Table] = {
            "agents": agents,
            "tasks": tasks,
            "leads": leads,
            "questions": questions,
        }
        self._parts: dict[Part, StatePart] = {
            "agents": agents,
            "tasks": tasks,
            "tokens": tokens,
            "leads": leads,
            "system": system,
            "questions": questions,
            "standups": self._standups,
        }
        self._folds: dict[str, list[Fold]] = {}
        for part in self._parts.values():
            for type_, fold in part.folds.items():
                self._folds.setdefault(type_, []).append(fold)

    def apply(self, records: Iterable[Record]) -> None:
        """Fold records in, in the order of their ids."""
        folds = self._folds
        last = self.id
        for record in records:
            if record.id <= last:
                continue
            last = self.id = record.id
            wanted = folds.get(record.type)
            # The event around the data is one level more.
            if wanted is not None and not is_deeper(record.body, MAX_DEPTH + 1):
                self._json = None
                for fold in wanted:
                    try:
                        fold(record.data, record)
                    except Exception as error:
                        self._failed(record, error)

    def _failed(self, record: Record, error: Exception) -> None:
        self.faults += 1
        self.fault = f"The event {record.id} ({record.type}) was not folded: {error!r:.500}."
        # A log may hold many of a kind; the first few say what is wrong.
        if self.faults <= 10:
            logger.error("state.fault", exc_info=error, extra={"id": record.id, "type": record.type})

    def table(self, name: TableName) -> Mapping[str, Data]:
        """Return the records of a part by id, as they are now and go on to change; none of them may be changed."""
        return MappingProxyType(self._tables[name].records)

    def record(self, name: TableName, id_: str) -> bytes | None:
        """Return the JSON of one record of a part; None where there is none."""
        return self._tables[name].rows.json(id_)

    def bound(self, name: TableName, id_: str) -> int:
        """Return how many bytes of JSON a record of a part has at most."""
        return self._tables[name].rows.bound(id_)

    def ids(self, name: TableName) -> list[str]:
        """Return the ids of a part in their order; the list must not be changed."""
        return self._tables[name].rows.ids()

    def listed(self, name: TableName, ids: Iterable[str]) -> bytes:
        """Return the named records of a part as a JSON list; each of them must be there."""
        return self._tables[name].rows.listed(ids)

    @property
    def tokens(self) -> Tokens:
        """Token use, to be read only."""
        return self._tokens

    @property
    def standups(self) -> Sequence[Data]:
        """The standups that are kept, newest first; none of them may be changed."""
        return self._standups.records

    def left_out(self) -> dict[str, int]:
        """Return how many changes each part has left out because it holds as much as it may, since it was made."""
        return {name: part.left_out for name, part in self._parts.items()}

    def snapshot(self) -> dict[str, Any]:
        """Return the state as `/api/snapshot` shows it; the caller may do with it what it likes."""
        snapshot: dict[str, Any] = decode_json(self.encoded())
        return snapshot

    def encoded(self) -> bytes:
        """Return the JSON of `snapshot`; put together once per change, of records that are encoded already."""
        if self._json is None:
            # One join: each step over the whole is a copy of it.
            pieces: list[bytes] = []
            for name, part in self._parts.items():
                pieces += (b',"%b":' % name.encode() if pieces else b'{"%b":' % name.encode(), part.encoded())
            self._json = b"".join([*pieces, b"}"])
        return self._json

    def part(self, name: Part) -> bytes:
        """Return the JSON of one part of the snapshot."""
        return self._parts[name].encoded()

    def dump(self) -> bytes:
        """Return everything that `load` needs."""
        return b'{"id":%d,"state":%b}' % (self.id, self.encoded())

    @classmethod
    def load(cls, dump: bytes) -> FleetState:
        """Make the state that was dumped, by this release or an earlier one.

        Raises:
            Damaged: these bytes are no dump; fold from an earlier one, or from the start.
        """
        state = cls()
        try:
            tree = decode_json(dump)
            state.id = int(tree["id"])
            # A state that was kept before there were questions or standups has none.
            parts = {"questions": [], "standups": [], **tree["state"]}
            for name, part in state._parts.items():
                part.restore(parts[name])
        except (
            msgspec.MsgspecError,
            UnicodeDecodeError,
            RecursionError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise Damaged(f"A kept state cannot be read: {error!r:.500}.") from None
        return state
