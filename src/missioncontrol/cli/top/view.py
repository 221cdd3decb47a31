"""The screen: the picture of the fleet laid out in lines of a width and a height. No terminal is needed for it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len

from missioncontrol.cli.sentences import clock, describe_gap
from missioncontrol.cli.top.choices import FILTERS, ConnectionStatus, Mode, View
from missioncontrol.cli.top.fleet import AgentRow, Picture, QuestionRow
from missioncontrol.cli.top.lines import Cell, Line, wrap
from missioncontrol.client import Event
from missioncontrol.events.sentences import describe

LEAST_WIDTH = 40
LEAST_HEIGHT = 10

SIGNS = {
    "busy": "▶",
    "online": "●",
    "idle": "◌",
    "waiting": "!",
    "error": "✕",
    "offline": "○",
    "unknown": "?",
}
"""A sign for each kind of status: colour is never the only one."""

_HELP = (
    ("↑ ↓  j k", "select an agent; Page Up, Page Down, Home, End"),
    ("Enter", "the agent's sheet; Escape goes back"),
    ("a", "answer a question: that of the selected agent, else the oldest"),
    ("s", "sort by what needs you, name, cost, tokens, or latest"),
    ("f", "show all, those at work, those that need you, or those that are there"),
    ("/", "search in names, tasks and activities; Escape ends it"),
    ("p", "hold the picture; the fleet goes on, and p again catches up"),
    ("?", "this help"),
    ("q", "quit"),
)


def lay_out(
    picture: Picture, view: View, lamp: ConnectionStatus, size: tuple[int, int], now: float
) -> list[Line]:
    """Return the lines of the whole screen: at most as many as it is high."""
    width, height = size
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        return [(Cell(0, width, f"Too small: {LEAST_WIDTH}×{LEAST_HEIGHT} is the least."),)]
    head = header(picture, lamp, width, now)
    foot = _footer(view, width)
    room = height - len(head) - 1
    dim = "dim" if lamp.stale else ""
    match view.mode:
        case _ if not lamp.known:
            body = _nothing_known(lamp, width)
        case Mode.HELP:
            body = _help(width)
        case Mode.SHEET:
            body = _sheet(picture, view, width, room, now)
        case Mode.ANSWER if (question := view.question(picture)) is not None:
            asked = _asked(question, view, width, now)[: room - 3]
            above = _overview(picture, view, width, room - len(asked), now)[: room - len(asked)]
            body = [*above, *[()] * (room - len(asked) - len(above)), *asked]
        case _:
            body = _overview(picture, view, width, room, now)
    if dim:
        body = [tuple(cell._replace(style=f"{cell.style} dim") for cell in line) for line in body]
    body = body[:room]
    body += [()] * (room - len(body))
    return [*head, *body, foot]


def header(picture: Picture, lamp: ConnectionStatus, width: int, now: float) -> list[Line]:
    """Return the two lines that say how everything stands."""
    brand = " MISSION CONTROL " if width >= 64 else " MC "
    heard = "" if lamp.heard is None else f"last event {age(now - lamp.heard)} ago"
    right = f"{picture.busy} of {len(picture.agents)} at work "
    words = f" {lamp.sign} {lamp.text}  {heard}"
    reason = f"  {lamp.reason}" if lamp.reason else ""
    first = (
        Cell(0, len(brand), brand, "brand"),
        Cell(
            len(brand), width - len(brand) - len(right), words + reason, f"bar {'bold' if lamp.stale else ''}"
        ),
        Cell(width - len(right), len(right), right, "bar"),
    )
    if not lamp.known:
        return [
            (Cell(0, len(brand), brand, "brand"), Cell(len(brand), width - len(brand), words, "bar bold")),
            (),
        ]
    spent = f" {tokens(picture.tokens)} tokens, ${picture.cost:,.2f} today "
    cells = [Cell(0, len(spent), spent, "bold")]
    at = len(spent)
    if picture.budget > 0:
        part = picture.cost / picture.budget
        bar = gauge(part, 10 if width < 100 else 20)
        style = "good" if part < 0.8 else "warn" if part < 1.0 else "bad"
        words = f" {part:.0%} of ${picture.budget:,.2f}"
        cells += [Cell(at, len(bar), bar, style), Cell(at + len(bar), len(words), words)]
    need = picture.needs
    told = "nothing needs you" if not need else f"{need} need{'s' if need == 1 else ''} you"
    told = f"{'!' if need else '✓'} {told} "
    # Where there is too little room, the budget's words go first, then its gauge.
    while len(cells) > 1 and cells[-1].column + cells[-1].width + len(told) >= width:
        cells.pop()
    cells.append(Cell(width - len(told), len(told), told, "bad" if need else "good"))
    return [first, tuple(cells)]


def _nothing_known(lamp: ConnectionStatus, width: int) -> list[Line]:
    words = ["Nothing is known of the fleet yet. The first attempt is under way."]
    if lamp.reason:
        words = ["Nothing is known of the fleet yet; trying on.", *wrap(lamp.reason, width - 4, 6)]
    return [(), *((Cell(2, width - 2, part),) for part in words)]


def _overview(picture: Picture, view: View, width: int, room: int, now: float) -> list[Line]:
    needs = _needs(picture, width, now)
    shown = view.shown(picture)
    # The events get at least a quarter, the needs at most a quarter, the agents what is left.
    needs = needs[: max(2, room // 4)]
    least = max(3, room // 4)
    table = _table(picture, view, width, min(len(shown) + 1, room - len(needs) - least), now)
    if len(shown) == 0:
        table.append((Cell(2, width - 2, _why_empty(picture, view), "dim"),))
    return [*table, *needs, *_events(picture, width, room - len(table) - len(needs))]


def _why_empty(picture: Picture, view: View) -> str:
    if picture.agents:
        return "No agent is like that; f and / choose others."
    return "No agents yet: they are folders below agents/ in the workspace, or report themselves."


class _Layout(NamedTuple):
    """Columns and widths of the table; a width of 0 is a column that there is no room for."""

    name: int
    status: int
    age: int
    source: int
    task: int
    activity: int
    tokens: int
    cost: int
    model: int


def _layout(width: int) -> _Layout:
    """Share the width out: what there is no room for goes, from the model on, and a wide screen has all apart."""
    wide, widest = width >= 110, width >= 140
    name, status = (18, 16) if widest else (14, 14) if wide else (12, 10)
    source = 19 if widest else 11 if wide else 0
    model = 20 if widest else 10
    used, cost = (7, 8) if width >= 64 else (0, 0)
    if width < 72:
        name, model = 10, 0
    fixed = 2 + name + 2 + status + 5 + source + used + cost + model
    gaps = 3 + sum(width > 0 for width in (source, used, cost, model))
    free = max(8, width - fixed - gaps)
    if widest:
        return _Layout(name, status, 5, source, free // 2, free - free // 2 - 1, used, cost, model)
    return _Layout(name, status, 5, source, free, 0, used, cost, model)


def _table(picture: Picture, view: View, width: int, rows: int, now: float) -> list[Line]:
    """Return the headings and as many agents as there is room for, so that the selected one is among them."""
    shown = view.shown(picture)
    layout = _layout(width)
    room = max(1, rows - 1)
    selected = view.position(shown)
    first = max(0, min(selected - room // 2, len(shown) - room))
    what = (
        f"AGENTS {first + 1}-{min(len(shown), first + room)} of {len(shown)}"
        if len(shown) > room
        else "AGENTS"
    )
    notes = [f"by {view.sort.value}"] if view.sort is not view.default_sort else []
    notes += [FILTERS[view.filter]] if view.filter else []
    notes += [f"/{view.search}"] if view.search else []
    heading = f"{what} ({', '.join(notes)})" if notes else what
    lines = [_headings(heading, layout)]
    for position, agent in enumerate(shown[first : first + room], first):
        lines.append(_agent_line(agent, layout, width, now, selected=view.selecting and position == selected))
    return lines


def _columns(layout: _Layout) -> list[int]:
    """Return where each column begins; the sign of the status stands before the status."""
    at, begins = 2, []
    for name, width in zip(layout._fields, layout, strict=True):
        begins.append(at + (2 if name == "status" else 0))
        at += width + (2 if name == "status" else 0) + (1 if width else 0)
    return begins


def _headings(heading: str, layout: _Layout) -> Line:
    at = _columns(layout)
    # The heading of the section stands where that of the names would, and takes what it needs.
    words = ("", "STATUS", "AGE", "SOURCE", "TASK", "ACTIVITY", "TOKENS", "COST", "MODEL")
    if not layout.activity:
        words = (*words[:4], "TASK, ACTIVITY", *words[5:])
    cells = [Cell(0, max(len(heading) + 2, at[1] - 2), f" {heading}", "title")]
    for begin, width, word, name in zip(at, layout, words, layout._fields, strict=True):
        if width and word and begin >= cells[0].width:
            cells.append(Cell(begin, width, word, "dim", right=name in ("tokens", "cost", "age")))
    return tuple(cells)


def _agent_line(agent: AgentRow, layout: _Layout, width: int, now: float, *, selected: bool) -> Line:
    name, status, for_, source, task, activity, used, cost, model = _columns(layout)
    kind = "waiting" if agent.asks else agent.kind
    what = agent.task if layout.activity else " · ".join(filter(None, (agent.activity, agent.task)))
    passed = "" if agent.since is None else age(now - agent.since)
    pale = "dim" if agent.kind == "offline" else ""
    cells: Line = (
        Cell(0, 2, "▸ " if selected else "  ", "key"),
        Cell(name, layout.name, agent.name, "bold"),
        Cell(status - 2, 2, SIGNS.get(kind, "?") + " ", kind),
        Cell(status, layout.status, "asks you" if agent.asks else agent.status, kind),
        Cell(for_, layout.age, passed, "dim", right=True),
        Cell(source, layout.source, agent.source, "dim"),
        Cell(task, layout.task, what, pale),
        Cell(activity, layout.activity, agent.activity, pale),
        Cell(used, layout.tokens, tokens(agent.tokens) if agent.tokens else "-", pale, right=True),
        Cell(cost, layout.cost, f"${agent.cost:,.2f}" if agent.cost else "-", pale, right=True),
        Cell(model, layout.model, _short(agent.model, layout.model), "dim"),
    )
    cells = tuple(cell for cell in cells if cell.width)
    if not selected:
        return cells
    # One bar over the whole line, with the same texts in it.
    return (Cell(0, width, "", "selected"), *(cell._replace(style="selected") for cell in cells))


def _short(model: str, width: int) -> str:
    """Leave out a model's maker where the whole name is too long: `claude-sonnet-4-5`, `openai/gpt-5`."""
    while cell_len(model) > width and (found := re.match(r"[a-z]+[-/](?=\w)", model)) is not None:
        model = model[found.end() :]
    return model


