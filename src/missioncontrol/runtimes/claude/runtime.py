"""Claude Code: transcripts in JSONL by project, hooks, and its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from missioncontrol.runtimes.base import FileKind, Place, Runtime, Transcript, find_below
from missioncontrol.runtimes.claude import telemetry
from missioncontrol.runtimes.claude.hooks import ClaudeHooks
from missioncontrol.runtimes.claude.processes import ProcessFile
from missioncontrol.runtimes.claude.transcript import RUNTIME, ClaudeParser, Memory
from missioncontrol.runtimes.files.jsonl import POSITIONS, LineFormat, opens, session_of
from missioncontrol.runtimes.files.jsonl_messages import reads_messages
from missioncontrol.runtimes.messages import MessageParser

LINES = LineFormat(
    msgspec.json.Decoder(Memory),
    lambda transcript: Memory(session=session_of(transcript.path), parent=transcript.parent),
    lambda _, memory: ClaudeParser(memory),
)

if TYPE_CHECKING:
    from missioncontrol.runtimes.claude.connect import ClaudeConnection


_PROCESSES = "sessions"
"""The folder of the files of running processes."""


class ClaudeCode(Runtime):
    """Claude Code."""

    name = RUNTIME
    title = "Claude Code"
    variable = "CLAUDE_CONFIG_DIR"
    kinds = (
        FileKind(
            "claude",
            opens(LINES),
            POSITIONS,
            messages=reads_messages(MessageParser, lambda transcript: session_of(transcript.path)),
        ),
        FileKind("claude-process", ProcessFile, None, process=True),
    )
    read_signal = staticmethod(telemetry.read)
    hooks = ClaudeHooks()

    @property
    def connection(self) -> ClaudeConnection:
        """How it is connected."""
        from missioncontrol.runtimes.claude.connect import ClaudeConnection

        return ClaudeConnection()

    def mcp_command(self, name: str, url: str, authorization: str | None) -> str:
        """Return `claude mcp add` (https://code.claude.com/docs/en/mcp)."""
        command = f"claude mcp add --transport http {name} {url}"
        # Single quotes: Claude Code fills a variable in, each time it connects.
        return command if authorization is None else f"{command} --header 'Authorization: {authorization}'"

    def find(self, setting: str, workspace: Path, environment: Mapping[str, str]) -> Place | None:
        """Find the folder of its settings: `CLAUDE_CONFIG_DIR`, else `~/.claude`, with `projects` in it."""
        usual = environment.get("CLAUDE_CONFIG_DIR") or "~/.claude"
        place = find_below(RUNTIME, ("projects",), setting, usual)
        if place is None or place.folder in place.watched:
            return place
        return place._replace(watched=(*place.watched, place.folder / _PROCESSES))

    def transcript_of(self, place: Place, path: Path, parts: tuple[str, ...]) -> Transcript | None:
        """Return what a file is: a session's in a project's folder, or that of a sub-agent of a session."""
        if parts[:1] == ("projects",):
            parts = parts[1:]
        match parts:
            case (folder, name) if folder == _PROCESSES and name.endswith(".json"):
                return Transcript(path, "claude-process")
            case (_, name) if name.endswith(".jsonl"):
                return Transcript(path, "claude")
            case (_, session, "subagents", *_, name) if name.startswith("agent-") and name.endswith(".jsonl"):
                return Transcript(path, "claude", parent=session)
        return None

    def enters(self, place: Place, parts: tuple[str, ...]) -> bool:
        """Report whether a folder may hold sessions or those of sub-agents."""
        below = parts[1:] if parts[:1] == ("projects",) else parts
        return len(below) <= 2 or below[2] == "subagents"
