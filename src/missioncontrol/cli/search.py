"""`search`: what has happened and what was said, by words."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from missioncontrol.cli.moments import read_moment
from missioncontrol.cli.sentences import COLOURS, clock
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url
from missioncontrol.errors import BadCursor
from missioncontrol.events import Cursor, Data
from missioncontrol.events.sentences import clean

MOST = 100


def search(
    words: Annotated[
        tuple[str, ...],
        Parameter(name="WORDS", help='Words, "as they are", -- -without, agent:scout, type:task.'),
    ],
    /,
    *,
    in_: Annotated[
        Literal["events", "transcripts"] | None,
        Parameter(name="--in", help="Only events, or only what was said in transcripts."),
    ] = None,
    agent: Annotated[str | None, Parameter(help="Only what is about this agent.")] = None,
    type_: Annotated[str | None, Parameter(name="--type", help="Only events of these types.")] = None,
    since: Annotated[str | None, Parameter(help="Not before this moment, as in 2h or yesterday.")] = None,
    until: Annotated[str | None, Parameter(help="Not after this moment.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Find what has happened, and what was said in the agents' transcripts, the newest first.

    The exit status is 1 where nothing is found.

    For example:

        mission-control search deploy failed
        mission-control search TASK-0042 --since 2h --agent scout
        mission-control search --in transcripts "rate limit"
    """
    now = datetime.now().astimezone()
    wanted = {
        "q": " ".join(words),
        "in": in_,
        "agent": agent,
        "type": type_,
        "since": _moment(since, now),
        "until": _moment(until, now),
        "limit": str(min(max(limit, 1), MOST)),
    }
    query = urlencode({name: value for name, value in wanted.items() if value is not None})
    found = Server(url, token).ask(f"/api/search?{query}")
    if json:
        print_json(found)
    else:
        _show(found, now)
    return 0 if found["results"] else 1


def _moment(text: str | None, now: datetime) -> str | None:
    if text is None:
        return None
    moment = read_moment(text, now)
    if isinstance(moment, Cursor):
        raise BadCursor("Search goes by time here: name one, as in 2h, yesterday or 2026-11-23T10:15:00Z.")
    return moment.isoformat()


def _show(found: Data, now: datetime) -> None:
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True)
    for result in found["results"]:
        line = Text(f"{clock(result['time'], now)}  ")
        if result["kind"] == "message":
            who = result["agentId"] or result["session"]
            line.append(f"{clean(who)}, {clean(result['tool'] or result['role'])}  ", style=COLOURS["agent"])
        else:
            category = result["type"].partition(":")[0]
            line.append(f"{clean(result['type'])}  ", style=COLOURS.get(category, "default"))
        line.append(_marked(result["snippet"]))
        console.print(line)
    if not found["countIsExact"]:
        print(f"more than {found['count']:,} in all", file=sys.stderr)
    elif found["count"] > len(found["results"]):
        print(f"{found['count']:,} in all", file=sys.stderr)
    if found.get("unread"):
        print(f"{found['unread']:,} transcripts are still being read", file=sys.stderr)
    if found.get("trouble"):
        print(f"transcripts were not searched: {clean(found['trouble'])}", file=sys.stderr)
    if found["lag"]:
        print(f"the newest {found['lag']:,} events cannot be found yet", file=sys.stderr)


def _marked(snippet: Data) -> Text:
    shown, end, text = Text(), 0, snippet["text"]
    for begin, stop in snippet["matches"]:
        shown.append(_safe(text[end:begin]))
        shown.append(_safe(text[begin:stop]), style="bold")
        end = stop
    shown.append(_safe(text[end:]))
    return shown


def _safe(text: str) -> str:
    """Write a piece of a line without characters that a terminal would act on; blanks at its ends stay."""
    ends = (" " if text[:1].isspace() else "", " " if text[1:][-1:].isspace() else "")
    return f"{ends[0]}{clean(text)}{ends[1]}" if text.strip() else " " * bool(text)
