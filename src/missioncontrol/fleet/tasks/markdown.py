"""The queue as Markdown: read from `TASK_QUEUE.md` where there is no JSON, and written for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from missioncontrol.events.markdown import markdown_cell, plain_cell
from missioncontrol.fleet.tasks.task import UNASSIGNED, Task, folded, priority_of, status_of

SIGNS = {
    "pending": "🟡",
    "in_progress": "🔵",
    "review": "🟠",
    "completed": "🟢",
    "failed": "🔴",
    "delegated": "⚪",
    "blocked": "⛔",
    "cancelled": "❌",
}
HISTORY_ROWS = 10

_SECTION = r"\b[^\n]*+((?:\n(?!##)[^\n]*+)*+)"
"""The rest of a heading's line, and the lines up to the next heading."""

_ACTIVE = re.compile(r"^##+\s+Active Task Queue" + _SECTION, re.MULTILINE | re.IGNORECASE)
_HISTORY = re.compile(r"^##+\s+Task History" + _SECTION, re.MULTILINE | re.IGNORECASE)
_CELL = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r":?-+:?")
_COLUMNS = {
    "id": "id",
    "task id": "id",
    "task": "description",
    "title": "description",
    "description": "description",
    "status": "status",
    "assigned to": "assignedTo",
    "assigned": "assignedTo",
    "assignee": "assignedTo",
    "agent": "assignedTo",
    "owner": "assignedTo",
    "priority": "priority",
    "created": "created",
    "due": "due",
    "completed": "completedAt",
    "by": "completedBy",
}
_NOTHING = frozenset({"", "-", "–", "—"})


def read_markdown(text: str) -> tuple[list[Task], list[Task]]:
    """Return the tasks that are active, and those of the history.

    Where no heading says which tables have the active ones, all do that are not the history's.
    """
    found = _ACTIVE.search(text)
    active = [_task(row) for row in _rows(found[1] if found else _HISTORY.sub("", text))]
    over = _HISTORY.search(text)
    history = [{"status": "completed", **row} for row in _rows(over[1] if over else "")]
    return active, [folded(entry) for entry in history]


def _task(row: Mapping[str, str]) -> Task:
    return {
        **row,
        "status": status_of(row.get("status")) or "pending",
        "priority": priority_of(row.get("priority")) or "P2",
        "assignedTo": row.get("assignedTo") or UNASSIGNED,
    }


def _rows(text: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    names: list[str | None] | None = None
    for line in text.splitlines():
        if not line.strip().startswith("|"):
            continue
        cells = [_plain(cell) for cell in _CELL.split(line.strip().strip("|"))]
        columns = [_COLUMNS.get(cell.casefold()) for cell in cells]
        if names is None or {"id", "description"}.issubset(columns):
            names = columns
        elif not all(_RULE.fullmatch(cell) for cell in cells):
            pairs = zip(names, cells, strict=False)
            row = {name: cell for name, cell in pairs if name is not None and cell not in _NOTHING}
            if "id" in row and "description" in row:
                rows.append(row)
    return rows


def _plain(cell: str) -> str:
    return plain_cell(cell.strip())


def write_markdown(tasks: Iterable[Task], history: Sequence[Any], generated: str) -> str:
    """Write the queue as a document.

    Args:
        tasks: the tasks of the queue, in the order of the document.
        history: the entries of tasks that are over, the newest first; ten of them are written.
        generated: the current time, RFC 3339.
    """
    lines = [
        "# Mission Control - Task Queue System",
        "",
        "## Overview",
        "",
        f"Generated: {generated}",
        "",
        "## Active Task Queue",
        "",
        "| ID | Task | Status | Assigned To | Priority | Created | Due |",
        "|----|------|--------|-------------|----------|---------|-----|",
    ]
    rows = [
        _row(
            task["id"],
            task.get("description"),
            f"{SIGNS.get(str(task.get('status')), '⚪')} {str(task.get('status', '')).upper()}",
            task.get("assignedTo"),
            task.get("priority"),
            str(task.get("created") or "").partition("T")[0],
            task.get("due"),
        )
        for task in tasks
    ]
    lines += rows or [_row("-", "No pending tasks", "-", "-", "-", "-", "-")]
    lines += [
        "",
        f"## Task History (Last {HISTORY_ROWS})",
        "",
        "| ID | Task | Status | Completed | By |",
        "|----|------|--------|-----------|----|",
    ]
    lines += [
        _row(
            entry.get("id"),
            entry.get("description"),
            f"✅ {str(entry.get('status', 'completed')).upper()}",
            entry.get("completedAt"),
            entry.get("completedBy") or entry.get("assignedTo"),
        )
        for entry in history[:HISTORY_ROWS]
        if isinstance(entry, dict)
    ]
    return "\n".join(lines) + "\n"


def _row(*cells: Any) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(value: Any) -> str:
    return "-" if value in (None, "") else markdown_cell(value)
