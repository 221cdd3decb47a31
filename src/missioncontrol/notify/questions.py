"""A question in a message: shown whole, or not at all.

A message has no place to scroll, so what is longer than `MAX_WHOLE` is not cut: the message says where to see it.
"""

from __future__ import annotations

from missioncontrol.events import Data
from missioncontrol.events.sentences import clean
from missioncontrol.review import ASKED_AS, TERMINAL, Part, in_order, mark, review

MAX_WHOLE = 1_000
"""How many characters a question may have in a message."""


def whole_of(question: Data) -> str | None:
    """Return all of a question, and how to answer it; None where it is too long, or is no question.

    Args:
        question: the `question` of a `question:asked`, as anybody may have published it.
    """
    text, options = question.get("text"), question.get("options")
    if not isinstance(text, str) or not text:
        return None
    texts = [one for one in options if isinstance(one, str)] if isinstance(options, list) else []
    shown = review({**question, "options": texts})
    if not shown.complete:
        return None
    lead, *parts = shown.parts
    if not question.get("taskId"):
        # The message itself says who asks, and under which id; a permission is not decided by what it says.
        parts = [part for part in parts if part.label != ASKED_AS]
    choice = f" ({' / '.join(option.label for option in shown.options)})" if shown.options else ""
    asker = clean(question.get("agentId") or "somebody")
    lines = [
        f"{asker[:1].upper()}{asker[1:]} asks: {mark(text, line=True) if not parts else lead.text}{choice}"
    ]
    for part in parts:
        lines += _lines(part)
    # What shows it has an order of its own for letters that are written from right to left.
    whole = in_order("\n".join(lines))
    return whole if len(whole) <= MAX_WHOLE else None


def how_to_answer(question: Data, *, whole: bool) -> str:
    """Return the sentence about where a question is answered.

    Args:
        question: the `question` of a `question:asked`.
        whole: the message shows all of it.
    """
    id_ = clean(question.get("id"))
    if question.get("kind") == "permission" and not question.get("options"):
        return TERMINAL
    if whole:
        return f"Answer with: mission-control answer {id_}"
    return (
        f"It is too long for a message. Open Mission Control to see all of it and to answer, or run: "
        f"mission-control answer {id_}"
    )


def _lines(part: Part) -> list[str]:
    if part.kind == "warning":
        return [f"! {part.text}"]
    lines = part.text.split("\n")
    if len(lines) == 1:
        return [f"{part.label}: {part.text}"]
    # Set in, so that no line of it can be taken for one of the message's own.
    return [f"{part.label}:", *(f"  {line}" for line in lines)]
