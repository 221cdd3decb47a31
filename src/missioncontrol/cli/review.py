"""The review of a question in the terminal: all parts, whole, a page at a time, in the order of their characters."""

from __future__ import annotations

import sys

import msgspec
from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from missioncontrol.client import Unreachable
from missioncontrol.errors import BadQuestion
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean
from missioncontrol.review import Option, Part, Review, in_order

# Prepared for `msgspec.convert`, before any thread needs it.
_reviews = msgspec.json.Decoder(Review)

_STYLES = {"+": "green", "-": "red"}
_KINDS = {"permission": "asks for permission", "budget": "asks about a budget"}


def review_of(asked: Data) -> Review:
    """Return the review of a question as the server has sent it.

    Raises:
        Unreachable: it has none, or one that this release does not understand whole.
    """
    try:
        return msgspec.convert(asked.get("review"), Review)
    except msgspec.ValidationError as error:
        raise Unreachable(
            f"The server does not say what is to be shown of the question ({error}): it is of another release. "
            f"Answer with the same release of mission-control."
        ) from None


def show_review(asked: Data, review: Review) -> None:
    """Write who asks, and all parts, to standard error, a page at a time: what scrolls off has not been read.

    Raises:
        BadQuestion: standard input has ended before the last page.
    """
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    who = clean(asked.get("agentId") or "somebody")
    about = f", about {clean(asked['taskId'])}" if asked.get("taskId") else ""
    title = in_order(f"{who} {_KINDS.get(asked['kind'], 'asks')} ({clean(asked['id'])}{about})")
    lines = [Text(title, "bold"), *(line for part in review.parts for line in _lines(part))]
    pages = _pages(lines, console.width, console.height - 1)
    for number, page in enumerate(pages, 1):
        for line in page:
            console.print(line)
        if number < len(pages):
            _await_enter(f"-- Page {number} of {len(pages)}; press Enter for the next one. ")


def offer(options: list[Option]) -> str:
    """Return the answers that are offered, in their order, each with its number; dangerous ones are marked."""
    return "  ".join(
        f"{number}) {in_order(option.label)}{' (dangerous)' if option.dangerous else ''}"
        for number, option in enumerate(options, 1)
    )


def _lines(part: Part) -> list[Text]:
    # A terminal may have an order of its own for letters that are written from right to left.
    text = in_order(part.text)
    if part.kind == "warning":
        return [Text(f"! {text}", "bold red")]
    lines = [Text(f"{part.label}:", "dim")] if part.label else []
    indent = "  " if part.label else ""
    for line in text.split("\n"):
        style = _STYLES.get(line[:1], "") if part.kind == "diff" else ""
        lines.append(Text((indent + line).expandtabs(), style))
    return lines


def _pages(lines: list[Text], width: int, height: int) -> list[list[Text]]:
    """Return lines in pages that a terminal of this size shows whole; a line that is longer than one goes on."""
    width, height = max(width, 1), max(height, 1)
    pages: list[list[Text]] = [[]]
    left = height
    for line in lines:
        # A wide character may leave a cell empty at the end of each row.
        pieces = chop_cells(line.plain, width) or [""]
        at = 0
        while pieces:
            if left == 0 or (left < len(pieces) <= height):
                pages.append([])
                left = height
            taken, pieces = pieces[:left], pieces[left:]
            length = sum(map(len, taken))
            pages[-1].append(line[at : at + length] if length else Text())
            at += length
            left -= len(taken)
    return pages


def _await_enter(prompt: str) -> None:
    print(prompt, end="", file=sys.stderr, flush=True)
    if not sys.stdin.readline():
        print(file=sys.stderr)
        raise BadQuestion("Nothing was sent: not all of it was shown.")
