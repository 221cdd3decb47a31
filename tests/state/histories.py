"""Histories of events for the fold: nearly right data of the catalogue's types, and anything else under their keys."""

from __future__ import annotations

from random import Random
from typing import Any

from missioncontrol.events import CATALOGUE
from missioncontrol.server.asyncapi import EXAMPLES
from missioncontrol.state.usage import Sums

USE: dict[str, Any] = {
    "tokens": 10,
    "cost": 0.5,
    "calls": 1,
    "input": 4,
    "output": 3,
    "cacheRead": 2,
    "cacheWrite": 1,
    "costs": {"prices": 0.5},
    "unpriced": {"tokens": 0, "calls": 0},
}
BASELINE: dict[str, Any] = {
    "source": "tokens",
    "agents": [{"id": "a", "name": "A", "status": "idle", "stats": {}}],
    "tasks": [{"id": "a", "status": "pending"}],
    "leads": [{"leadId": "a", "score": 1}],
    "gateway": {"status": "running", "details": {}, "updated": "2026-11-23T10:15:00.000Z"},
    "tokens": {
        "agents": {"a": {**USE, "session": {"id": "s"}, "days": {"2026-11-23": USE}, "updated": "x"}},
        "models": {"m": USE},
        "days": {"2026-11-23": USE},
        "sessions": [{**USE, "id": "s", "agent": "a", "model": "m", "runtime": "openclaw", "updated": "x"}],
    },
}
MOVED_USE: dict[str, Any] = EXAMPLES["token:usage"]["delta"]["uses"][0]
MOVES: list[dict[str, Any]] = [
    {
        **EXAMPLES["token:usage"],
        "agent": agent,
        "tokens": tokens,
        "cost": cost,
        "delta": {
            "tokens": sign * 500,
            "cost": sign * 0.015,
            name: other,
            "uses": [
                {
                    key: sign * value if isinstance(value, int | float) else value
                    for key, value in MOVED_USE.items()
                }
            ],
        },
    }
    for agent, name, other, sign, tokens, cost in (
        ("scout", "movedTo", "a", -1, 0, 1e-17),
        ("a", "movedFrom", "scout", 1, 500, 0.015),
    )
]
"""What sessions have used, once they turn out to be another agent's."""

SHAPED: dict[str, dict[str, Any]] = {**EXAMPLES, "state:baseline": BASELINE}

ODD_KEYS = [
    "",
    "__proto__",
    "constructor",
    "toString",
    "hosts",
    "removed",
    "zzz",
    "é",
    "𝄞",
    "ﬁ",
    "2026-11-23",
]


def _keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*map(_keys_in, value.values()))
    return set().union(*map(_keys_in, value)) if isinstance(value, list) else set()


KEYS = sorted(
    {name for shape in CATALOGUE.values() for name in shape.__struct_encode_fields__}
    | _keys_in(SHAPED)
    | _keys_in(MOVES)
    | set(Sums.__annotations__)
    | set(ODD_KEYS)
)
"""Every key that the catalogue or the fold knows, and some that neither does."""

WORDS = [
    *(
        "",
        "a",
        "b",
        "m",
        "s",
        "TASK-0042",
        "scout",
        "L-7",
        "Q-7K3M9PXA",
        "idle",
        "not running",
        "warning",
        "open",
    ),
    *("prices", "2026-11-23", "2026-11-23T10:15:00.000Z", "a@alpha", "a@-x", "x" * 65, "é" * 2_000, "𝄞", "ﬁ"),
    *("__proto__", "constructor", "permission", "answered", "yes", "other"),
]
NUMBERS = [0, 1, -1, 5.0, -0.0, 0.1, 1e-7, 1e15, -1e15, 1e300, 2**53 - 1]
BEYOND = [2**63, 2**70, -(2**70), 10**400]
"""Whole numbers that other languages do not count exactly."""


class Histories:
    """Makes histories, the same ones for a seed."""

    def __init__(self, seed: int, *, exact: bool = False) -> None:
        """Begin; `exact` leaves out numbers that not every language reads alike."""
        self._chance = Random(seed)
        self._numbers = NUMBERS if exact else NUMBERS + BEYOND

    def history(self, most: int = 12, *, hosts: bool = False) -> list[tuple[str, dict[str, Any], str | None]]:
        """Return types, data and hosts of events, oldest first."""
        chance = self._chance
        events = []
        for _ in range(chance.randrange(most + 1)):
            type_ = chance.choice([*SHAPED, "custom:event"])
            shaped = SHAPED.get(type_, {})
            if type_ == "token:usage":
                shaped = chance.choice([shaped, *MOVES])
            data = self.nearly(shaped)
            host = chance.choice([None, "alpha", "beta"]) if hosts else None
            events.append((type_, data if isinstance(data, dict) else {}, host))
        return events

    def nearly(self, example: Any) -> Any:
        """Return an example with something in it left out, replaced or added."""
        chance = self._chance
        if chance.random() < 0.06:
            return self.anything()
        if isinstance(example, str):
            return chance.choice([chance.choice(WORDS), self.text()]) if chance.random() < 0.2 else example
        if isinstance(example, dict):
            made = {key: self.nearly(value) for key, value in example.items() if chance.random() > 0.08}
            if chance.random() < 0.2:
                made[chance.choice(KEYS)] = self.anything()
            return made
        if isinstance(example, list):
            return [self.nearly(one) for one in example for _ in range(chance.choice([0, 1, 1, 1, 2]))]
        return example

    def text(self) -> str:
        """Return a few characters from anywhere in Unicode."""
        chance = self._chance
        points = [chance.randrange(chance.choice([0x80, 0x800, 0xD800, 0x110000])) for _ in range(4)]
        return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)

    def anything(self, depth: int = 0) -> Any:
        """Return any JSON, with the keys of the catalogue."""
        chance = self._chance
        match chance.randrange(8 if depth < 4 else 5):
            case 0:
                return None
            case 1:
                return chance.random() < 0.5
            case 2:
                return chance.choice(self._numbers)
            case 3:
                return chance.choice([-1, 1]) * 10 ** chance.uniform(-320, 308)
            case 4:
                return chance.choice([chance.choice(WORDS), self.text()])
            case 5:
                return [self.anything(depth + 1) for _ in range(chance.randrange(3))]
            case _:
                return {chance.choice(KEYS): self.anything(depth + 1) for _ in range(chance.randrange(4))}
