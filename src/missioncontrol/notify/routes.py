"""From the settings to rules with destinations; two rules that name one URL share what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from missioncontrol.config import NotifyConfig
from missioncontrol.notify.destination import Destination, open_destinations
from missioncontrol.notify.rules import Rule, read_rules


class Route(NamedTuple):
    """A rule with the labels of where its messages go."""

    rule: Rule
    labels: list[str]


class Routes(NamedTuple):
    """All rules, and all destinations by their labels."""

    routes: list[Route]
    destinations: dict[str, Destination]


async def prepare(config: NotifyConfig) -> Routes | None:
    """Read the rules, and make the destinations; None where the settings name nobody to be told.

    Raises:
        ConfigError: a rule or a URL is wrong.
    """
    rules = read_rules(config)
    return await asyncio.to_thread(_open, rules) if rules else None


def _open(rules: Sequence[Rule]) -> Routes:
    by_url: dict[str, str] = {}
    destinations: dict[str, Destination] = {}
    routes: list[Route] = []
    for rule in rules:
        fresh = [url for url in rule.urls if url not in by_url]
        for url, one in zip(fresh, open_destinations(fresh, f"The rule {rule.name!r}"), strict=True):
            # Two that look alike without their secrets are told apart by their order.
            label, number = one.label, 1
            while one.label in destinations:
                number += 1
                one.label = f"{label} ({number})"
            destinations[one.label] = one
            by_url[url] = one.label
        routes.append(Route(rule, [by_url[url] for url in rule.urls]))
    return Routes(routes, destinations)
