"""What happened between two events of the log, by agent: tasks, token use, files, alerts.

Invariants:

- a figure is what the events say, or it is unknown (None): nothing is estimated;
- work is counted for the agent that had the task when it happened; a task that no agent had counts for the fleet alone;
- memory is bounded by the number of events that are entered.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from missioncontrol.events import Data, Patterns, Record
from missioncontrol.events.hosts import UNASSIGNED
from missioncontrol.state import FleetState
from missioncontrol.state.usage import move_in, uses_in
from missioncontrol.state.values import Number, added, id_in, list_in, number_in, object_in, text_in

PERIOD_EVENTS = Patterns(
    ["task", "token:usage", "file:change", "agent", "system:alert", "lead:added", "state:baseline"]
)
"""The events that have to be entered."""

LEVELS = ("critical", "warning", "info")
MAX_ALERTS_KEPT = 5


class AgentWork:
    """What one agent did. The tasks map ids to descriptions; `tokens` and `cost` are None where they are unknown."""

    def __init__(self) -> None:
        self.completed: dict[str, str] = {}
        self.started: dict[str, str] = {}
        self.blocked: dict[str, str] = {}
        self.files: dict[str, None] = {}
        self.tokens: Number | None = 0
        self.cost: Number | None = 0
        self.unpriced: Number = 0
        self.last = 0
        """When something of it was last seen, in milliseconds since 1970; 0 where nothing was."""

    def use(self, tokens: Number | None, cost: Number | None, unpriced: Number) -> None:
        """Add a use of tokens; what is unknown once stays unknown."""
        self.tokens = None if self.tokens is None or tokens is None else added(self.tokens, tokens)
        self.cost = None if self.cost is None or cost is None else added(self.cost, cost)
        self.unpriced = added(self.unpriced, unpriced)

    @property
    def weight(self) -> tuple[int, int, Number]:
        """How much there is to report, for sorting."""
        tasks = len(self.completed) + len(self.started) + len(self.blocked)
        return tasks, len(self.files), self.tokens or 0


class Period:
    """Sums up a period, a few events at a time; `add` may be called in a thread, by one caller at a time."""

    def __init__(self, state: FleetState) -> None:
        """Begin.

        Args:
            state: the state at the beginning of the period, which is folded on from there; an empty one where the log
                does not reach back that far.
        """
        self.agents: dict[str, AgentWork] = {}
        self.fleet = AgentWork()
        self.leads = 0
        self.alerts: dict[str, int] = dict.fromkeys(LEVELS, 0)
        self.newest_alerts: list[Data] = []
        self._by_session: dict[tuple[str, str | None], tuple[Number, ...]] = {}
        """Tokens, cost and tokens without a price of each agent's sessions, as far as they are known."""

        self._state = state
        self._tasks = state.table("tasks")

    def add(self, records: Iterable[Record]) -> None:
        """Enter the next events that match `PERIOD_EVENTS`, oldest first."""
        for record in records:
            data = record.data
            category = record.type.partition(":")[0]
            if category == "task":
                # What the task was before decides whether it has changed.
                self._task(record)
                continue
            if record.type == "token:usage":
                self._usage(record)
            elif record.type == "file:change":
                self._file(record)
            elif record.type == "system:alert":
                self._alert(record)
            elif record.type == "lead:added":
                self.leads += isinstance(data.get("lead"), dict)
            elif category == "agent" and record.type != "agent:removed":
                self._saw(id_in(data, "agentId"), record)
            self._state.apply([record])

    def _task(self, record: Record) -> None:
        data = record.data
        id_ = id_in(object_in(data, "task"), "id") if record.type == "task:created" else id_in(data, "taskId")
        before = text_in(self._tasks.get(id_, {}), "status") if id_ is not None else None
        self._state.apply([record])
        task = self._tasks.get(id_) if id_ is not None else None
        if id_ is None or task is None:
            return
        status = text_in(task, "status")
        if status == before:
            return
        if status in ("completed", "in_progress", "blocked"):
            agent = _agent_of(task)
            described = text_in(task, "description") or text_in(task, "title") or id_
            for work in self._works(agent):
                if status == "completed":
                    work.completed[id_] = described
                elif status == "in_progress":
                    work.started[id_] = described
                else:
                    work.blocked[id_] = described
            self._saw(agent, record)
        # A task that was taken up again is not completed, one that goes on is not blocked, for any agent.
        for work in (self.fleet, *self.agents.values()) if before in ("completed", "blocked") else ():
            if status != "completed":
                work.completed.pop(id_, None)
            if status != "blocked":
                work.blocked.pop(id_, None)

    def _usage(self, record: Record) -> None:
        data = record.data
        agent = id_in(data, "agent")
        if agent is None:
            return
        moved = move_in(data)
        if moved is not None:
            # A session that turns out to be another agent's was so from the first, and nothing was used now.
            if moved == "from":
                self._move(agent, data, record)
            return
        delta = object_in(data, "delta")
        before = self._state.tokens.of(agent)
        tokens = _new(data, delta, before, "tokens")
        cost = _new(data, delta, before, "cost")
        unpriced: Number = 0
        entries = [entry for entry in list_in(delta, "uses") if isinstance(entry, dict)]
        for entry, use in zip(entries, uses_in(data, record), strict=True):
            without_price = use.tokens if entry.get("costSource") == "none" else 0
            unpriced = added(unpriced, without_price)
            if use.session is not None:
                known = self._by_session.get((agent, use.session), (0, 0, 0))
                figures = (use.tokens, use.cost, without_price)
                self._by_session[agent, use.session] = tuple(map(added, known, figures))
        for work in self._works(agent):
            work.use(tokens, cost, unpriced)
        self._saw(agent, record)

    def _move(self, agent: str, data: Data, record: Record) -> None:
        """Move what sessions have used in this period to the agent whose they are."""
        before = id_in(object_in(data, "delta"), "movedFrom") or ""
        for session in {use.session for use in uses_in(data, record)}:
            figures = self._by_session.pop((before, session), None)
            if figures is not None:
                self._by_session[agent, session] = figures
                tokens, cost, unpriced = figures
                self.agents[before].use(-tokens, -cost, -unpriced)
                self.agents.setdefault(agent, AgentWork()).use(tokens, cost, unpriced)

    def _file(self, record: Record) -> None:
        path = text_in(record.data, "path")
        if path is None:
            return
        agent = id_in(record.data, "agentId")
        for work in self._works(agent):
            # Again at the end: the newest change is the last one.
            work.files.pop(path, None)
            work.files[path] = None
        self._saw(agent, record)

    def _alert(self, record: Record) -> None:
        message, level = text_in(record.data, "message"), record.data.get("level")
        if message is None:
            return
        level = level if isinstance(level, str) and level in LEVELS else "info"
        self.alerts[level] += 1
        if level != "info":
            self.newest_alerts.append({"id": record.id, "level": level, "message": message})
            del self.newest_alerts[:-MAX_ALERTS_KEPT]

    def _works(self, agent: str | None) -> tuple[AgentWork, ...]:
        if agent is None:
            return (self.fleet,)
        return self.fleet, self.agents.setdefault(agent, AgentWork())

    def _saw(self, agent: str | None, record: Record) -> None:
        if agent is not None:
            self.agents.setdefault(agent, AgentWork()).last = record.time


def _new(data: Data, delta: Data, before: Data, name: str) -> Number | None:
    """Return what is new in a use: as the event says, else what its total has grown by; None where neither is known."""
    reported = number_in(delta, name)
    if reported is not None:
        return reported
    total, earlier = number_in(data, name), number_in(before, name)
    if total is None:
        # Nothing is said of it, so nothing has changed.
        return 0
    # A first total may have use in it from before the period, and one that shrinks counts from another beginning.
    return total - earlier if earlier is not None and total >= earlier else None


def _agent_of(task: Data) -> str | None:
    assigned: Any = task.get("assignedTo")
    return assigned if isinstance(assigned, str) and assigned and assigned.casefold() != UNASSIGNED else None
