"""Events as plain sentences, for people who read a terminal or a message.

Data is whatever was published under a type: what has not the expected shape is shown as it is, and control
characters never reach whoever reads it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from missioncontrol.events.event import Event
from missioncontrol.events.sentence_templates import Catalogue, NameOf, Sentences
from missioncontrol.redaction import LONGEST_SECRET, redact

MAX_LENGTH = 240
MAX_REMEMBERED = 512
"""How many masked texts are remembered, so that what was described in a thread is at hand on the event loop."""

_decoder = msgspec.json.Decoder(Catalogue)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def clean(text: object) -> str:
    """Write anything on one line, without characters that a terminal would act on."""
    return defuse(" ".join(str(text).split()))


def defuse(text: str) -> str:
    """Take out the characters that a terminal would act on; blanks stay as they are."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def describe(event: Event, name_of: NameOf = str) -> str:
    """Return in a sentence what happened; secrets are masked, since sentences leave the machine in notifications.

    Args:
        event: what happened. Where its data has not what the sentences of its type need, the data is the sentence.
        name_of: turns an agent's id into its name; without it agents are called by their ids.
    """
    sentence = catalogue().of_event(event.type, event.data, name_of)
    whole = msgspec.json.encode(event.data).decode() if sentence is None else " ".join(sentence)
    text = _masked(whole[: MAX_LENGTH + LONGEST_SECRET])
    return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def describe_missing(start: int, end: int, reason: str) -> str:
    """Return in a sentence which events are missing, and why.

    Args:
        start: the id of the first that is missing.
        end: that of the last one.
        reason: why: `trimmed`, `epoch`, `ahead`, or what else a server says.
    """
    return clean(" ".join(catalogue().of_gap(start, end, reason)))


@cache
def catalogue() -> Sentences:
    """Return the sentences, which are in `sentences.en.json`, for the browser too."""
    text = Path(__file__).with_name("sentences.en.json").read_bytes()
    return Sentences(_decoder.decode(text))


@lru_cache(MAX_REMEMBERED)
def _masked(text: str) -> str:
    return clean(redact(text))


def size(count: float) -> str:
    """Return a number of bytes as people read it."""
    return catalogue().size(count)
