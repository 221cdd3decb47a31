"""How much may be added to the state: the settings of `[quotas]`, held where events enter.

Invariants:

- what is refused here is refused whole, before anything is durable, and the refusal says which quota it is;
- a quota never touches what is there already: a record that exists can be changed, completed and removed;
- the fold does not know of the settings; it has bounds of its own, which are never below them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from missioncontrol.config import QuotasConfig
from missioncontrol.errors import Conflict, QuotaExceeded, TooLarge
from missioncontrol.events import Data, Draft
from missioncontrol.state.fold import FleetState, TableName
from missioncontrol.state.limits import MAX_RECORD_BYTES
from missioncontrol.state.usage import move_in
from missioncontrol.state.values import id_in, list_in, object_in

_NEW: dict[str, tuple[TableName, str, tuple[str, ...]]] = {
    "task:created": ("tasks", "task", ("id",)),
    "lead:added": ("leads", "lead", ("id", "leadId")),
}
MAX_USES = 1_000
"""How many entries `delta.uses` of a client's event may have."""

_encode = msgspec.json.Encoder().encode


class QuotaFigures(msgspec.Struct):
    """How many events each quota has refused since start."""

    agents: int = 0
    tasks: int = 0
    leads: int = 0
    questions: int = 0
    record: int = 0


class Admission(NamedTuple):
    """What the quotas let through of a source's drafts.

    `left_out` has the ids of the records, by table, for which there is no room now: they may come when there is.
    """

    drafts: list[Draft]
    left_out: dict[TableName, set[str]]


class _Added(NamedTuple):
    """What the drafts before this one add, of those that are checked together."""

    agents: set[str]
    tasks: set[str]
    leads: set[str]
    questions: dict[str, Data]


