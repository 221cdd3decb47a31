"""Codex: rollouts in JSONL, and its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from missioncontrol.runtimes.base import FileKind, Place, Runtime, Transcript, find_below
from missioncontrol.runtimes.codex import telemetry
from missioncontrol.runtimes.codex.messages import CodexMessageParser
from missioncontrol.runtimes.codex.transcript import RUNTIME, CodexParser, Memory, session_of
from missioncontrol.runtimes.files.jsonl import POSITIONS, LineFormat, opens
from missioncontrol.runtimes.files.jsonl_messages import reads_messages

_ROLLOUT = (".jsonl", ".jsonl.zst")

LINES = LineFormat(
    msgspec.json.Decoder(Memory),
    lambda transcript: Memory(session=session_of(transcript.path.name)),
    lambda transcript, memory: CodexParser(memory, transcript.agent),
)

if TYPE_CHECKING:
    from missioncontrol.runtimes.codex.connect import CodexConnection


class Codex(Runtime):
    """Codex."""

    name = RUNTIME
    title = "Codex"
    variable = "CODEX_HOME"
    kinds = (
        FileKind(
            "codex",
            opens(LINES),
            POSITIONS,
            messages=reads_messages(CodexMessageParser, lambda transcript: session_of(transcript.path.name)),
        ),
    )
    read_signal = staticmethod(telemetry.read)

    @property
    def connection(self) -> CodexConnection:
        """How it is connected."""
        from missioncontrol.runtimes.codex.connect import CodexConnection

        return CodexConnection()

    def find(self, setting: str, workspace: Path, environment: Mapping[str, str]) -> Place | None:
        """Find its home: `CODEX_HOME`, else `~/.codex`, with `sessions` or `archived_sessions` in it."""
        folders = ("sessions", "archived_sessions")
        return find_below(RUNTIME, folders, setting, environment.get("CODEX_HOME") or "~/.codex")

    def transcript_of(self, place: Place, path: Path, parts: tuple[str, ...]) -> Transcript | None:
        """Return what a file is: a rollout, in whatever folder below those of the sessions."""
        rollout = any(path.is_relative_to(folder) for folder in place.watched)
        return Transcript(path, "codex") if rollout and path.name.endswith(_ROLLOUT) else None