def _needs(picture: Picture, width: int, now: float) -> list[Line]:
    lines: list[Line] = []
    for question in picture.questions:
        passed = "" if question.since is None else age(now - question.since)
        options = f" [{' / '.join(question.options)}]" if question.options else ""
        lines.append(
            _need("?", question.agent or question.kind, passed, question.text + options, "waiting", width)
        )
    for alert in picture.alerts:
        if alert.level != "info":
            passed = "" if alert.since is None else age(now - alert.since)
            style = "bad" if alert.level == "critical" else "warn"
            lines.append(_need("!", alert.level, passed, alert.message, style, width))
    if not lines:
        return []
    return [(Cell(0, width, " NEEDS YOU", "title"),), *lines]


def _need(sign: str, who: str, passed: str, text: str, style: str, width: int) -> Line:
    return (
        Cell(2, 1, sign, style),
        Cell(4, 14, who, style),
        Cell(19, 5, passed, "dim", right=True),
        Cell(26, width - 26, text),
    )


def _events(picture: Picture, width: int, rows: int) -> list[Line]:
    now = datetime.now().astimezone()
    lines: list[Line] = [(Cell(0, width, " EVENTS", "title"),)]
    for item in picture.events[: max(0, rows - 1)]:
        if isinstance(item, Event):
            category = item.type.partition(":")[0]
            lines.append(
                (
                    Cell(2, 8, clock(item.time, now)[-8:], "dim"),
                    Cell(11, 8, category, category),
                    Cell(20, width - 20, describe(item)),
                )
            )
        else:
            lines.append((Cell(2, width - 2, f"GAP: {describe_gap(item)}", "bad"),))
    if not picture.events:
        lines.append(
            (Cell(2, width - 2, "Nothing has happened yet; what happens next is shown here.", "dim"),)
        )
    return lines