class Quotas:
    """The quotas of one server.

    `figures` counts what was refused, by quota. `report` is called with a sentence when a quota refuses for the first
    time since start.
    """

    def __init__(self, config: QuotasConfig, state: FleetState, host: str | None = None) -> None:
        """Hold `config` against `state`; `host` is what a fleet of several calls this one."""
        self.config = config
        self.figures = QuotaFigures()
        self._state = state
        self._host = host
        self.report: Callable[[str], None] = lambda _: None

    def check(self, drafts: Sequence[Draft], *, own: bool = False) -> None:
        """Check what is to be appended together.

        Args:
            drafts: what a client sends, or a part of the server.
            own: a part of the server, which gives questions their ids and may ask one again.

        Raises:
            QuotaExceeded: there are as many agents, tasks, leads or open questions as there may be.
            TooLarge: a record would be larger than one may be.
            Conflict: a question with this id is there already.
        """
        added = _Added(set(), set(), set(), {})
        for draft in drafts:
            category = draft.type.partition(":")[0]
            if category in _CHECKED:
                self._check(draft, added, own)

    def admit(self, drafts: Sequence[Draft]) -> Admission:
        """Return those of a source's drafts that the quotas let through, and what there is no room for.

        How large a record is, a source bounds by itself: what it reads and the state lacks, it would take for removed.
        """
        admitted: list[Draft] = []
        left_out: dict[TableName, set[str]] = {}
        added = _Added(set(), set(), set(), {})
        for draft in drafts:
            try:
                if draft.type == "state:baseline":
                    draft = self._admit_baseline(draft, added, left_out)
                elif draft.type.partition(":")[0] in _CHECKED:
                    self._check(draft, added, own=True, most_bytes=MAX_RECORD_BYTES)
            except TooLarge:
                continue
            except QuotaExceeded:
                if (record := _new_in(draft)) is not None:
                    left_out.setdefault(record[0], set()).add(record[1])
                continue
            admitted.append(draft)
        return Admission(admitted, left_out)

    def room(self, table: TableName) -> int:
        """Return how many records more a table may have now; 0 where it is full."""
        return max(0, int(getattr(self.config, table)) - self._known(table))

    def _check(self, draft: Draft, added: _Added, own: bool, most_bytes: int | None = None) -> None:
        data = draft.data
        most_bytes = most_bytes or self.config.record_bytes
        if draft.type in _NEW:
            table, field, names = _NEW[draft.type]
            record = data.get(field)
            if isinstance(record, dict):
                self._check_size(table, record, most_bytes)
                self._count(table, id_in(record, *names), getattr(added, table))
        elif draft.type == "question:asked":
            self._check_question(draft, added, own)
        elif own and draft.type == "token:usage" and move_in(data):
            # Both halves, or what an agent has used would be lost.
            return
        elif draft.type in _OF_AGENTS:
            if draft.type == "agent:statusChange":
                self._check_size("agents", data, most_bytes)
            elif not own and (count := len(list_in(object_in(data, "delta"), "uses"))) > MAX_USES:
                raise TooLarge(
                    f"`delta.uses` has {count:,} entries; an event may have {MAX_USES:,}. Send several events."
                )
            self._count("agents", id_in(data, "agentId", "agent"), added.agents)
        elif draft.type in ("agent:updated", "task:updated", "lead:updated"):
            self._check_merged(draft.type, data, most_bytes)

    def _admit_baseline(self, draft: Draft, added: _Added, left_out: dict[TableName, set[str]]) -> Draft:
        """Return a baseline without the records that are too many or too large."""
        changes: Data = {}
        for table, names in (("agents", ("id",)), ("tasks", ("id",)), ("leads", ("id", "leadId"))):
            found = draft.data.get(table)
            if isinstance(found, list):
                kept = [record for record in found if self._admits(table, names, record, added, left_out)]  # type: ignore[arg-type]
                if len(kept) < len(found):
                    changes[table] = kept
        if not changes:
            return draft
        return Draft(
            draft.type, {**draft.data, **changes}, draft.key, draft.source, draft.traceparent, draft.by
        )

    def _admits(
        self,
        table: TableName,
        names: tuple[str, ...],
        record: Any,
        added: _Added,
        left_out: dict[TableName, set[str]],
    ) -> bool:
        if not isinstance(record, dict):
            return True
        id_ = id_in(record, *names)
        try:
            self._check_size(table, record, MAX_RECORD_BYTES)
            self._count(table, id_, getattr(added, table))
        except TooLarge:
            return False
        except QuotaExceeded:
            if id_ is not None:
                left_out.setdefault(table, set()).add(id_)
            return False
        return True

    def _known(self, table: TableName) -> int:
        known = len(self._state.table(table))
        # An agent that only uses tokens is one, too.
        return max(known, self._state.tokens.count()) if table == "agents" else known

    def _count(self, table: TableName, id_: str | None, added: set[str]) -> None:
        if id_ is None or id_ in added or self._knows(table, id_):
            return
        most = int(getattr(self.config, table))
        if self._known(table) + len(added) >= most:
            self._refuse(
                table,
                QuotaExceeded(
                    f"There are {most:,} {table}, which is as many as there may be: remove some, "
                    f"or set quotas.{table} higher."
                ),
            )
        added.add(id_)

    def _knows(self, table: TableName, id_: str) -> bool:
        known = self._state.table(table)
        for one in (id_, f"{id_}@{self._host}"):
            if one in known or (table == "agents" and self._state.tokens.of(one)):
                return True
        return False

    @staticmethod
    def _size_of(record: Data) -> int:
        try:
            return len(_encode(record))
        except (TypeError, ValueError, RecursionError):
            # It is refused for what it is, by the code that encodes it.
            return 0

    def _check_size(self, table: str, record: Data, most_bytes: int) -> None:
        size = self._size_of(record)
        if size > most_bytes:
            noun = table.removesuffix("s")
            self._refuse(
                "record",
                TooLarge(
                    f"The {noun} has {size:,} bytes; a record may have {most_bytes:,}. "
                    f"Put the content elsewhere and keep a reference, or set quotas.record_bytes higher."
                ),
            )

    def _check_merged(self, type_: str, data: Data, most_bytes: int) -> None:
        noun = type_.partition(":")[0]
        table: TableName = f"{noun}s"  # type: ignore[assignment]
        id_ = id_in(data, f"{noun}Id")
        updates = object_in(data, "updates")
        known = self._state.table(table)
        old = None if id_ is None else known.get(id_) or known.get(f"{id_}@{self._host}")
        if old is None:
            return
        if self._state.bound(table, old["id"]) + self._size_of(updates) > most_bytes:
            self._check_size(table, {**old, **updates}, most_bytes)

    def _check_question(self, draft: Draft, added: _Added, own: bool) -> None:
        question = object_in(draft.data, "question")
        id_ = id_in(question, "id")
        if id_ is None:
            return
        questions = self._state.table("questions")
        if id_ in questions or id_ in added.questions:
            if own:
                return
            raise Conflict(f"There is a question {id_[:100]!r} already; ask under an id of its own.")
        self._check_size("questions", question, self.config.record_bytes)
        if own and question.get("kind") == "budget":
            # The settings bound their number, and a question about spending must not wait for other callers' questions.
            return
        waiting = [one for one in (*questions.values(), *added.questions.values()) if _is_open(one)]
        self._check_waiting(question, draft.by, waiting)
        added.questions[id_] = {**question, "status": "open", "askedBy": draft.by}

    def _check_waiting(self, question: Data, author: str | None, waiting: Sequence[Data]) -> None:
        """Check how many questions wait; `author` is who publishes this one, None for a part of the server."""
        config = self.config
        asker = question.get("agentId")
        names = {asker, f"{asker}@{self._host}"}
        permission = question.get("kind") == "permission"
        # Questions and permissions are counted apart, so that an agent that asks much can still ask for permission.
        alike = [one for one in waiting if (one.get("kind") == "permission") == permission]
        what = "permissions" if permission else "questions"
        if author is not None:
            # A caller that asks in the name of another agent does not use up that agent's quota. Questions kept by an
            # earlier release have no author, and count for every caller.
            alike = [one for one in alike if one.get("askedBy") in (author, None)]
            count = sum(one.get("askedBy") == author for one in alike)
            if count >= config.questions_per_author:
                self._refuse(
                    "questions",
                    QuotaExceeded(
                        f"{count:,} {what} that {author[:100]!r} has asked wait for an answer, under whatever "
                        f"agent's name, which is as many as there may be: wait for one of them, withdraw one, or set "
                        f"quotas.questions_per_author higher."
                    ),
                )
        mine = sum(one.get("agentId") in names for one in alike)
        if mine >= config.questions_per_asker:
            whose = "an asker without a name" if asker is None else f"{str(asker)[:100]!r}"
            self._refuse(
                "questions",
                QuotaExceeded(
                    f"{mine:,} {what} of {whose} wait for an answer, which is as many as there may be: "
                    f"wait for one of them, withdraw one, or set quotas.questions_per_asker higher."
                ),
            )
        # A flood of questions must not keep an agent from asking whether it may go on.
        reserve = 0 if permission else config.questions_reserved
        if len(waiting) >= config.questions - reserve:
            self._refuse(
                "questions",
                QuotaExceeded(
                    f"{len(waiting):,} questions wait for an answer, which is as many as there may be: "
                    f"answer some, or set quotas.questions higher."
                ),
            )

    def _refuse(self, quota: str, error: QuotaExceeded | TooLarge) -> None:
        count = getattr(self.figures, quota)
        setattr(self.figures, quota, count + 1)
        if count == 0:
            self.report(str(error))
        raise error


_CHECKED = frozenset({"agent", "task", "lead", "question", "token"})
_OF_AGENTS = frozenset({"agent:statusChange", "token:usage", "token:threshold"})


def _new_in(draft: Draft) -> tuple[TableName, str] | None:
    """Return the table and the id of the record that a draft would add to the state."""
    if draft.type in _NEW:
        table, field, names = _NEW[draft.type]
        record = draft.data.get(field)
        id_ = id_in(record, *names) if isinstance(record, dict) else None
    elif draft.type in _OF_AGENTS:
        table, id_ = "agents", id_in(draft.data, "agentId", "agent")
    else:
        return None
    return None if id_ is None else (table, id_)


def _is_open(question: Data) -> bool:
    return question.get("status") == "open"
