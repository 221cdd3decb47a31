"""OpenClaw: transcripts in JSONL or SQLite by agent, a gateway with a database of its own, and its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from missioncontrol.runtimes.base import FileKind, FileReader, Place, Runtime, Transcript
from missioncontrol.runtimes.files.jsonl import POSITIONS, LineFormat, opens, session_of
from missioncontrol.runtimes.files.jsonl_messages import reads_messages
from missioncontrol.runtimes.messages import MessageParser
from missioncontrol.runtimes.openclaw import places, telemetry, workspaces
from missioncontrol.runtimes.openclaw.agent_database import AGENT_POSITIONS, AgentDatabase
from missioncontrol.runtimes.openclaw.messages import read_messages
from missioncontrol.runtimes.openclaw.session_index import read_index
from missioncontrol.runtimes.openclaw.state_database import STATE_POSITIONS, StateDatabase
from missioncontrol.runtimes.openclaw.transcript import RUNTIME, Memory, OpenClawParser
from missioncontrol.runtimes.records import Record, UnreadableError
from missioncontrol.threads import OwnerThread

if TYPE_CHECKING:
    from missioncontrol.runtimes.openclaw.connect import OpenClawConnection
    from missioncontrol.runtimes.openclaw.gateway import GatewayLink


class _Index(FileReader):
    """The index of an agent's sessions, which is read whole each time."""

    def __init__(self, transcript: Transcript, thread: OwnerThread) -> None:
        self._transcript = transcript

    def read(self, position: Any) -> tuple[list[Record], Any]:
        return read_index(self._transcript.path, self._transcript.agent), position


def _agent_database(transcript: Transcript, thread: OwnerThread) -> AgentDatabase:
    return AgentDatabase(transcript.path, transcript.agent or "", lambda: thread.stopping)


def _state_database(transcript: Transcript, thread: OwnerThread) -> StateDatabase:
    return StateDatabase(transcript.path, lambda: thread.stopping)


LINES = LineFormat(
    msgspec.json.Decoder(Memory),
    lambda transcript: Memory(session=session_of(transcript.path)),
    lambda transcript, memory: OpenClawParser(transcript.agent, memory),
)


class OpenClaw(Runtime):
    """OpenClaw."""

    name = RUNTIME
    title = "OpenClaw"
    variable = "OPENCLAW_STATE_DIR"
    kinds = (
        FileKind(
            "openclaw",
            opens(LINES),
            POSITIONS,
            messages=reads_messages(MessageParser, lambda transcript: session_of(transcript.path)),
        ),
        FileKind("openclaw-index", _Index, None),
        FileKind("openclaw-agent", _agent_database, AGENT_POSITIONS, database=True, messages=read_messages),
        FileKind("openclaw-state", _state_database, STATE_POSITIONS, database=True, reports_alive=True),
    )
    read_signal = staticmethod(telemetry.read)

    @property
    def connection(self) -> OpenClawConnection:
        """How it is connected."""
        from missioncontrol.runtimes.openclaw.connect import OpenClawConnection

        return OpenClawConnection()

    def find(self, setting: str, workspace: Path, environment: Mapping[str, str]) -> Place | None:
        """Find the state folder; see `find_openclaw`."""
        return places.find_openclaw(setting, workspace, environment)

    def transcript_of(self, place: Place, path: Path, parts: tuple[str, ...]) -> Transcript | None:
        """Return what a file of the state folder is, by its path alone."""
        return places.transcript_of(path, parts)

    def enters(self, place: Place, parts: tuple[str, ...]) -> bool:
        """Report whether a folder may hold sessions or a database."""
        return places.enters(parts)

    def settings_file(self, place: Place) -> Path:
        """Return `openclaw.json`, or what it is called there."""
        return places.settings_file(place)

    def agents(self, place: Place) -> dict[str, Path | None]:
        """Return the agents that `openclaw.json` names; see `roster`."""
        return places.roster(place)

    def workspaces(self, place: Place) -> dict[str, Path]:
        """Return where each agent of `openclaw.json` has its workspace; see `configured_workspaces`."""
        return places.configured_workspaces(place)

    def unnamed_workspaces(self, place: Place | None, root: Path) -> list[tuple[str, Path]]:
        """Return the folders `workspace-ID` in the state folder and next to the watched workspace."""
        return workspaces.unnamed_workspaces(place, root)

    def is_private(self, place: Place, path: Path) -> bool:
        """Report whether a folder holds OpenClaw's settings with their tokens, databases or sessions."""
        return workspaces.is_private(place, path)

    def gateway(self, place: Place | None, url: str | None, token: str | None) -> GatewayLink | None:
        """Return the link to the gateway that `openclaw.json` or the settings name."""
        address = None
        if place is not None:
            with suppress(FileNotFoundError, UnreadableError):
                address = places.gateway_address(place)
        if url is None:
            if address is None:
                return None
            url = f"http://127.0.0.1:{address.port}"
        # It takes 20 MB, and most fleets have no gateway.
        from missioncontrol.runtimes.openclaw.gateway import GatewayLink

        return GatewayLink(url, token or (address.token if address is not None else None))
