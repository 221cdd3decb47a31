"""Reads what runtimes leave behind into the book: which files there are, how far each has been read, what to read next.

Everything here happens in a thread. A reading is cut into pages, so that what it brings is told soon; between two pages
nothing is held open but the databases. What has not changed since it was read is not opened again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import TypeVar

import msgspec

from missioncontrol.events import now
from missioncontrol.sources.runtimes import RuntimeAgent
from missioncontrol.sources.source import Workspace
from missioncontrol.sources.transcripts.jsonl import JsonlReader, Position
from missioncontrol.sources.transcripts.openclaw_sessions import read_index
from missioncontrol.sources.transcripts.openclaw_sqlite import AgentDatabase, AgentPosition
from missioncontrol.sources.transcripts.openclaw_state import StateDatabase, StatePosition
from missioncontrol.sources.transcripts.places import (
    Place,
    Runtime,
    Transcript,
    entered,
    find_claude,
    find_codex,
    find_openclaw,
    roster,
    transcript_of,
    transcripts,
)
from missioncontrol.sources.transcripts.records import Record, UnreadableError
from missioncontrol.sources.usage.book import Book, Page
from missioncontrol.sources.usage.sessions import Owners

PAGE_SECONDS = 0.25
"""How long one page is read for, about."""

PATIENT_TRIES = 3
"""How often a file that cannot be read is tried before it is complained about."""

_AT = "at:"
_BESIDE = ("-wal", "-shm", "-journal")

Signature = tuple[int, ...]
AnyPosition = Position | AgentPosition | StatePosition
_P = TypeVar("_P", Position, AgentPosition, StatePosition)


class Below:
    """Passes over the folders of a place that hold nothing to read, and lead to nothing."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def folder(self, path: str) -> bool:
        """Say whether a folder of the place is passed over."""
        folder = self._place.folder / path
        if any(watched.is_relative_to(folder) for watched in self._place.watched):
            return False
        if not any(folder.is_relative_to(watched) for watched in self._place.watched):
            return True
        return not entered(self._place, folder.relative_to(self._place.folder).parts)


