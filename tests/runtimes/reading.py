"""Reading transcripts to their end, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from missioncontrol.runtimes.base import Place, Transcript
from missioncontrol.runtimes.claude import runtime as claude
from missioncontrol.runtimes.codex import runtime as codex
from missioncontrol.runtimes.files.jsonl import JsonlReader, Position
from missioncontrol.runtimes.openclaw import runtime as openclaw
from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.records import Record, SessionInfo, ToolCall, Turn, Usage
from missioncontrol.runtimes.registry import transcripts

LINES = {"openclaw": openclaw.LINES, "claude": claude.LINES, "codex": codex.LINES}


class Total(NamedTuple):
    calls: int
    input: int
    output: int
    cache_read: int
    cost: float


def read_all(place: Place, agent: str | None = None) -> list[Record]:
    """Read all transcripts of a place, or of one agent of it."""
    records: list[Record] = []
    for path, kind, owner, parent in transcripts(place):
        if agent is not None and owner != agent:
            continue
        if kind == "openclaw-agent":
            database = AgentDatabase(path, owner or "")
            records += database.read(AgentPosition())[0]
            database.close()
        elif kind in LINES:
            records += read(path, kind, agent=owner, parent=parent)[0]
    return records


def reader_of(
    path: Path, kind: str = "openclaw", agent: str | None = None, parent: str | None = None
) -> JsonlReader:
    return JsonlReader(Transcript(path, kind, agent, parent), LINES[kind])


def read(
    path: Path,
    kind: str = "openclaw",
    position: Position | None = None,
    *,
    agent: str | None = None,
    parent: str | None = None,
) -> tuple[list[Record], Position]:
    """Read a file to its end."""
    reader = reader_of(path, kind, agent, parent)
    position = position or Position()
    records: list[Record] = []
    while True:
        more, after = reader.read(position)
        records += more
        if after.offset == position.offset:
            return records, after
        position = after


def total(records: Iterable[Record]) -> Total:
    """Count each response once, with the largest figures that were told of it."""
    largest: dict[str, Usage] = {}
    for usage in usages(records):
        known = largest.get(usage.key)
        if known is None or usage.output >= known.output:
            largest[usage.key] = usage
    counted = largest.values()
    return Total(
        len(counted),
        sum(usage.input for usage in counted),
        sum(usage.output for usage in counted),
        sum(usage.cache_read for usage in counted),
        sum(usage.cost or 0.0 for usage in counted),
    )


def usages(records: Iterable[Record]) -> list[Usage]:
    return [record for record in records if isinstance(record, Usage)]


def calls(records: Iterable[Record]) -> list[ToolCall]:
    return [record for record in records if isinstance(record, ToolCall)]


def statuses(records: Iterable[Record]) -> list[str]:
    return [record.status for record in records if isinstance(record, Turn)]


def infos(records: Iterable[Record]) -> list[SessionInfo]:
    return [record for record in records if isinstance(record, SessionInfo)]
