"""The record of a standup, made of what happened in its period and of the fleet as it is at its end.

It is bounded: texts are cut, lists have their newest few, and agents that did not fit are counted in `agentsLeftOut`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from missioncontrol.events import Data, rfc3339
from missioncontrol.standups.period import AgentWork, Period
from missioncontrol.state.values import cut, size_of, text_in

MAX_AGENTS = 200
MAX_AGENTS_BYTES = 40_000
"""How large the agents' part of a record is, well below what the state keeps of one record."""

MAX_TEXT_BYTES = 200
NEWEST = 3
_KINDS = {"error": 0, "waiting": 1, "busy": 2}


def summarise(period: Period, agents: Mapping[str, Data], questions: Iterable[Data]) -> Data:
    """Return the part of a standup's record that is about the fleet and its agents; may be called in a thread.

    Args:
        period: what happened.
        agents: the agents at the end of the period, by id.
        questions: the open questions at its end.
    """
    asked: dict[str, list[Data]] = {}
    open_ = 0
    for question in questions:
        open_ += 1
        asked.setdefault(str(question.get("agentId")), []).append(question)
    ids = {**dict.fromkeys(agents), **dict.fromkeys(period.agents)}
    works = {id_: period.agents.get(id_) or AgentWork() for id_ in ids}
    order = sorted(ids, key=lambda id_: _place(id_, works[id_], agents.get(id_), asked.get(id_, ())))
    listed: list[Data] = []
    room = MAX_AGENTS_BYTES
    for id_ in order[:MAX_AGENTS]:
        entry = _agent(id_, works[id_], agents.get(id_), asked.get(id_, []))
        room -= size_of(entry) + 1
        if room < 0:
            break
        listed.append(entry)
    fleet = period.fleet
    return {
        "agents": listed,
        "agentsLeftOut": len(order) - len(listed),
        "totals": {
            "agents": len(agents),
            "completed": len(fleet.completed),
            "started": len(fleet.started),
            "blocked": len(fleet.blocked),
            "tokens": fleet.tokens,
            "cost": fleet.cost,
            "unpricedTokens": fleet.unpriced,
            "files": len(fleet.files),
            "leads": period.leads,
            "alerts": dict(period.alerts),
            "openQuestions": open_,
        },
        "alerts": [
            {**alert, "message": cut(str(alert["message"]), MAX_TEXT_BYTES)}
            for alert in reversed(period.newest_alerts)
        ],
    }


def _place(id_: str, work: AgentWork, agent: Data | None, asked: Iterable[Data]) -> Any:
    """Return where an agent is listed: those with the most to report first, then those that need attention."""
    tasks, files, tokens = work.weight
    kind = _KINDS.get(str((agent or {}).get("kind")), 3)
    return -tasks, -len(list(asked)), -files, -tokens, kind, id_


def _agent(id_: str, work: AgentWork, agent: Data | None, asked: list[Data]) -> Data:
    known = agent or {}
    last = rfc3339(work.last).decode() if work.last else None
    last = last or text_in(known, "lastActivity") or text_in(known, "lastActive")
    entry: Data = {
        "id": id_,
        "name": _cut(text_in(known, "name") or id_),
        # An agent that was removed meanwhile has done what it has done.
        "status": _cut(text_in(known, "status") or "unknown") if agent is not None else "removed",
        "kind": text_in(known, "kind") or "unknown",
        "lastActivity": None if last is None else _cut(last),
        "completed": _tasks(work.completed),
        "started": _tasks(work.started),
        "blocked": _tasks(work.blocked),
        "tokens": work.tokens,
        "cost": work.cost,
        "unpricedTokens": work.unpriced,
        "files": {
            "count": len(work.files),
            "newest": [_cut(path) for path in list(work.files)[: -NEWEST - 1 : -1]],
        },
        "questions": {
            "count": len(asked),
            "newest": [
                {"id": _cut(str(one.get("id"))), "text": _cut(str(one.get("text")))}
                for one in sorted(asked, key=lambda one: -int(one["event"]))[:NEWEST]
            ],
        },
    }
    host = known.get("host")
    return {**entry, "host": host} if isinstance(host, str) else entry


def _tasks(tasks: Mapping[str, str]) -> Data:
    newest = list(tasks.items())[: -NEWEST - 1 : -1]
    return {
        "count": len(tasks),
        "newest": [{"id": _cut(id_), "description": _cut(text)} for id_, text in newest],
    }


def _cut(text: str) -> str:
    return cut(text, MAX_TEXT_BYTES)
