"""What the person at the keyboard has chosen: the order, the filter, the selected agent, what is being typed.

Keys change it; it knows no terminal and no server. What a key asks of somebody else comes back as an `Order`.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from missioncontrol.cli.top.fleet import AgentRow, Picture, QuestionRow

FILTERS = ("", "at work", "needs you", "there")
"""What the table may be filtered by; the first is nothing."""

PAGE_ROWS = 10


class Mode(Enum):
    """What the screen shows, and what keys mean."""

    TABLE = "table"
    SHEET = "sheet"
    HELP = "help"
    ANSWER = "answer"
    SEARCH = "search"


class Sort(Enum):
    """The order of the table."""

    NEEDS = "needs"
    NAME = "name"
    COST = "cost"
    TOKENS = "tokens"
    LATEST = "latest"


class ConnectionStatus(NamedTuple):
    """The connection; `heard` is when the newest event was told, in seconds since 1970.

    `known` is False while nothing is known of the fleet: then nothing is said of it.
    """

    sign: str
    text: str
    stale: bool
    heard: float | None
    reason: str = ""
    known: bool = True


class Quit(NamedTuple):
    """Leave."""


class Answer(NamedTuple):
    """Send an answer to a question; `digest` is that of the question as it was shown."""

    question: str
    text: str
    digest: str


Order = Quit | Answer

_RANK = {"error": 0, "waiting": 1, "busy": 2, "online": 3, "idle": 4, "unknown": 5, "offline": 6}


class View:
    """The choices; `message` is what is to be said once, in place of the keys."""

    default_sort = Sort.NEEDS

    def __init__(self, *, selecting: bool = True) -> None:
        """Begin as everybody does; without `selecting` no agent is marked, since nobody can choose another one."""
        self.selecting = selecting
        self.mode = Mode.TABLE
        self.sort = self.default_sort
        self.filter = 0
        self.search = ""
        self.typed = ""
        self.message = ""
        self.paused = False
        self._selected: str | None = None
        self._question: str | None = None

    def shown(self, picture: Picture) -> list[AgentRow]:
        """Return the agents that the choices let through, in their order."""
        search = self.search.casefold()
        agents = [agent for agent in picture.agents if self._lets_through(agent, search)]
        match self.sort:
            case Sort.NEEDS:
                agents.sort(key=lambda one: (not one.asks, _RANK.get(one.kind, 5), one.name.casefold()))
            case Sort.NAME:
                agents.sort(key=lambda one: one.name.casefold())
            case Sort.COST:
                agents.sort(key=lambda one: (-one.cost, one.name.casefold()))
            case Sort.TOKENS:
                agents.sort(key=lambda one: (-one.tokens, one.name.casefold()))
            case Sort.LATEST:
                agents.sort(key=lambda one: (-(one.since or 0.0), one.name.casefold()))
        return agents

    def _lets_through(self, agent: AgentRow, search: str) -> bool:
        if search and not any(
            search in text.casefold()
            for text in (agent.name, agent.id, agent.task, agent.activity, agent.status)
        ):
            return False
        match FILTERS[self.filter]:
            case "at work":
                return agent.kind == "busy"
            case "needs you":
                return agent.needs_person
            case "there":
                return agent.kind != "offline"
            case _:
                return True

    def position(self, shown: list[AgentRow]) -> int:
        """Return where the selected agent stands; the first where it is not shown."""
        return next((place for place, agent in enumerate(shown) if agent.id == self._selected), 0)

    def selected(self, picture: Picture) -> AgentRow | None:
        """Return the selected agent; the sheet keeps to its own, even when the choices hide it."""
        if self.mode is Mode.SHEET:
            return next((agent for agent in picture.agents if agent.id == self._selected), None)
        shown = self.shown(picture)
        return shown[self.position(shown)] if shown else None

    def question(self, picture: Picture) -> QuestionRow | None:
        """Return the question that is being answered, while it is open."""
        return next((one for one in picture.questions if one.id == self._question), None)

    def press(self, key: str, picture: Picture) -> Order | None:
        """Do what a key asks for, and return what somebody else is to do."""
        self.message = ""
        if key == "quit":
            return Quit()
        if self.mode is Mode.SEARCH:
            self._press_in_search(key)
            return None
        if self.mode is Mode.ANSWER:
            return self._press_in_answer(key, picture)
        match key:
            case "q":
                return Quit()
            case "escape" | "left" | "backspace":
                if self.mode is Mode.TABLE:
                    self.search, self.filter = "", 0
                self.mode = Mode.TABLE
            case "?" | "h":
                self.mode = Mode.TABLE if self.mode is Mode.HELP else Mode.HELP
            case "p" | " ":
                self.paused = not self.paused
            case "a":
                self._begin_answer(picture)
            case "up" | "k" | "down" | "j" | "page-up" | "page-down" | "home" | "end":
                self._move(key, picture)
            case "enter" | "right":
                if (agent := self.selected(picture)) is not None and self.mode is Mode.TABLE:
                    self._selected, self.mode = agent.id, Mode.SHEET
            case "s":
                orders = list(Sort)
                self.sort = orders[(orders.index(self.sort) + 1) % len(orders)]
            case "f":
                self.filter = (self.filter + 1) % len(FILTERS)
            case "/":
                self.mode, self.typed = Mode.SEARCH, self.search
        return None

    def _move(self, key: str, picture: Picture) -> None:
        shown = self.shown(picture)
        if not shown:
            return
        step = {"up": -1, "k": -1, "down": 1, "j": 1, "page-up": -PAGE_ROWS, "page-down": PAGE_ROWS}
        far = {"home": -len(shown), "end": len(shown)}
        place = self.position(shown) + (step.get(key) or far.get(key, 0))
        self._selected = shown[max(0, min(len(shown) - 1, place))].id

    def _press_in_search(self, key: str) -> None:
        match key:
            case "enter":
                self.mode = Mode.TABLE
            case "escape":
                self.mode, self.search, self.typed = Mode.TABLE, "", ""
            case _:
                self._type(key)
                self.search = self.typed

    def _begin_answer(self, picture: Picture) -> None:
        agent = self.selected(picture)
        theirs = [one for one in picture.questions if agent is not None and one.agent == agent.id]
        found = [*theirs, *picture.questions]
        if not found:
            self.message = "Nobody asks anything."
            return
        self._question, self.typed, self.mode = found[0].id, "", Mode.ANSWER

    def _press_in_answer(self, key: str, picture: Picture) -> Order | None:
        question = self.question(picture)
        if question is None:
            self.mode, self.message = Mode.TABLE, "The question is no longer open."
            return None
        match key:
            case "escape":
                self.mode = Mode.TABLE
            case "tab" | "back-tab":
                ids = [one.id for one in picture.questions]
                step = 1 if key == "tab" else -1
                self._question, self.typed = ids[(ids.index(question.id) + step) % len(ids)], ""
            case "enter" if not question.brief:
                self.mode, self.message = Mode.TABLE, f"Run: mission-control answer {question.id}"
            case "enter" if self.typed.strip():
                text = self.typed.strip()
                if question.options and text.isdigit() and 0 < int(text) <= len(question.options):
                    text = question.options[int(text) - 1]
                self.mode = Mode.TABLE
                return Answer(question.id, text, question.digest)
            case _ if question.brief:
                self._type(key)
        return None

    def _type(self, key: str) -> None:
        if key == "backspace":
            self.typed = self.typed[:-1]
        elif key == "clear":
            self.typed = ""
        elif len(key) == 1:
            self.typed += key
