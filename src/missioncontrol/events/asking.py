"""What every question has to keep to, whichever way it is asked: the kinds that clients have, and the options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from missioncontrol.errors import ReservedKind

MAX_OPTIONS = 20
MAX_OPTION = 200

CLIENT_KIND = "question"
"""The kind of what clients ask; permissions and budgets decide what a runtime does, and are the server's own."""


def refuse_reserved_kind(kind: Any) -> None:
    """Check the kind of a question that a client asks; without one it is `question`.

    Raises:
        ReservedKind: it is another one.
    """
    if kind is not None and kind != CLIENT_KIND:
        raise ReservedKind(
            f"Questions of the kind {str(kind)[:40]!r} are asked by the server alone: permissions for the hooks of a "
            f"runtime (see `mission-control connect`), budgets when one is spent (`budgets.on_exceed`). "
            f"Ask a question with options instead; its kind is 'question'."
        )


def wrong_options(options: Sequence[Any]) -> str | None:
    """Return what is wrong with the options of a question; None where nothing is."""
    texts = [one.strip() for one in options if isinstance(one, str)]
    if not len(options) == len(texts) <= MAX_OPTIONS:
        return f"options are at most {MAX_OPTIONS} texts of 1 to {MAX_OPTION} characters."
    if not all(0 < len(text) <= MAX_OPTION for text in texts):
        return f"options are at most {MAX_OPTIONS} texts of 1 to {MAX_OPTION} characters."
    if len({text.casefold() for text in texts}) < len(texts):
        return "Two of the options are the same; an answer could not be told from another."
    return None