def _sheet(picture: Picture, view: View, width: int, room: int, now: float) -> list[Line]:
    agent = view.selected(picture)
    if agent is None:
        return [(Cell(2, width - 2, "This agent is gone; Escape goes back.", "dim"),)]
    record, use = picture.records.get(agent.id, {}), picture.use.get(agent.id, {})
    passed = "" if agent.since is None else f", confirmed {age(now - agent.since)} ago"
    source = f" by {agent.source}" if agent.source else ""
    about = [
        ("status", f"{SIGNS.get(agent.kind, '?')} {agent.status}{passed}{source}", agent.kind),
        ("detail", record.get("statusDetail"), ""),
        ("role", ", ".join(str(record[key]) for key in ("role", "division") if record.get(key)), ""),
        ("task", agent.task, ""),
        ("activity", agent.activity, ""),
        ("model", ", ".join(filter(None, (agent.model, str(record.get("runtime") or "")))), ""),
        ("today", f"{tokens(agent.tokens)} tokens, ${agent.cost:,.2f}", ""),
        ("so far", f"{tokens(use.get('tokens') or 0)} tokens, ${use.get('cost') or 0:,.2f}", ""),
        ("specialties", ", ".join(map(str, record.get("specialties") or [])), ""),
        ("host", record.get("host"), ""),
    ]
    name = f" {agent.name}" + (f" ({agent.id})" if agent.id != agent.name else "")
    lines: list[Line] = [(Cell(0, width, name, "title"),)]
    for label, value, style in about:
        for number, part in enumerate(wrap(value, width - 18, 3) if value else ()):
            lines.append((Cell(2, 12, "" if number else label, "dim"), Cell(16, width - 16, part, style)))
    for question in picture.questions:
        if question.agent == agent.id:
            lines.append((Cell(2, 12, "asks", "waiting"), Cell(16, width - 16, question.text, "waiting")))
    theirs = [item for item in picture.events if isinstance(item, Event) and _about(item) == agent.id]
    lines.append(())
    lines += _events(picture._replace(events=tuple(theirs)), width, room - len(lines))
    return lines


