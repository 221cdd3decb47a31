"""The fold: events go in, the state of the fleet comes out.

Invariants:

- deterministic: the same events in the same order give the same state, however they were batched, and whether or
  not the state was kept and loaded in between;
- total: no event can make it raise, and one that has not the shape of its type, or is nested deeper than
  `MAX_DEPTH`, changes nothing;
- an event is folded once: one that is not newer than the last is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from missioncontrol.errors import Damaged
from missioncontrol.events import Data, Record
from missioncontrol.state.agents import Agents
from missioncontrol.state.questions import Questions
from missioncontrol.state.system import System
from missioncontrol.state.tables import Fold, Leads, Noun, Table, Tasks, deeper_than
from missioncontrol.state.tokens import Tokens

MAX_DEPTH = 100
"""How deep an event's data may be nested to be folded; what is deeper could not be written again everywhere."""

Part = Literal["agents", "tasks", "tokens", "leads", "system", "questions"]


class FleetState:
    """Agents, tasks, token use, leads, the system and questions, as they stand after the event `id`."""

    __slots__ = ("_folds", "_json", "_parts", "_tables", "_tokens", "id")

    def __init__(self) -> None:
        self.id = 0
        self._json: bytes | None = None
        agents, tasks, tokens, leads, system = Agents(), Tasks(), Tokens(), Leads(), System()
        self._tokens = tokens
        questions = Questions()
        self._tables: dict[str, Table] = {
            "agents": agents,
            "tasks": tasks,
            "leads": leads,
            "questions": questions,
        }
        self._parts: dict[Part, Noun] = {
            "agents": agents,
            "tasks": tasks,
            "tokens": tokens,
            "leads": leads,
            "system": system,
            "questions": questions,
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
            told = folds.get(record.type)
            if told is not None and not _too_deep(record):
                self._json = None
                for fold in told:
                    fold(record.data, record)

    def table(self, name: Literal["agents", "tasks", "leads", "questions"]) -> Mapping[str, Data]:
        """Return the records of a part by id, as they stand now and go on to change; none of them may be changed."""
        return MappingProxyType(self._tables[name].records)

    @property
    def tokens(self) -> Tokens:
        """Token use, to be read only."""
        return self._tokens

    def snapshot(self) -> dict[str, Any]:
        """Return the state as `/api/snapshot` shows it; the caller may do with it what it likes."""
        snapshot: dict[str, Any] = msgspec.json.decode(self.encoded())
        return snapshot

    def encoded(self) -> bytes:
        """Return the JSON of `snapshot`; made once per change, and only the parts that have changed."""
        if self._json is None:
            parts = b",".join(
                b'"%b":%b' % (name.encode(), part.encoded()) for name, part in self._parts.items()
            )
            self._json = b"{%b}" % parts
        return self._json

    def part(self, name: Part) -> bytes:
        """Return the JSON of one part of the snapshot."""
        return self._parts[name].encoded()

    def dump(self) -> bytes:
        """Return everything that `load` needs."""
        return b'{"id":%d,"state":%b}' % (self.id, self.encoded())

    @classmethod
    def load(cls, dump: bytes) -> FleetState:
        """Make the state that was dumped.

        Raises:
            Damaged: these bytes are no dump; fold from an earlier one, or from the start.
        """
        state = cls()
        try:
            tree = msgspec.json.decode(dump)
            state.id = int(tree["id"])
            # A state that was kept before there were questions has none.
            parts = {"questions": [], **tree["state"]}
            for name, part in state._parts.items():
                part.restore(parts[name])
        except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError, ValueError) as error:
            raise Damaged(f"A kept state cannot be read: {error!r}.") from None
        return state


def _too_deep(record: Record) -> bool:
    # Counting brackets is quick, and says "no" for nearly every event there is.
    brackets = record.body.count(b"{") + record.body.count(b"[")
    return brackets > MAX_DEPTH and deeper_than(record.data, MAX_DEPTH)
