"""A message in words: a title, and what it is about in plain sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from missioncontrol.errors import ConfigError
from missioncontrol.notify.batch import Batch

FIELDS = ("title", "text", "count", "level", "agent", "type", "rule")
"""What a template may name: the title and the text as they would be without it, and the parts they are made of."""

MAX_TITLE = 120
_FIELD = re.compile(r"\{([^{}]*)\}")
_TITLES = {"critical": "Critical alert", "warning": "Warning", "info": "Note"}


def check_template(name: str, text: str | None) -> None:
    """Make sure that a template names fields that there are.

    Raises:
        ConfigError: it names another one.
    """
    for field in _FIELD.findall(text or ""):
        if field not in FIELDS:
            raise ConfigError(
                f"{name} names {{{field[:40]}}}; it may name {', '.join(f'{{{one}}}' for one in FIELDS)}."
            )


def compose(
    batch: Batch, rule: str, title: str | None, body: str | None, zone: ZoneInfo | None, per_hour: int
) -> tuple[str, str]:
    """Write a message.

    Args:
        batch: what it is about.
        rule: the name of the rule.
        title: its template, if it has one.
        body: its template, if it has one.
        zone: in which times are written; None for this machine's own.
        per_hour: how many messages the rule sends at most.
    """
    usual = _title(batch), _text(batch, zone, per_hour)
    fields = {
        "title": usual[0],
        "text": usual[1],
        "count": str(batch.count),
        "level": batch.level or "info",
        "agent": ", ".join(batch.agents),
        "type": ", ".join(batch.types),
        "rule": rule,
    }
    said = usual[0] if title is None else " ".join(_fill(title, fields).split())
    return said[:MAX_TITLE], usual[1] if body is None else _fill(body, fields)


def _fill(template: str, fields: Mapping[str, str]) -> str:
    # Not `str.format`: a template gets at these texts and at nothing else.
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), template)


def _title(batch: Batch) -> str:
    if batch.count == 1 and not batch.away:
        agent = batch.agents[0] if batch.agents else None
        match batch.types[0]:
            case "system:alert":
                return _TITLES[batch.level or "info"]
            case "token:threshold":
                return f"Budget of {agent or 'the fleet'}"
            case "question:asked":
                return f"{agent or 'Somebody'} asks"
            case "standup:held":
                return "Standup"
            case other:
                return other
    kinds = dict(batch.away)
    for kind, count in batch.kinds.items():
        kinds[kind] = kinds.get(kind, 0) + count
    return counted(kinds)


def _text(batch: Batch, zone: ZoneInfo | None, per_hour: int) -> str:
    lines: list[str] = []
    told = sum(batch.kinds.values())
    if told == 1 and not batch.away:
        sentence = next(iter(batch.sentences), "")
        if batch.whole:
            lines += next(iter(batch.whole.values()))
        else:
            # The title says how bad it is.
            lines.append(sentence.partition(": ")[2] if batch.types == ["system:alert"] else sentence)
        lines += [f"- {point}" for point in batch.points]
    elif told:
        lines.append(f"{counted(batch.kinds)} {_span(batch, zone)}:")
        lines += [
            f"- {sentence}" + (f" ({count:,} times)" if count > 1 else "")
            for sentence, count in batch.sentences.items()
        ]
        if (rest := told - sum(batch.sentences.values())) > 0:
            lines.append(f"- and {rest:,} more")
    match batch.held:
        case "quiet":
            lines.append("This was held until the end of the quiet hours.")
        case "limit":
            lines.append(f"This was held back: there are at most {per_hour} messages an hour.")
        case "behind":
            lines.append("This waited, because earlier messages could not be sent.")
    if batch.away:
        until = _clock(batch.away_until, zone)
        lines.append(f"While Mission Control was away, until {until}: {counted(batch.away)}.")
    return "\n".join(lines)


def counted(kinds: Mapping[str, int]) -> str:
    """Say how many of what, as in `2 critical alerts and 1 question`."""
    parts = [f"{count:,} {kind}{'' if count == 1 else 's'}" for kind, count in kinds.items()]
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _span(batch: Batch, zone: ZoneInfo | None) -> str:
    seconds = batch.until - batch.since
    if seconds < 120:
        return f"within {max(1, round(seconds))} s"
    return f"from {_clock(batch.since, zone)} to {_clock(batch.until, zone)}"


def _clock(time: float, zone: ZoneInfo | None) -> str:
    return datetime.fromtimestamp(time, zone).strftime("%H:%M")
