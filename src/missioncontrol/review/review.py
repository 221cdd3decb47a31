"""The review of a question: all that it is about in parts, and the answers in the order in which to offer them.

Invariants:

- everything that the digest of a question covers is shown, and nothing of it is cut;
- every text is marked (see `marks`), so that what is hidden in it is visible, and named by a warning;
- what was not kept because of its length is said, and then there is nothing to answer.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from missioncontrol.events import Data
from missioncontrol.events.decoding import read_float
from missioncontrol.redaction import has_secret
from missioncontrol.review.danger import dangerous_options, refuses
from missioncontrol.review.digest import COVERED, digest_of
from missioncontrol.review.marks import CLOSE, OPEN, has_right_to_left, mark, marks_in
from missioncontrol.review.parts import Part, as_json, as_line
from missioncontrol.review.tools import review_tool

MAX_SUMMARY = 200
MAX_NAMED_MARKS = 8

TERMINAL = "It can only be answered in the terminal of the agent."

ASKED_AS = "Asked as"
"""The label of the last part: who asks, about what, and when, as it is kept."""

# What the server itself writes into the details of a permission that a hook asks for. Anybody may write them, so they
# are shown, too, but at the end.
_BOOKKEEPING = ("source", "session", "parent", "call", "note", "held")
# Ends with the run, so that a long one is passed over once.
_BLANKS = re.compile(r"[ \t]{40,}")
EMPTY_LINES = 12


class Option(msgspec.Struct, omit_defaults=True):
    """An answer that is offered: `text` as it is answered, `label` as it is shown. Dangerous ones come last.

    `refuses` is true where nothing is approved by it, so that it may be given before all has been read.
    """

    text: str
    label: str
    dangerous: bool = False
    refuses: bool = False


class Review(msgspec.Struct, omit_defaults=True):
    """What a person is shown of a question.

    `complete` is false where something could not be shown whole. `digest` is what an answer has to carry.
    """

    digest: str
    parts: list[Part]
    options: list[Option]
    complete: bool = True


def permission_text(tool: str, summary: str) -> str:
    """Return the text of the question whether a tool may be used; `summary` says in a few words what for."""
    about = mark(" ".join(summary.split()), line=True)
    about = about if len(about) <= MAX_SUMMARY else f"{about[: MAX_SUMMARY - 1]}…"
    return f"Allow {mark(tool, line=True)}: {about}" if about else f"Allow {mark(tool, line=True)}"


_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=read_float).decode

MAX_REMEMBERED = 64
"""How many reviews are remembered; each is of a question of 64 KiB at most."""


def review(question: Data) -> Review:
    """Return what a person is shown of a question, as the state has it.

    A hostile question of 60 KiB takes up to 0.2 s, so the event loop calls this only for what was reviewed in a thread
    before; the newest ones are remembered.
    """
    return _review(_encode(question))


@lru_cache(MAX_REMEMBERED)
def _review(encoded: bytes) -> Review:
    question: Data = _decode(encoded)
    text, kind = str(question["text"]), question.get("kind")
    details = question.get("details")
    parts: list[Part] = []
    warnings: list[str] = []
    about = [text]
    kept: Data = {}
    complete = True
    lead = mark(text, line=kind == "permission")
    if isinstance(details, dict) and kind == "permission":
        rest = dict(details)
        tool, given = rest.get("tool"), rest.get("input")
        too_long = rest.pop("tooLong", None)
        if isinstance(tool, str) and isinstance(given, dict):
            named = permission_text(tool, "")
            if _repeats(text, tool, rest.get("summary"), given):
                # The rest of the text is the beginning of what follows whole.
                lead = f"{named}?"
                del rest["summary"]
            if rest.get("path") in given.values():
                del rest["path"]
            shown = review_tool(tool, given)
            parts += shown.parts
            warnings += shown.warnings
            about = [text, *shown.about]
            if lead == named or lead.startswith((f"{named}:", f"{named}?")):
                del rest["tool"]
            del rest["input"]
            if isinstance(folder := rest.get("cwd"), str):
                parts.append(Part("path", mark(folder, line=True), "Folder"))
                del rest["cwd"]
        if too_long is not None:
            complete = False
            warnings.append(
                f"The input is too long to be shown whole ({mark(str(too_long), line=True)}). {TERMINAL}"
            )
        kept = _bookkeeping(rest)
        details = {name: value for name, value in rest.items() if name not in kept}
    if details not in (None, {}):
        parts.append(Part("json", as_json(details), "Details"))
    parts.append(Part("json", as_line(_identity(question, kept)), ASKED_AS))
    offered = [str(option) for option in question.get("options") or ()]
    warnings += _hidden(
        [Part("text", lead), *parts, *(Part("text", mark(one, line=True)) for one in offered)]
    )
    options = _options(offered, about, warned=kind == "permission" and bool(warnings))
    if any(has_secret(part.text) for part in (Part("text", lead), *parts)):
        # It is not masked: what is approved is what is shown.
        warnings.append("It seems to have a secret in it, such as a key or a password; it is shown as it is.")
    parts = [Part("text", lead), *(Part("warning", warning) for warning in warnings), *parts]
    return Review(digest_of(question), parts, options, complete)


def _repeats(text: str, tool: str, summary: Any, given: Data) -> bool:
    """Return whether a permission's text has nothing that is not in the tool's input too."""
    if not isinstance(summary, str) or text != permission_text(tool, summary):
        return False
    beginning = " ".join(summary.split()).removesuffix("…")
    left: list[Any] = [given]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str) and " ".join(value.split()).startswith(beginning):
            return True
    return not beginning


def _bookkeeping(details: Data) -> Data:
    """Return the details that the server may have written; texts alone, so that nothing hides below them."""
    return {
        name: value
        for name, value in details.items()
        if name in _BOOKKEEPING and (value is None or isinstance(value, str))
    }


def _identity(question: Data, kept: Data) -> Data:
    """Return what the digest covers and no other part shows."""
    shown = ("text", "options", "details")
    said = {name: question[name] for name in COVERED if name not in shown and question.get(name) is not None}
    return {**said, "details": kept} if kept else said


def _hidden(parts: list[Part]) -> list[str]:
    warnings: list[str] = []
    found = list(dict.fromkeys(name for part in parts for name in marks_in(part.text)))
    if found:
        named = ", ".join(f"{OPEN}{name}{CLOSE}" for name in found[:MAX_NAMED_MARKS])
        more = "" if len(found) <= MAX_NAMED_MARKS else f" and {len(found) - MAX_NAMED_MARKS} more"
        warnings.append(
            f"It has characters that cannot be seen, or that pile up; marks show where: {named}{more}."
        )
    if any(has_right_to_left(part.text) for part in parts):
        warnings.append(
            "It has letters that are written from right to left; all is shown from left to right, in the order of its "
            "characters."
        )
    # JSON is indented, so a line may begin with many blanks.
    if any(_has_gap(part.text, indented=part.kind == "json") for part in parts):
        warnings.append("It has a long gap of blanks or empty lines; more comes after it.")
    return warnings


def _has_gap(text: str, *, indented: bool) -> bool:
    """Return whether something comes after so many blanks or empty lines that it may be missed."""
    empty = 0
    for line in text.split("\n"):
        if not line.strip(" \t+-"):
            empty += 1
            continue
        if empty >= EMPTY_LINES:
            return True
        empty = 0
        end = len(line.rstrip())
        if any(run.end() < end and (run.start() or not indented) for run in _BLANKS.finditer(line)):
            return True
    return False


def _options(options: list[str], about: list[str], *, warned: bool) -> list[Option]:
    dangerous = dangerous_options(options, about, warned=warned)
    offered = [
        Option(text, mark(text, line=True), risky, refuses(text))
        for text, risky in zip(options, dangerous, strict=True)
    ]
    return sorted(offered, key=lambda option: option.dangerous)
