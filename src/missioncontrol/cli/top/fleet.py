"""The fleet as it stands, folded from a snapshot and the events after it, and what of it the screen shows.

`Fleet` changes with every item of the stream; a `Picture` is how it stood at a moment and does not change, so that a
pause is nothing but keeping one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from missioncontrol.cli.history import as_record
from missioncontrol.client import Event, Gap, Item, Snapshot, Unreachable
from missioncontrol.events import Cursor, Data
from missioncontrol.events.decoding import decode_json, read_float
from missioncontrol.review import review
from missioncontrol.state import FleetState

_Form = TypeVar("_Form")

KEPT_EVENTS = 500
ALERT_SECONDS = 3600.0
"""How long an alert is shown: what is older is in the log, and needs nobody at this moment."""

NEEDY = ("waiting", "error")
"""The kinds of status that need a person, as the dashboard has them."""

AT_WORK = ("busy",)
_FOLD_TOGETHER = 256


class AgentRow(NamedTuple):
    """An agent as the table shows it; `since` is when its status was confirmed, in seconds since 1970."""

    id: str
    name: str
    kind: str
    status: str
    since: float | None
    source: str
    task: str
    activity: str
    tokens: float
    cost: float
    model: str
    asks: bool

    @property
    def needs_person(self) -> bool:
        """Whether it waits for a person, or has come to grief."""
        return self.asks or self.kind in NEEDY


BRIEF_TEXT = 240
BRIEF_DETAILS = 400
"""How many characters of a question are shown whole; one that is longer is answered by a command of its own."""


class QuestionRow(NamedTuple):
    """An open question; `since` in seconds since 1970.

    `brief` says that all of it can be seen here and nothing of it is dangerous, so that it may be answered here.
    """

    id: str
    agent: str
    text: str
    options: tuple[str, ...]
    kind: str
    since: float | None
    details: str
    digest: str
    brief: bool


class AlertRow(NamedTuple):
    """An alert that is not old; `since` in seconds since 1970."""

    level: str
    message: str
    since: float | None


class Budget(NamedTuple):
    """What may be spent on a day, in US dollars, as the server has told; 0 where it has not."""

    day: str
    limit: float


class Picture(NamedTuple):
    """How the fleet stood at a moment; events are newest first."""

    agents: tuple[AgentRow, ...]
    questions: tuple[QuestionRow, ...]
    alerts: tuple[AlertRow, ...]
    events: tuple[Event | Gap, ...]
    tokens: float
    cost: float
    budget: float
    records: Mapping[str, Data]
    use: Mapping[str, Data]

    @property
    def busy(self) -> int:
        """How many agents are at work."""
        return sum(agent.kind in AT_WORK for agent in self.agents)

    @property
    def needs(self) -> int:
        """How many things need a person: questions, agents that wait or failed, alerts."""
        # An agent that waits because of its question needs one answer, not two.
        agents = sum(agent.kind in NEEDY and not agent.asks for agent in self.agents)
        return agents + len(self.questions) + sum(alert.level != "info" for alert in self.alerts)


class Fleet:
    """What is known of the fleet."""

    def __init__(self) -> None:
        self._state = FleetState()
        self._folding: list[Event] = []
        self._events: deque[Event | Gap] = deque(maxlen=KEPT_EVENTS)
        self._recalled = 0
        self.heard: float | None = None
        self.count = 0
        self.whole = False
        self.budget = Budget("", 0.0)

    def take(self, item: Item) -> None:
        """Take the next item of the stream; `heard` is when the newest event was told, in seconds since 1970."""
        match item:
            case Event():
                self.count += 1
                self._folding.append(item)
                if item.id > self._recalled:
                    self._events.appendleft(item)
                if len(self._folding) >= _FOLD_TOGETHER:
                    self._fold()
            case Snapshot():
                self._fold()
                at = Cursor.parse(item.cursor).id
                self._state = FleetState.load(msgspec.json.encode({"id": at, "state": item.state}))
                self.whole = True
            case Gap():
                # Ids may begin again.
                self._recalled = 0
                self._events.appendleft(item)

    def recall(self, events: list[Event]) -> None:
        """Take the newest events there are, newest first, to be shown before those that follow.

        Those that are on their way in the stream, too, are shown once.
        """
        known = {item.id for item in self._events if isinstance(item, Event)}
        earlier = [event for event in events if event.id not in known]
        self._events.extend(earlier[: KEPT_EVENTS - len(self._events)])
        self._recalled = max((event.id for event in events), default=0)
        if self.heard is None and earlier:
            self.heard = _seconds(earlier[0].time)

    def _fold(self) -> None:
        if self._folding:
            self.heard = _seconds(self._folding[-1].time)
            self._state.apply([as_record(event) for event in self._folding])
            self._folding.clear()

    def picture(self, now: float) -> Picture:
        """Return how the fleet stands; `now` in seconds since 1970."""
        self._fold()
        state, day = self._state, self.budget.day or datetime.fromtimestamp(now).strftime("%Y-%m-%d")
        questions = tuple(
            sorted(
                (_question(one) for one in state.table("questions").values() if one["status"] == "open"),
                key=lambda question: question.since or 0.0,
            )
        )
        asking = {question.agent for question in questions}
        records = dict(state.table("agents"))
        agents = tuple(
            _agent(record, state.tokens.day(day, id_), asks=id_ in asking) for id_, record in records.items()
        )
        spent = state.tokens.day(day)
        system = decode_json(state.part("system"))
        alerts = tuple(
            alert
            for alert in map(_alert, system["alerts"])
            if alert.since is not None and now - alert.since < ALERT_SECONDS
        )
        return Picture(
            agents,
            questions,
            alerts,
            tuple(self._events),
            _number(spent.get("tokens")),
            _number(spent.get("cost")),
            self.budget.limit,
            records,
            {id_: state.tokens.of(id_) for id_ in records},
        )


class _Budgets(msgspec.Struct):
    day: str
    fleet: dict[str, float]


class _Tokens(msgspec.Struct):
    budgets: _Budgets


def read_budget(body: bytes) -> Budget:
    """Read the budget of the fleet from the answer of `/api/tokens`.

    Raises:
        Unreachable: it is not there.
    """
    budgets = _decode(body, _tokens).budgets
    return Budget(budgets.day, budgets.fleet.get("budget", 0.0))


def read_newest(body: bytes) -> list[Event]:
    """Read the events of `/api/system/events`.

    Raises:
        Unreachable: they are not there.
    """
    return _decode(body, _events)


def read_state(body: bytes) -> Snapshot:
    """Read the answer of `/api/snapshot`.

    Raises:
        Unreachable: it is not one.
    """
    return _decode(body, _snapshots)


_events = msgspec.json.Decoder(list[Event], float_hook=read_float)
_snapshots = msgspec.json.Decoder(Snapshot, float_hook=read_float)
_tokens = msgspec.json.Decoder(_Tokens)


def _decode(body: bytes, decoder: msgspec.json.Decoder[_Form]) -> _Form:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unreachable("What answers there is not a Mission Control server.") from None


def _agent(record: Data, used: Data, *, asks: bool) -> AgentRow:
    return AgentRow(
        record["id"],
        record["name"],
        record["kind"],
        record["status"],
        _seconds(record.get("confirmed")),
        _text(record.get("statusSource")),
        task_of(record.get("currentTask")),
        _text(record.get("activity")),
        _number(used.get("tokens")),
        _number(used.get("cost")),
        _text(record.get("model")),
        asks,
    )


def _question(asked: Data) -> QuestionRow:
    details = asked.get("details")
    told = "" if not details else msgspec.json.encode(details).decode()
    shown = review(asked)
    brief = (
        asked["kind"] != "permission"
        and len(asked["text"]) <= BRIEF_TEXT
        and len(told) <= BRIEF_DETAILS
        and not any(part.kind == "warning" for part in shown.parts)
        and not any(option.dangerous for option in shown.options)
    )
    return QuestionRow(
        asked["id"],
        _text(asked.get("agentId")),
        asked["text"],
        tuple(asked["options"]),
        asked["kind"],
        _seconds(asked.get("askedAt")),
        told,
        shown.digest,
        brief,
    )


def _alert(alert: Data) -> AlertRow:
    return AlertRow(_text(alert.get("level")), _text(alert.get("message")), _seconds(alert.get("timestamp")))


def task_of(task: Any) -> str:
    """Say what a task is about, in whatever form its agent tells it."""
    if isinstance(task, dict):
        about = task.get("description") or task.get("title") or ""
        return " ".join(str(part) for part in (task.get("id"), about) if part)
    return _text(task)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _seconds(time: Any) -> float | None:
    try:
        return datetime.fromisoformat(time).timestamp()
    except (TypeError, ValueError):
        return None
