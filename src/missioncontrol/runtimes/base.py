"""What a runtime is to the rest of the program.

A runtime is one folder of this package, or a package of its own (see `registry`). It has a subclass of `Runtime`, which
overrides what the runtime has: places, kinds of files, a dialect of telemetry. All of it is optional but the names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias

import msgspec

from missioncontrol.events import Data
from missioncontrol.runtimes.connection import Connection
from missioncontrol.runtimes.hooks import HookReader
from missioncontrol.runtimes.otel.reading import Meaning
from missioncontrol.runtimes.otel.signals import Signal
from missioncontrol.runtimes.records import Message, Record
from missioncontrol.threads import OwnerThread


class Place(NamedTuple):
    """A runtime's folder, and the folders below it in which its transcripts are, whether or not they exist yet."""

    runtime: str
    folder: Path
    watched: tuple[Path, ...]


class Transcript(NamedTuple):
    """A file to read: `kind` is the name of a `FileKind`.

    `agent` is the agent's id where the runtime keeps files by agent, `parent` the session that started a sub-agent's.
    """

    path: Path
    kind: str
    agent: str | None = None
    parent: str | None = None


class FileReader(ABC):
    """Reads one file on from a position. Used on one thread."""

    @abstractmethod
    def read(self, position: Any) -> tuple[list[Record], Any]:
        """Return what is new after a position, and where to read on; the position that was given stays as it is.

        There is more to read at once where the position has moved.

        Raises:
            FileNotFoundError: the file does not exist.
            UnreadableError: it cannot be read now.
            WorkStopped: the thread is to end.
        """

    def is_alive(self, now: int) -> bool | None:
        """Report whether the process runs that runs the runtime's sessions; None where this file does not say.

        Args:
            now: the time in milliseconds since 1970.

        Raises:
            FileNotFoundError, UnreadableError: as `read`.
        """
        return None

    @property
    def session(self) -> str | None:
        """The session that the file's process works on; None if the file is not a process's."""
        return None

    def is_over(self) -> bool | None:
        """Return whether the file's process has ended; None if that cannot be known."""
        return None

    def close(self) -> None:  # noqa: B027 - most have nothing open between two readings
        """Close what is open."""


Redact: TypeAlias = Callable[[str], str]

MessageReader: TypeAlias = Callable[
    [Transcript, bytes | None, int, OwnerThread, Redact], tuple[list[Message], bytes]
]
"""Reads messages: the transcript, the position that was kept, the time in milliseconds since 1970 before which messages
are skipped, the thread, and what masks the secrets of a text. Returns messages, and the position to keep. Raises what
`FileReader.read` raises."""


class FileKind(NamedTuple):
    """A kind of files, and how it is read. `name` is unique among all runtimes.

    `positions` decodes its positions, None where the whole file is read each time. A `database` may have changed
    though it looks the same, and its reader stays open. A file that is renamed goes on where its positions have an
    `inode`. `reports_alive`: see `FileReader.is_alive`. A file of a `process` stays open too, to say when that is over.
    `messages` is None where the kind has no text to read.
    """

    name: str
    open: Callable[[Transcript, OwnerThread], FileReader]
    positions: msgspec.json.Decoder[Any] | None
    database: bool = False
    reports_alive: bool = False
    process: bool = False
    messages: MessageReader | None = None


class GatewayListener(Protocol):
    """Gets what a gateway reports."""

    def health(self, *, running: bool, details: Data) -> None:
        """Note whether the gateway runs, and details for people."""

    def run_state(self, agent: str, session: str, *, running: bool, at: int) -> None:
        """Note whether a session of an agent runs, since when, in milliseconds since 1970."""

    def silence(self) -> None:
        """Note that nothing more is known of any session."""


class GatewayClient(Protocol):
    """Watches a gateway. `note` says what is wrong with the connection, None where nothing is."""

    note: str | None

    async def run(self, listener: GatewayListener) -> None:
        """Watch until cancelled."""


