"""What only a terminal shows: colours of events, the wall clock, gaps."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from typing import TextIO

from missioncontrol.client import Gap
from missioncontrol.events.sentences import clean, defuse, describe_missing

COLOURS = {
    "agent": "cyan",
    "task": "yellow",
    "lead": "magenta",
    "token": "green",
    "question": "bright_red",
    "notification": "bright_black",
    "system": "red",
    "file": "blue",
}
"""The colour of each category; others have the terminal's own."""


_LEFT_BY_JSON = re.compile(r"[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def describe_gap(gap: Gap) -> str:
    """Return which events are missing, why, and where it goes on."""
    return f"{describe_missing(gap.from_, gap.to, gap.reason)}; going on after {gap.cursor}"


def clock(time: str, now: datetime) -> str:
    """Write an event's time as the wall clock shows it; with the date where it is not today."""
    try:
        local = datetime.fromisoformat(time).astimezone(now.tzinfo)
    except ValueError:
        return clean(time)
    return local.strftime("%H:%M:%S" if local.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def write_text(text: str, output: TextIO | None = None) -> None:
    """Write a text that others wrote: as it is into a file or a pipe, without control characters on a terminal."""
    output = sys.stdout if output is None else output
    output.write(_defused_lines(text) if output.isatty() else text)


def plain_json(text: str) -> str:
    """Return the same JSON with the control characters that JSON lets stand (RFC 8259, section 7) as escapes."""
    return _LEFT_BY_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _defused_lines(text: str) -> str:
    return "\t".join("\n".join(map(defuse, part.split("\n"))) for part in text.split("\t"))


def note(text: str) -> None:
    """Write something in addition to the results, on standard error."""
    print(f"mission-control: {text}", file=sys.stderr, flush=True)
