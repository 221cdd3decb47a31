"""A day of the fleet as a ledger: what was finished and found, what it cost, and who has earned the day's award.

Everything is reckoned from the state at the beginning of the day and its events; nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from missioncontrol.events import Data, Patterns, Record, rfc3339
from missioncontrol.state.fold import FleetState
from missioncontrol.state.tokens import Tokens
from missioncontrol.state.values import id_in, number_in, text_in

LEDGER_EVENTS = Patterns(["task", "lead", "state:baseline"])
"""What the reckoning has to see of a day."""


class FinishedTask(msgspec.Struct):
    """A task that was completed on the day, and not taken up again; `time` is that of the last completion."""

    id: str
    description: str
    priority: str
    agent: str
    time: str


class FoundLead(msgspec.Struct):
    """A lead that was added on the day, and was still there at its end; `score` is the one that it then had."""

    id: str
    name: str
    score: float | None
    time: str


class AgentShare(msgspec.Struct):
    """What one agent has finished and used on the day; the cost in US dollars."""

    agent: str
    name: str
    tasks: int
    tokens: int
    cost: float


class Award(msgspec.Struct):
    """The agent that finished the most tasks of the day; of equals the one that cost less, then the first by name."""

    agent: str
    name: str
    tasks: int
    cost: float


class DaySummary(msgspec.Struct):
    """The summary of a day. Agents are in the order of the award; those that did and used nothing are left out."""

    tasks: list[FinishedTask]
    leads: list[FoundLead]
    agents: list[AgentShare]
    tokens: int
    cost: float
    award: Award | None


class DayLedger:
    """Reckons a day, a few events at a time."""

    def __init__(self, day: str, state: FleetState) -> None:
        """Begin.

        Args:
            day: its name, as token use has it: `2026-11-23`.
            state: the state at its beginning; afterwards its tasks and leads are those at the day's end.
        """
        self._day = day
        self._state = state
        self._finished: dict[str, FinishedTask] = {}
        self._found: dict[str, str] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Enter the next events of the day that match `LEDGER_EVENTS`, oldest first."""
        tasks, finished = self._state.table("tasks"), self._finished
        for record in records:
            self._state.apply([record])
            if record.type == "task:completed" and (id_ := id_in(record.data, "taskId")) is not None:
                finished[id_] = _finished(id_, record, tasks.get(id_, {}))
            elif record.type == "task:updated" and (id_ := id_in(record.data, "taskId")) in finished:
                if _status_in(record.data) not in (None, "completed"):
                    del finished[id_]
            elif record.type == "lead:added" and (lead := _lead_in(record.data)) is not None:
                self._found[lead] = rfc3339(record.time).decode()

    def reckoning(self, known: FleetState) -> DaySummary:
        """Return what the day comes to.

        Args:
            known: the state by now, for names and for token use, of which some may have been found later.
        """
        leads = self._state.table("leads")
        shares = _shares(self._day, self._finished.values(), known)
        best = next((share for share in shares if share.tasks), None)
        total = known.tokens.day(self._day)
        return DaySummary(
            list(self._finished.values()),
            [_found(id_, time, leads[id_]) for id_, time in self._found.items() if id_ in leads],
            shares,
            int(total.get("tokens", 0)),
            float(total.get("cost", 0)),
            None if best is None else Award(best.agent, best.name, best.tasks, best.cost),
        )


def _shares(day: str, tasks: Iterable[FinishedTask], known: FleetState) -> list[AgentShare]:
    names = {id_: text_in(record, "name") or id_ for id_, record in known.table("agents").items()}
    tokens: Tokens = known.tokens
    counts: dict[str, int] = {}
    for task in tasks:
        if task.agent:
            counts[task.agent] = counts.get(task.agent, 0) + 1
    shares = []
    for agent in {*counts, *tokens.agents()}:
        used = tokens.day(day, agent)
        share = AgentShare(
            agent,
            names.get(agent, agent),
            counts.get(agent, 0),
            int(used.get("tokens", 0)),
            float(used.get("cost", 0)),
        )
        if share.tasks or share.tokens or share.cost:
            shares.append(share)
    return sorted(shares, key=lambda share: (-share.tasks, share.cost, share.name, share.agent))


def _finished(id_: str, record: Record, task: Data) -> FinishedTask:
    agent = text_in(task, "assignedTo") or ""
    return FinishedTask(
        id_,
        text_in(task, "description") or text_in(task, "title") or id_,
        text_in(task, "priority") or "",
        "" if agent == "Unassigned" else agent,
        rfc3339(record.time).decode(),
    )


def _found(id_: str, time: str, lead: Data) -> FoundLead:
    return FoundLead(
        id_, text_in(lead, "company") or text_in(lead, "name") or id_, number_in(lead, "score"), time
    )


def _lead_in(data: Data) -> str | None:
    lead: Any = data.get("lead")
    return id_in(lead, "id", "leadId") if isinstance(lead, dict) else None


def _status_in(data: Data) -> str | None:
    updates: Any = data.get("updates")
    return text_in(updates, "status") if isinstance(updates, dict) else None