def _about(event: Event) -> object:
    task = event.data.get("task")
    return (
        event.data.get("agentId")
        or event.data.get("agent")
        or (task.get("assignedTo") if isinstance(task, dict) else None)
    )


def _asked(question: QuestionRow, view: View, width: int, now: float) -> list[Line]:
    who = question.agent or "somebody"
    passed = "" if question.since is None else f", {age(now - question.since)} ago"
    lines: list[Line] = [(Cell(0, width, f" {who} asks ({question.id}{passed})", "title"),)]
    lines += [(Cell(2, width - 2, part, "bold"),) for part in wrap(question.text, width - 4, BRIEF_LINES)]
    if question.details:
        lines += [
            (Cell(2, width - 2, part, "dim"),) for part in wrap(question.details, width - 4, BRIEF_LINES)
        ]
    if not question.brief:
        lines.append(
            (Cell(2, width - 2, f"All of it, and the answer: mission-control answer {question.id}", "bold"),)
        )
        return lines
    for number, option in enumerate(question.options, 1):
        chosen = view.typed in (str(number), option)
        lines.append(
            (
                Cell(2, 4, f"{number}.", "key"),
                Cell(6, width - 6, option, "selected" if chosen else ""),
            )
        )
    lines.append((Cell(2, width - 2, f"{PROMPT_ANSWER}{view.typed}", "bold"),))
    return lines


