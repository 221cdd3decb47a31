"""What only a terminal shows: colours of events, the wall clock, gaps."""

from __future__ import annotations

import sys
from datetime import datetime

from missioncontrol.client import Gap
from missioncontrol.events.sentences import clean

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


def describe_gap(gap: Gap) -> str:
    """Say what is lost, and why."""
    count = gap.to - gap.from_ + 1
    events = "event" if count == 1 else "events"
    match gap.reason:
        case "trimmed":
            lost = f"{count:,} {events} ({gap.from_}-{gap.to}) can no longer be had: older than the log keeps"
        case "epoch":
            lost = f"what came after {gap.from_ - 1} can no longer be had: the log has begun anew"
        case "ahead":
            lost = (
                f"{count:,} {events} ({gap.from_}-{gap.to}) can no longer be had: the log has lost its tail"
            )
        case _:
            lost = f"{count:,} {events} ({gap.from_}-{gap.to}) can no longer be had: {clean(gap.reason)}"
    return f"{lost}; going on after {gap.cursor}"


def clock(time: str, now: datetime) -> str:
    """Write an event's time as the wall clock shows it; with the date where it is not today."""
    try:
        local = datetime.fromisoformat(time).astimezone(now.tzinfo)
    except ValueError:
        return clean(time)
    return local.strftime("%H:%M:%S" if local.date() == now.date() else "%Y-%m-%d %H:%M:%S")


def note(text: str) -> None:
    """Say something beside the results, on standard error."""
    print(f"mission-control: {text}", file=sys.stderr, flush=True)
