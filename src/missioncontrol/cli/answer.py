"""`answer`: what a person is asked, and the answer to it."""

from __future__ import annotations

import getpass
import sys
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from missioncontrol.cli.sentences import clock
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url
from missioncontrol.cli.values import question_ids
from missioncontrol.errors import BadQuestion
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean


def answer(
    id_: Annotated[
        str | None, Parameter(name="ID", help="The question's id, as in Q-7K3M9PXA.", completer=question_ids)
    ] = None,
    text: Annotated[
        str | None, Parameter(name="TEXT", help="The answer; asked for on a terminal where it is missing.")
    ] = None,
    /,
    *,
    by: Annotated[str | None, Parameter(help="Who answers. Default: the user's name.")] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Answer a question; without an id, list those that wait for an answer.

    For example:

        mission-control answer
        mission-control answer Q-7K3M9PXA yes
    """
    server = Server(url, token)
    if id_ is None:
        found = server.ask("/api/questions?status=open")["questions"]
        if json:
            print_json(found)
        else:
            _show(found)
        return 0
    path = f"/api/questions/{quote(id_, safe='')}"
    if text is None:
        text = _prompt(server.ask(path))
    answered = server.ask(f"{path}/answer", "POST", {"answer": text, "answeredBy": by or _user()})
    if json:
        print_json(answered)
    else:
        print(f"{clean(answered['id'])}: {clean(answered['answer'])}")
    return 0


def _prompt(asked: Data) -> str:
    if not sys.stdin.isatty():
        raise BadQuestion(f"Say the answer, too: mission-control answer {asked['id']} TEXT.")
    print(clean(asked["text"]), file=sys.stderr)
    options = f" ({' / '.join(map(clean, asked['options']))})" if asked["options"] else ""
    print(f"Your answer{options}: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline()


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def _show(found: list[Data]) -> None:
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    if not found:
        console.print("nobody waits for an answer")
        return
    now = datetime.now().astimezone()
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("question", "asked", "by", "answers", "text"):
        table.add_column(heading, header_style="bold")
    for asked in found:
        table.add_row(
            clean(asked["id"]),
            clock(asked["askedAt"], now),
            clean(asked.get("agentId") or ""),
            clean(" / ".join(asked["options"])) or "any",
            clean(asked["text"]),
        )
    console.print(table)
