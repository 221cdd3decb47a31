"""What a message will be about: one event, or how many of what.

A batch is bounded, however many events go into it: the first sentences are kept, the rest is counted.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from missioncontrol.config import Level
from missioncontrol.events import Data, Event
from missioncontrol.events.sentences import clean, describe
from missioncontrol.notify.questions import how_to_answer, whole_of

MAX_SENTENCES = 10
MAX_IDS = 50
MAX_AGENTS = 10
MAX_QUESTIONS = 50
MAX_NAME = 80
AWAY_SECONDS = 3600.0
"""What is older when it is read happened while nobody was there to tell it: it is counted, and not told one by one."""

LEVELS: tuple[Level, ...] = ("info", "warning", "critical")


class Batch(msgspec.Struct):
    """Events that are told together.

    `begun` is when the first was read, `since` and `until` are the times of the first and the last event, in seconds
    since 1970. `kinds` counts them by what they are, `away` those of them that are old. `sentences` has the first ones
    with how often each was said; `questions` the sentence of each open question, empty where it is not among them.
    `whole` has what a message about one of these alone says: all of it, and how to answer. `held` says why the message
    comes late. `points` is what a standup says of each agent.
    """

    begun: float
    count: int = 0
    kinds: dict[str, int] = {}
    away: dict[str, int] = {}
    sentences: dict[str, int] = {}
    questions: dict[str, tuple[str, str, bool]] = {}
    whole: dict[str, tuple[str, ...]] = {}
    ids: list[int] = []
    agents: list[str] = []
    types: list[str] = []
    level: Level | None = None
    since: float = 0.0
    until: float = 0.0
    away_until: float = 0.0
    held: Literal["", "quiet", "limit", "behind"] = ""
    points: list[str] = []

    def add(self, event: Event, now: float) -> None:
        """Take in an event that is read now."""
        time = time_of(event)
        kind, level, agent = kind_of(event), level_of(event), agent_of(event)
        away = now - time > AWAY_SECONDS
        sentence = ""
        if away:
            _count(self.away, kind)
            self.away_until = max(self.away_until, time)
        else:
            _count(self.kinds, kind)
            self.since = min(self.since or time, time)
            self.until = max(self.until, time)
            sentence = sentence_of(event)
            if sentence in self.sentences or len(self.sentences) < MAX_SENTENCES:
                _count(self.sentences, sentence)
            else:
                sentence = ""
        self.count += 1
        self.level = _worse(self.level, level)
        if len(self.ids) < MAX_IDS:
            self.ids.append(event.id)
        if event.type not in self.types and len(self.types) < MAX_AGENTS:
            self.types.append(event.type)
        if agent is not None and agent not in self.agents and len(self.agents) < MAX_AGENTS:
            self.agents.append(agent)
        if event.type == "standup:held":
            # The newest standup is the one that the message tells in full.
            self.points = standup_points(event.data)
        question = event.data.get("question")
        if (
            event.type == "question:asked"
            and isinstance(question, dict)
            and len(self.questions) < MAX_QUESTIONS
        ):
            id_ = clean(question.get("id"))
            self.questions[id_] = (kind, sentence, away)
            shown = whole_of(question)
            how = how_to_answer(question, whole=shown is not None)
            self.whole[id_] = (sentence if shown is None else shown + _place(event, shown), how)

    def withdraw(self, question: str) -> None:
        """Take out a question that needs no answer any more."""
        known = self.questions.pop(question, None)
        self.whole.pop(question, None)
        if known is not None:
            kind, sentence, away = known
            _count(self.away if away else self.kinds, kind, -1)
            if sentence:
                _count(self.sentences, sentence, -1)
            self.count -= 1

    def merge(self, later: Batch) -> None:
        """Take in another batch, which begins later."""
        for mine, others in ((self.kinds, later.kinds), (self.away, later.away)):
            for kind, count in others.items():
                _count(mine, kind, count)
        for sentence, count in later.sentences.items():
            if sentence in self.sentences or len(self.sentences) < MAX_SENTENCES:
                _count(self.sentences, sentence, count)
        self.questions = dict([*self.questions.items(), *later.questions.items()][:MAX_QUESTIONS])
        self.whole = {
            id_: lines for id_, lines in {**self.whole, **later.whole}.items() if id_ in self.questions
        }
        self.points = later.points or self.points
        self.count += later.count
        self.ids = (self.ids + later.ids)[:MAX_IDS]
        self.agents = list(dict.fromkeys(self.agents + later.agents))[:MAX_AGENTS]
        self.types = list(dict.fromkeys(self.types + later.types))[:MAX_AGENTS]
        self.level = _worse(self.level, later.level)
        self.since = min(filter(None, (self.since, later.since)), default=0.0)
        self.until = max(self.until, later.until)
        self.away_until = max(self.away_until, later.away_until)


def standup_points(data: Data) -> list[str]:
    """Return a line for each of the first agents of a standup that has something to report."""
    standup = data.get("standup")
    agents = standup.get("agents") if isinstance(standup, dict) else None
    points: list[str] = []
    for agent in agents if isinstance(agents, list) else ():
        if not isinstance(agent, dict) or len(points) == MAX_SENTENCES:
            continue
        parts = [
            f"{word} {_descriptions(agent[name])}"
            for name, word in (
                ("completed", "completed"),
                ("started", "started"),
                ("blocked", "is blocked on"),
            )
            if isinstance(agent.get(name), dict) and agent[name].get("count")
        ]
        if parts:
            points.append(f"{clean(agent.get('name'))[:MAX_NAME]} {'; '.join(parts)}")
    return points


def _descriptions(tasks: Data) -> str:
    """Write the newest tasks of a list, and how many more there are."""
    newest = tasks.get("newest")
    named = [
        clean(task.get("description") or task.get("id"))[:MAX_NAME]
        for task in (newest if isinstance(newest, list) else [])[:2]
        if isinstance(task, dict)
    ]
    count = tasks.get("count")
    rest = (int(count) if isinstance(count, int | float) else 0) - len(named)
    if not named:
        return f"{rest:,} task{'' if rest == 1 else 's'}"
    return ", ".join(named) + (f" and {rest:,} more" if rest > 0 else "")


def level_of(event: Event) -> Level | None:
    """Return how urgent an event is; None where events of its type have no level.

    A question is a `warning`: somebody waits, but nothing is broken.
    """
    if event.type == "question:asked":
        return "warning"
    key = {"system:alert": "level", "token:threshold": "alert"}.get(event.type)
    level = event.data.get(key) if key is not None else None
    return next((known for known in LEVELS if known == level), None)


def agent_of(event: Event) -> str | None:
    """Return the agent that an event is about; None where it is about none, or about all."""
    data = event.data
    places = (data, data.get("question"), data.get("task"), data.get("updates"), data.get("details"))
    for place in places:
        if isinstance(place, dict):
            for key in ("agentId", "agent", "assignedTo"):
                if isinstance(agent := place.get(key), str) and agent:
                    return None if data.get("scope") == "fleet" else clean(agent)[:MAX_NAME]
    return None


def kind_of(event: Event) -> str:
    """Return what an event is, as a noun that can have an `s`."""
    if event.type == "system:alert":
        return f"{level_of(event) or 'info'} alert"
    nouns = {"token:threshold": "budget alert", "question:asked": "question", "standup:held": "standup"}
    return nouns.get(event.type) or f"{event.type} event"


def sentence_of(event: Event) -> str:
    """Say what happened, and where in a fleet of several hosts."""
    sentence = describe(event)
    return sentence[:1].upper() + sentence[1:] + _place(event, sentence)


def _place(event: Event, sentence: str) -> str:
    # Agents have their host in their ids.
    return f" ({clean(event.host)})" if event.host is not None and "@" not in sentence else ""


def time_of(event: Event) -> float:
    """Return when the log took an event, in seconds since 1970."""
    return datetime.fromisoformat(event.time).timestamp()


def _worse(one: Level | None, other: Level | None) -> Level | None:
    known = [level for level in (one, other) if level is not None]
    return max(known, key=LEVELS.index, default=None)


def _count(counts: dict[str, int], key: str, more: int = 1) -> None:
    counts[key] = counts.get(key, 0) + more
    if counts[key] <= 0:
        del counts[key]
