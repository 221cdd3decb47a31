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

from missioncontrol.cli.review import offer, review_of, show_review
from missioncontrol.cli.sentences import clock
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url
from missioncontrol.cli.values import question_ids
from missioncontrol.errors import BadQuestion
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean
from missioncontrol.review import TERMINAL, Option, Review, in_order


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
    digest: Annotated[
        str | None,
        Parameter(
            help="The `digest` of the question as it was shown, for scripts: without a terminal a permission, "
            "or a dangerous answer, needs it."
        ),
    ] = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Answer a question; without an id, list those that wait for an answer.

    On a terminal all of the question is shown before it is answered, a page at a time: the whole input of a tool, edits
    as a diff, hidden characters as marks. What is dangerous is asked for twice.

    For example:

        mission-control answer
        mission-control answer Q-7K3M9PXA
        mission-control answer Q-7K3M9PXA yes
    """
    server = Server(url, token, owner=True)
    if id_ is None:
        found = server.ask("/api/questions?status=open")["questions"]
        if json:
            print_json(found)
        else:
            _show(found)
        return 0
    path = f"/api/questions/{quote(id_, safe='')}"
    if text is None or digest is None:
        asked = server.ask(path)
        if asked["status"] == "open":
            review = review_of(asked)
            text = _decide(asked, review, text)
            digest = digest or review.digest
        elif text is None:
            raise BadQuestion(f"The question {clean(asked['id'])} is {clean(asked['status'])} already.")
    given = {"answer": text, "answeredBy": by or _user(), "digest": digest}
    answered = server.ask(f"{path}/answer", "POST", given)
    if json:
        print_json(answered)
    else:
        print(f"{clean(answered['id'])}: {clean(answered['answer'])}")
    return 0


def _decide(asked: Data, review: Review, text: str | None) -> str:
    """Return the answer to a question; where it matters, shows all of it first, and asks.

    Raises:
        BadQuestion: there is no terminal to show it on, it is answered elsewhere, or it was not confirmed.
    """
    id_, terminal = clean(asked["id"]), sys.stdin.isatty()
    chosen = None if text is None else _option(review, text)
    careful = asked["kind"] == "permission" or (chosen is not None and chosen.dangerous)
    if text is not None and not careful:
        return text
    if not terminal and text is None:
        raise BadQuestion(f"Say the answer, too: mission-control answer {id_} TEXT.")
    if not terminal:
        raise BadQuestion(
            f"All of {id_} has to be shown before this is answered: run `mission-control answer {id_}` on a terminal. "
            f"A script that has shown it gives its digest: --digest."
        )
    show_review(asked, review)
    if not review.complete or (asked["kind"] == "permission" and not asked["options"]):
        raise BadQuestion(f"{id_} is not answered here. {TERMINAL}")
    if text is None:
        options = f" {offer(review.options)}" if review.options else ""
        text = _read(f"Your answer{options}: ").strip()
        if text.isdigit() and 0 < int(text) <= len(review.options):
            text = review.options[int(text) - 1].text
        chosen = _option(review, text)
        careful = chosen is not None and chosen.dangerous
    if careful:
        shown = in_order(text if chosen is None else chosen.label)
        danger = "This is dangerous. " if chosen is not None and chosen.dangerous else ""
        if _read(f"{danger}Type {shown!r} again to send it: ").strip().casefold() != text.strip().casefold():
            raise BadQuestion(f"Nothing was sent: {id_} is open.")
    return text


def _option(review: Review, text: str) -> Option | None:
    wanted = text.strip().casefold()
    return next((one for one in review.options if one.text.strip().casefold() == wanted), None)


def _read(prompt: str) -> str:
    print(prompt, end="", file=sys.stderr, flush=True)
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
