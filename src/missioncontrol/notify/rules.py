"""The rules as the settings write them, checked and ready: which events are told, to whom, when.

What the notifier itself tells is never matched, whatever a rule says: a failure would tell of itself for ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from missioncontrol.config import Level, NotifyConfig, NotifyRule
from missioncontrol.errors import BadPattern, ConfigError
from missioncontrol.events import Event, Patterns
from missioncontrol.notify.batch import LEVELS, agent_of, level_of
from missioncontrol.notify.quiet import QuietHours
from missioncontrol.notify.text import check_template

SOURCE = "notify"
"""Who the notifier is in the log: as the source of what it tells, and of what it remembers."""

OWN_CATEGORY = "notification:"
DEFAULT_RULE = "default"
MAX_STORM_SECONDS = 3600.0


class Rule(NamedTuple):
    """One rule. `levels` are those that pass; `urls` are secret."""

    name: str
    patterns: Patterns
    levels: frozenset[Level]
    agents: tuple[str, ...]
    urls: tuple[str, ...]
    quiet: QuietHours | None
    passes_quiet: bool
    storm_seconds: float
    per_hour: int
    title: str | None
    body: str | None

    def wants(self, event: Event) -> bool:
        """Say whether an event is to be told by this rule."""
        if not self.patterns.matches(event.type) or is_own(event):
            return False
        level = level_of(event)
        if level is not None and level not in self.levels:
            return False
        if not self.agents:
            return True
        agent = agent_of(event)
        names = () if agent is None else (agent, agent.partition("@")[0])
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.agents)


def is_own(event: Event) -> bool:
    """Say whether the notifier itself has told an event."""
    return event.type.startswith(OWN_CATEGORY) or event.source == SOURCE


def read_rules(config: NotifyConfig) -> list[Rule]:
    """Check the rules of the settings; without any, `urls` and `events` of the section are one.

    Raises:
        ConfigError: one of them is wrong; no URL is repeated.
    """
    if not config.rules:
        return [_read(NotifyRule(name=DEFAULT_RULE), config, "notify")] if config.urls else []
    rules: list[Rule] = []
    for number, given in enumerate(config.rules, 1):
        where = f"The rule {given.name!r} of [[notify.rules]]"
        if not given.name.strip() or len(given.name) > 60:
            raise ConfigError(f"The rule {number} of [[notify.rules]] needs a name of 1 to 60 characters.")
        if any(rule.name == given.name for rule in rules):
            raise ConfigError(f"{where} is there twice; names differ.")
        if not given.urls and not config.urls:
            raise ConfigError(f"{where} has no urls, and [notify] has none either.")
        rules.append(_read(given, config, where))
    return rules


def _read(given: NotifyRule, config: NotifyConfig, where: str) -> Rule:
    try:
        patterns = Patterns(given.events or config.events)
        quiet = None
        if given.quiet_hours is not None:
            quiet = QuietHours.parse(given.quiet_hours, given.quiet_zone)
        check_template("title", given.title)
        check_template("body", given.body)
    except (BadPattern, ConfigError) as error:
        raise ConfigError(f"{where}: {error}") from None
    if not 0 <= given.storm_seconds <= MAX_STORM_SECONDS:
        raise ConfigError(
            f"{where}: storm_seconds is {given.storm_seconds:g}; it is 0 to {MAX_STORM_SECONDS:g}."
        )
    if given.per_hour < 1:
        raise ConfigError(f"{where}: per_hour is {given.per_hour}; the least is 1.")
    if quiet is None and (given.quiet_zone is not None or given.quiet_except is not None):
        raise ConfigError(f"{where}: quiet_zone and quiet_except need quiet_hours.")
    levels: Sequence[Level] = given.levels or LEVELS[LEVELS.index(given.min_level) :]
    return Rule(
        name=given.name,
        patterns=patterns,
        levels=frozenset(levels),
        agents=tuple(given.agents),
        urls=tuple(dict.fromkeys(given.urls or config.urls)),
        quiet=quiet,
        passes_quiet=given.quiet_except == "critical",
        storm_seconds=given.storm_seconds,
        per_hour=given.per_hour,
        title=given.title,
        body=given.body,
    )