PROMPT_ANSWER = "Your answer: "
BRIEF_LINES = 16


def _footer(view: View, width: int) -> Line:
    if view.mode is Mode.SEARCH:
        return (Cell(0, width, f" Search: {view.typed}", "bold"),)
    if view.message:
        return (Cell(0, width, f" {view.message}", "note"),)
    keys = {
        Mode.SHEET: (("Esc", "back"), ("↑↓", "next"), ("a", "answer"), ("p", "pause"), ("q", "quit")),
        Mode.HELP: (("Esc", "back"), ("q", "quit")),
        Mode.ANSWER: (("Enter", "send"), ("Tab", "next question"), ("Esc", "leave it open")),
    }.get(
        view.mode,
        (
            *(("q", "quit"), ("↑↓", "move"), ("⏎", "sheet"), ("a", "answer"), ("s", "sort"), ("f", "filter")),
            *(("/", "find"), ("p", "go on" if view.paused else "pause"), ("?", "help")),
        ),
    )
    cells: list[Cell] = []
    at = 1
    for key, word in keys:
        if at + len(key) + len(word) + 1 > width:
            break
        cells += [Cell(at, len(key), key, "key"), Cell(at + len(key) + 1, len(word), word, "dim")]
        at += len(key) + len(word) + 3
    return tuple(cells)


def _help(width: int) -> list[Line]:
    lines: list[Line] = [(Cell(0, width, " KEYS", "title"),), ()]
    lines += [(Cell(2, 10, key, "key"), Cell(14, width - 14, what)) for key, what in _HELP]
    signs = "   ".join(f"{sign} {kind}" for kind, sign in SIGNS.items())
    return [*lines, (), (Cell(2, width - 2, signs, "dim"),)]


def gauge(part: float, width: int) -> str:
    """Draw how much of a budget is used."""
    full = max(0, min(width, round(part * width)))
    return "▰" * full + "▱" * (width - full)


def tokens(count: float) -> str:
    """Write a number of tokens in at most six characters."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size * 0.9995:
            value = count / size
            return f"{value:.0f}{unit}" if value >= 99.95 else f"{value:.1f}{unit}"
    return f"{count:.0f}"


def age(seconds: float) -> str:
    """Write how long ago something was, in at most four characters."""
    if seconds < 60:
        return f"{max(0, int(seconds))}s"
    for unit, size, most in (("m", 60, 60), ("h", 3600, 48), ("d", 86_400, 1000)):
        if seconds < size * most:
            return f"{int(seconds // size)}{unit}"
    return ">999d"


def typed_at(view: View, lines: list[Line], size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the column and row of the cursor, where something is typed."""
    width, height = size
    if view.mode is Mode.SEARCH:
        return min(width - 1, cell_len(f" Search: {view.typed}")), height - 1
    if view.mode is Mode.ANSWER:
        for row, line in enumerate(lines):
            if line and line[0].text.startswith(PROMPT_ANSWER):
                return min(width - 1, 2 + cell_len(PROMPT_ANSWER + view.typed)), row
    return None
