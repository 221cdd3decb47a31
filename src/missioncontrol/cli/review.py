"""The review of a question in the terminal: all of its parts, whole, in lines that the terminal wraps by itself."""

from __future__ import annotations

import msgspec
from rich.console import Console
from rich.text import Text

from missioncontrol.client import Unreachable
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean
from missioncontrol.review import Option, Part, Review

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
    """Write who asks, and all parts, to standard error."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    who = clean(asked.get("agentId") or "somebody")
    about = f", about {clean(asked['taskId'])}" if asked.get("taskId") else ""
    console.print(Text(f"{who} {_KINDS.get(asked['kind'], 'asks')} ({clean(asked['id'])}{about})", "bold"))
    for part in review.parts:
        for line in _lines(part):
            console.print(line)


def offer(options: list[Option]) -> str:
    """Return the answers that are offered, in their order, each with its number; dangerous ones are marked."""
    return "  ".join(
        f"{number}) {option.label}{' (dangerous)' if option.dangerous else ''}"
        for number, option in enumerate(options, 1)
    )


def _lines(part: Part) -> list[Text]:
    if part.kind == "warning":
        return [Text(f"! {part.text}", "bold red")]
    lines = [Text(f"{part.label}:", "dim")] if part.label else []
    indent = "  " if part.label else ""
    for line in part.text.split("\n"):
        style = _STYLES.get(line[:1], "") if part.kind == "diff" else ""
        lines.append(Text(indent + line, style))
    return lines
