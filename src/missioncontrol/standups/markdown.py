"""A standup as Markdown, to be read by people. What others wrote goes in as text: it can make no markup."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from missioncontrol.events import Data
from missioncontrol.events.markdown import markdown_text as _text


def write_markdown(standup: Data) -> str:
    """Write a standup: its period, its totals, and a section for each agent.

    Args:
        standup: a record as the state keeps it; what is missing in it is left out.
    """
    totals = _object(standup.get("totals"))
    lines = [
        f"# Standup {_day(_object(standup.get('to')).get('time'))}",
        "",
        f"From {_moment(_object(standup.get('from')).get('time'))} to "
        f"{_moment(_object(standup.get('to')).get('time'))}.",
    ]
    if standup.get("complete") is False:
        lines += [
            "",
            f"**Incomplete:** earlier events are gone; counted from {_moment(standup.get('since'))}.",
        ]
    lines += ["", f"**{totals_line(totals)}**"]
    alerts = [one for one in _list(standup.get("alerts")) if isinstance(one, dict)]
    if alerts:
        lines += ["", "## Alerts", ""]
        lines += [f"- {_text(one.get('level'))}: {_text(one.get('message'))}" for one in alerts]
    idle: list[str] = []
    for agent in (one for one in _list(standup.get("agents")) if isinstance(one, dict)):
        points = _points(agent)
        if points:
            lines += ["", f"## {_text(agent.get('name'))} ({_text(agent.get('status'))})", "", *points]
        else:
            idle.append(f"{_text(agent.get('name'))} ({_text(agent.get('status'))})")
    if idle:
        lines += ["", "## Nothing to report", "", ", ".join(idle)]
    if left_out := _number(standup.get("agentsLeftOut")):
        lines += ["", f"And {left_out:,} more agents."]
    return "\n".join(lines) + "\n"


def totals_line(totals: Data) -> str:
    """Return the totals of a fleet, or the figures of an agent, in one line."""
    parts = [
        _counted(totals.get("completed"), "task completed", "tasks completed"),
        _counted(totals.get("started"), "started", "started"),
        _counted(totals.get("blocked"), "blocked", "blocked"),
        use_text(totals),
        _counted(totals.get("files"), "file changed", "files changed"),
    ]
    if leads := _number(totals.get("leads")):
        parts.append(_counted(leads, "lead found", "leads found"))
    alerts = _object(totals.get("alerts"))
    for level in ("critical", "warning"):
        if count := _number(alerts.get(level)):
            parts.append(_counted(count, f"{level} alert", f"{level} alerts"))
    if questions := _number(totals.get("openQuestions")):
        parts.append(_counted(questions, "open question", "open questions"))
    return ", ".join(parts)


def use_text(record: Data) -> str:
    """Return tokens and cost in words; what is unknown is said to be."""
    tokens, cost = record.get("tokens"), record.get("cost")
    if not isinstance(tokens, int | float):
        return "tokens unknown"
    if not isinstance(cost, int | float):
        return f"{tokens:,.0f} tokens, cost unknown"
    unpriced = _number(record.get("unpricedTokens"))
    least = "at least " if unpriced else ""
    return f"{tokens:,.0f} tokens for {least}${cost:,.2f}"


def _points(agent: Data) -> list[str]:
    points: list[str] = []
    for name, title in (("completed", "Completed"), ("started", "Started"), ("blocked", "Blocked")):
        if count := _count(agent, name):
            tasks = [
                f"{_text(task.get('id'))} {_text(task.get('description'))}"
                for task in _newest(agent, name)
                if isinstance(task, dict)
            ]
            points.append(f"- {title} ({count:,}): {'; '.join(tasks)}{_more(count, len(tasks))}")
    if agent.get("tokens") != 0 or agent.get("cost"):
        points.append(f"- Used {use_text(agent)}")
    if count := _count(agent, "files"):
        paths = [f"{_text(path)}" for path in _newest(agent, "files")]
        points.append(f"- Changed files ({count:,}): {', '.join(paths)}{_more(count, len(paths))}")
    for question in _newest(agent, "questions"):
        if isinstance(question, dict):
            points.append(f"- Asks ({_text(question.get('id'))}): {_text(question.get('text'))}")
    return points


def _count(agent: Data, name: str) -> int:
    return _number(_object(agent.get(name)).get("count"))


def _newest(agent: Data, name: str) -> list[Any]:
    return _list(_object(agent.get(name)).get("newest"))


def _more(count: int, shown: int) -> str:
    return f" and {count - shown:,} more" if count > shown else ""


def _moment(value: Any) -> str:
    """Write a time as this machine's clock shows it."""
    try:
        return datetime.fromisoformat(str(value)).astimezone().strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


def _day(value: Any) -> str:
    return _moment(value).partition(" ")[0] if isinstance(value, str) else ""


def _counted(value: Any, one: str, many: str) -> str:
    count = _number(value)
    return f"{count:,} {one if count == 1 else many}"


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _object(value: Any) -> Data:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