class Runtime(ABC):
    """A runtime of agents. `name` is its id in events and settings, `title` its name for people."""

    name: ClassVar[str]
    title: ClassVar[str]

    kinds: ClassVar[Sequence[FileKind]] = ()
    """The kinds of files that it leaves behind."""

    variable: ClassVar[str | None] = None
    """The environment variable that says where it keeps them."""

    read_signal: Callable[[Signal], Meaning | None] | None = None
    """Reads a signal of its own telemetry; returns None for what is not its own."""

    hooks: ClassVar[HookReader | None] = None
    """Reads its hooks, which it sends to `/api/hooks/NAME`; None where it has none."""

    @property
    def connection(self) -> Connection | None:
        """How it is connected; None where there is nothing to connect."""
        return None

    def mcp_command(self, name: str, url: str, authorization: str | None) -> str | None:
        """Return the command that gives its agents the tools of an MCP server; None where there is none.

        Args:
            name: what the server is called there.
            url: its address.
            authorization: the header that it asks for; a variable in it as `${NAME}`.
        """
        return None

    def find(self, setting: str, workspace: Path, environment: Mapping[str, str]) -> Place | None:
        """Find its folder.

        Args:
            setting: `off`, a path, or `auto`.
            workspace: the workspace that is watched.
            environment: the environment's variables.
        """
        return None

    def transcript_of(self, place: Place, path: Path, parts: tuple[str, ...]) -> Transcript | None:
        """Return what a file is, by its path alone; None where it is nothing to read.

        Args:
            place: its folder.
            path: the file's path.
            parts: the same below the place.
        """
        return None

    def enters(self, place: Place, parts: tuple[str, ...]) -> bool:
        """Report whether a folder of the place, by its path below it, may hold something to read."""
        return True

    def settings_file(self, place: Place) -> Path | None:
        """Return the file in which it names its agents; None where it has none."""
        return None

    def agents(self, place: Place) -> dict[str, Path | None]:
        """Return the agents that its settings name, by id, each with the folder in which it works, if that is set.

        Raises:
            FileNotFoundError: the settings do not exist.
            UnreadableError: they cannot be read.
        """
        return {}

    def workspaces(self, place: Place) -> Mapping[str, Path]:
        """Return where each agent that its settings name has its workspace, by the agent's id, set or not.

        Raises:
            FileNotFoundError: the settings do not exist.
            UnreadableError: they cannot be read.
        """
        return {}

    def unnamed_workspaces(self, place: Place | None, root: Path) -> Sequence[tuple[str, Path]]:
        """Return agents with workspaces that its settings do not name.

        Args:
            place: its folder; None where it has none.
            root: the watched workspace.
        """
        return ()

    def is_private(self, place: Place, path: Path) -> bool:
        """Report whether a folder holds files of the runtime that others must not read, and so is no workspace."""
        return False

    def gateway(self, place: Place | None, url: str | None, token: str | None) -> GatewayClient | None:
        """Return a client of its gateway, a program that knows which sessions run; None where it has none.

        Args:
            place: its folder; None where it has none.
            url: the gateway's address, where the settings name one; else it is looked up at the place.
            token: for the gateway, in the place of the one that is found at the place.
        """
        return None


def find_below(runtime: str, folders: tuple[str, ...], setting: str, usual: str) -> Place | None:
    """Find a place whose transcripts are in some folders of a runtime's home.

    Args:
        runtime: the runtime's name.
        folders: the folders of the transcripts, below the home.
        setting: `off`, a path to the home or to the first of these folders, or `auto`.
        usual: the home where the setting is `auto`; it counts only if one of the folders exists.
    """
    if setting == "off":
        return None
    folder = Path(usual if setting == "auto" else setting).expanduser()
    watched = tuple(folder / name for name in folders)
    if any(path.is_dir() for path in watched):
        return Place(runtime, folder, watched)
    if setting == "auto":
        return None
    # The folder of the transcripts itself may be named.
    return Place(runtime, folder, (folder,)) if folder.name == folders[0] else Place(runtime, folder, watched)
