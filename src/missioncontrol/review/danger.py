"""Which answers are dangerous: they are never offered first, and a terminal asks for them twice.

This is a rule about order and emphasis, not about permission: a text that avoids its words is as free to be approved,
and a harmless text that has them only costs another look.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_DESTRUCTIVE = re.compile(
    r"""
      \brm\s+-\w*[rfRF]                     # rm -rf, rm -f
    | \b(?:drop|truncate)\b
    | \b(?:delet|destroy|eras|wip|purg|overwrit)(?:e|es|ed|ing|y|ies|ied)?\b
    | \b(?:mkfs|shred|fdisk|shutdown|reboot)\b | \bdd\s+(?:if|of)=
    | \bsudo\b | \bchmod\s+-R\b | \bchown\s+-R\b
    | --force\b | --hard\b | \bforce[- ]push
    | --no-verify\b | --privileged\b
    | \birreversibl | \bcannot\ be\ undone\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
# What begins a line that is destructive, and what makes it so further on. Each is searched once in a line: one
# expression for both would try every beginning with every end.
_LATER = (
    (re.compile(r"\b(?:curl|wget)\b", re.IGNORECASE), re.compile(r"\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b")),
    (re.compile(r"\bpush\b", re.IGNORECASE), re.compile(r"\s-f\b")),
)
# Whole answers that refuse, as words: what only begins with one of them may go on to agree.
_REFUSALS = frozenset(
    {
        *(
            "n",
            "no",
            "nope",
            "never",
            "no thanks",
            "no thank you",
            "no don t",
            "no dont",
            "no do not",
            "no never",
        ),
        *("deny", "denied", "decline", "refuse", "reject", "disallow", "don t", "dont", "do not"),
        *("don t allow", "do not allow", "not now", "not yet", "no not now", "no not yet", "later", "wait"),
        *("cancel", "stop", "abort", "skip", "skip it", "keep", "keep it", "leave it", "none", "nothing"),
    }
)
# No others than these separate words, so that a sign that says something is not passed over.
_SEPARATORS = re.compile(r"[\s!-/:-@\[-`{-~\u2019]+")


def is_destructive(text: str) -> bool:
    """Return whether a text has words of something that destroys, or that cannot be taken back."""
    return _DESTRUCTIVE.search(text) is not None or any(map(_is_destructive_line, text.split("\n")))


def _is_destructive_line(line: str) -> bool:
    return any(
        (begin := first.search(line)) is not None and then.search(line, begin.end()) is not None
        for first, then in _LATER
    )


def refuses(option: str) -> bool:
    """Return whether an answer as a whole is a known word of refusal: nothing is approved by it."""
    return _SEPARATORS.sub(" ", option.casefold()).strip() in _REFUSALS


def dangerous_options(options: Iterable[str], about: Iterable[str], *, warned: bool = False) -> list[bool]:
    """Return for each option whether it is dangerous.

    Args:
        options: the answers that are offered.
        about: what is asked; where one of these is destructive, so is every option that does not refuse it.
        warned: what is asked has a warning, which counts as much.
    """
    destructive = warned or any(map(is_destructive, about))
    return [not refuses(option) and (destructive or is_destructive(option)) for option in options]