class Reading:
    """The files of all runtimes. `gateway_alive` says whether OpenClaw's gateway runs, None where nobody knows."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._places: dict[Runtime, Place] = {}
        self._homes: dict[Path, str] = {}
        self._roster: dict[str, RuntimeAgent] = {}
        self._config: Signature = ()
        self.book = Book(Owners(workspace.root, workspace.state.table("agents"), self._homes))
        self.gateway_alive: bool | None = None
        self._positions: dict[str, AnyPosition] = {}
        self._kept: dict[str, bytes] = {}
        self._moved: set[str] = set()
        self._seen: dict[str, Signature] = {}
        self._pending: deque[Transcript] = deque()
        self._databases: dict[str, AgentDatabase | StateDatabase] = {}
        self._failures: dict[str, int] = {}
        self._complaints: list[tuple[str, str]] = []
        self._written: list[Transcript] = []

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered."""
        self.book.recall(memory)
        self._kept = {key.removeprefix(_AT): kept for key, kept in memory.items() if key.startswith(_AT)}

    def close(self) -> None:
        """Close the databases."""
        for database in self._databases.values():
            database.close()
        self._databases.clear()

    def find(self) -> bool:
        """Look where the runtimes are; says whether anything is different from before."""
        config = self._workspace.config.sources
        places = {
            place.runtime: place
            for place in (
                find_openclaw(config.openclaw, self._workspace.root),
                find_claude(config.claude),
                find_codex(config.codex),
            )
            if place is not None
        }
        before = (self._places, self._config)
        self._places = places
        if (openclaw := places.get("openclaw")) is not None:
            self._read_roster(openclaw)
        return before != (self._places, self._config)

    def has(self, runtime: str) -> bool:
        """Say whether a runtime's folder is there."""
        return runtime in self._places

    def roots(self) -> dict[Path, Below]:
        """Return the folders that are to be listened to."""
        return {place.folder: Below(place) for place in self._places.values() if place.folder.is_dir()}

    def roster(self) -> dict[str, RuntimeAgent]:
        """Return the agents that a runtime's settings name, whether or not they have ever done anything."""
        return self._roster

    def complaints(self) -> list[tuple[str, str]]:
        """Return what cannot be read, as path and reason, each once."""
        complaints, self._complaints = self._complaints, []
        return complaints

    def written(self) -> list[Transcript]:
        """Return what was found to be written to since this was asked last."""
        written, self._written = self._written, []
        return written

    @property
    def doubtful(self) -> bool:
        """Whether something could not be read and is to be tried again soon."""
        return any(count <= PATIENT_TRIES for count in self._failures.values())

    def read(self, paths: Iterable[str] | None) -> bool:
        """Read one page.

        Args:
            paths: files that may have changed; None for all that there are.

        Returns:
            whether there is more to read, with `paths` empty.
        """
        self._pending.extend(self._named(paths) if paths is not None else self._all())
        until = monotonic() + PAGE_SECONDS
        while self._pending and monotonic() < until:
            transcript = self._pending.popleft()
            try:
                if self._read(transcript):
                    self._pending.appendleft(transcript)
            except FileNotFoundError:
                self._forget(str(transcript.path))
            except UnreadableError as error:
                self._fail(str(transcript.path), str(error))
        return bool(self._pending)

    def turn_page(self) -> tuple[Page, dict[str, bytes | None]]:
        """Return the page, with what is to be remembered along with it, and begin a new one."""
        page, told = self.book.turn_page()
        changes: dict[str, bytes | None] = {**told}
        for path in self._moved:
            position = self._positions.get(path)
            changes[f"{_AT}{path}"] = None if position is None else msgspec.json.encode(position)
        self._moved.clear()
        return page, changes

    def _all(self) -> list[Transcript]:
        found = [transcript for place in self._places.values() for transcript in transcripts(place)]
        there = {str(transcript.path) for transcript in found}
        for path in [path for path in (*self._positions, *self._kept) if path not in there]:
            self._forget(path)
        return found

    def _named(self, paths: Iterable[str]) -> list[Transcript]:
        retried = [path for path, count in self._failures.items() if count <= PATIENT_TRIES]
        found: dict[str, Transcript] = {}
        for name in (*paths, *retried):
            for tail in _BESIDE:
                name = name.removesuffix(tail)
            path = Path(name)
            for place in self._places.values():
                if (transcript := transcript_of(place, path)) is not None:
                    found[name] = transcript
        return [found[name] for name in sorted(found)]

    def _read(self, transcript: Transcript) -> bool:
        """Read a file on; says whether there is more in it."""
        path, name = transcript.path, str(transcript.path)
        signature = _signature(path)
        if self._seen.get(name) == signature:
            return False
        more = self._read_on(transcript, name, signature)
        self._failures.pop(name, None)
        if not more:
            self._seen[name] = signature
            self._written.append(transcript)
        return more

    def _read_on(self, transcript: Transcript, name: str, signature: Signature) -> bool:
        path, kind = transcript.path, transcript.kind
        records: list[Record]
        before: AnyPosition
        after: AnyPosition
        if kind == "openclaw-index":
            self.book.take(read_index(path, transcript.agent), now())
            return False
        if kind == "openclaw-agent":
            agents = self._databases.get(name)
            if not isinstance(agents, AgentDatabase):
                agents = self._databases[name] = AgentDatabase(path, transcript.agent or "")
            before = self._position(name, AgentPosition)
            records, after = agents.read(before)
        elif kind == "openclaw-state":
            state = self._databases.get(name)
            if not isinstance(state, StateDatabase):
                state = self._databases[name] = StateDatabase(path)
            before = self._position(name, StatePosition)
            records, after = state.read(before)
            self.gateway_alive = state.gateway_alive(now())
        else:
            reader = JsonlReader(kind, agent=transcript.agent, parent=transcript.parent)
            before = self._position(name, Position, signature[0])
            records, after = reader.read(path, before)
        self.book.take(records, now())
        if after == before:
            return False
        self._positions[name] = after
        self._moved.add(name)
        return True

    def look_at_gateway(self) -> None:
        """See whether OpenClaw's gateway runs, though nothing has been written: it may have been killed."""
        for database in self._databases.values():
            if isinstance(database, StateDatabase):
                try:
                    self.gateway_alive = database.gateway_alive(now())
                except (FileNotFoundError, UnreadableError):
                    self.gateway_alive = None

    def _position(self, name: str, kind: type[_P], inode: int | None = None) -> _P:
        """Return where a file has been read to: under this name, or under the one that it had before."""
        if inode is not None and name not in self._positions and name not in self._kept:
            for other in (*self._positions, *self._kept):
                position = self._known(other, Position)
                if position is not None and position.inode == inode and not Path(other).exists():
                    self._forget(other)
                    self._positions[name] = position
                    break
        known = self._known(name, kind)
        return kind() if known is None else known

    def _known(self, name: str, kind: type[_P]) -> _P | None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            try:
                self._positions[name] = msgspec.json.decode(kept, type=kind)
            except msgspec.DecodeError:
                # Of another kind, or of another release: it is read anew, and what was counted stays counted.
                return None
        position = self._positions.get(name)
        return position if isinstance(position, kind) else None

    def _forget(self, name: str) -> None:
        """A file is gone: what was counted of it stays counted."""
        if self._positions.pop(name, None) is not None or self._kept.pop(name, None) is not None:
            self._moved.add(name)
        self._seen.pop(name, None)
        self._failures.pop(name, None)
        if (database := self._databases.pop(name, None)) is not None:
            database.close()

    def _fail(self, name: str, reason: str) -> None:
        count = self._failures[name] = self._failures.get(name, 0) + 1
        if count == PATIENT_TRIES:
            self._complaints.append((name, f"{name} cannot be read: {reason}. It is tried again."))

    def _read_roster(self, place: Place) -> None:
        try:
            signature = _signature(place.folder / "openclaw.json")
            if signature == self._config:
                return
            agents = roster(place)
        except (FileNotFoundError, UnreadableError):
            return
        self._config = signature
        at = signature[2] // 1_000_000
        self._homes.clear()
        self._homes.update({home: id_ for id_, home in agents.items() if home is not None})
        self._roster = {id_: RuntimeAgent("openclaw", id_, "unknown", at, "openclaw.json") for id_ in agents}


def _signature(path: Path) -> Signature:
    """Return what a file looks like from outside, with the log that SQLite keeps beside it.

    Raises:
        FileNotFoundError: it is not there.
    """
    signature: list[int] = []
    for part in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = part.stat(follow_symlinks=False)
            signature += (status.st_ino, status.st_size, status.st_mtime_ns)
        except FileNotFoundError:
            if part is path:
                raise
    return tuple(signature)
