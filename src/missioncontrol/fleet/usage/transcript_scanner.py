"""Finds the files of runtimes, and reads their new content into the usage ledger.

Everything here is used on one thread, the source's. A reading is split into pages, so that its results are published
soon; between two pages only databases stay open. The results of a page are passed to the event loop as values that
are no longer changed here. Files that have not changed since they were read are not opened again.

A file that cannot be read does not delay the others: it is reported once, skipped, and tried again when it changes.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Data, now
from missioncontrol.fleet.agent_status import RuntimeAgent
from missioncontrol.fleet.source import Workspace
from missioncontrol.fleet.usage.ledger import SESSION, UsageBatch, UsageLedger
from missioncontrol.fleet.usage.lines import UsageKey, UsageTotals
from missioncontrol.fleet.usage.sessions import KnownSession, Owners
from missioncontrol.runtimes import registry
from missioncontrol.runtimes.base import FileKind, FileReader, Place, Transcript
from missioncontrol.runtimes.records import Record, UnreadableError
from missioncontrol.threads import OwnerThread, WorkStopped
from missioncontrol.watch.paths import readable

PAGE_SECONDS = 0.25
"""How long one page is read for, about."""

PATIENT_TRIES = 3
"""How often a file that cannot be read is tried before it is complained about."""

RETRY_SECONDS = 300.0
"""Seconds after which an unreadable file is tried again although it looks the same: the cause may be elsewhere."""

MAX_ILLEGIBLE = 100
"""How many files whose name is not UTF-8 are reported."""

SECOND_LOOKS = (0.02, 0.1, 0.3, 0.6)
"""Seconds between the checks of a database after it has changed.

SQLite writes its log before it marks the new frames as committed in shared memory, which causes no notification
(https://www.sqlite.org/walformat.html, section 2.1).
"""

_AT = "at:"
_SIDE_FILES = ("-wal", "-shm", "-journal")

Signature = tuple[int, ...]
Positions = msgspec.json.Decoder[Any]

logger = logging.getLogger(__name__)


class FailedFile(NamedTuple):
    """A file that could not be read: the number of tries, its change times, the time of the last try, its duration.

    `at` is monotonic time, `took` is in seconds.
    """

    tries: int
    looked: Signature
    at: float
    took: float

    def is_due(self, looks: Signature, now: float) -> bool:
        """Return whether it is to be tried again: at first soon, later if it has changed or after a while.

        A file that takes long to fail uses at most a tenth of the time, however often it changes.
        """
        since = now - self.at
        if self.tries < PATIENT_TRIES:
            return True
        return since >= RETRY_SECONDS or (looks != self.looked and since >= self.took * 10)


class SecondLook(NamedTuple):
    """A database that has just changed: its signature, the number of checks since, and the monotonic time of the next
    one."""

    signature: Signature
    looks: int
    at: float


class WatchFilter:
    """Ignores the folders of a place that contain nothing to read."""

    def __init__(self, place: Place, link: Path | None = None) -> None:
        """Prepare.

        Args:
            place: whose folders they are.
            link: the link in it that leads to the folder that is watched; None where that is the place's own.
        """
        self._place = place
        self._root = place.folder if link is None else link

    def folder(self, path: str) -> bool:
        """Return whether a folder of the place is ignored."""
        folder = self._root / path
        if any(watched.is_relative_to(folder) for watched in self._place.watched):
            return False
        if not any(folder.is_relative_to(watched) for watched in self._place.watched):
            return True
        return not registry.enters(self._place, folder.relative_to(self._place.folder).parts)


class FoundPlaces(NamedTuple):
    """The places of the runtimes: whether they have `changed`, the folders to watch, and the runtimes found."""

    changed: bool
    roots: dict[Path, WatchFilter]
    runtimes: frozenset[str]


class ScanResult(NamedTuple):
    """The results of one page, to be published and stored whole.

    `sessions` are those that changed, `forgotten` those that are no longer kept, `written` the transcripts that were
    written to. `complaints` are files that cannot be read, each once, as path and reason; `unreadable` are all that
    are skipped now, `doubtful` is whether some of them are to be tried again soon. `again` is the number of seconds
    until a file has to be checked again, infinite if none has; `more` is whether there is more to read.
    """

    page: UsageBatch
    changes: dict[str, bytes | None]
    sessions: dict[str, KnownSession]
    forgotten: set[str]
    written: list[Transcript]
    complaints: list[tuple[str, str]]
    unreadable: list[str]
    doubtful: bool
    again: float
    more: bool


class TranscriptScanner:
    """The files of all runtimes, and the ledger that is kept of them."""

    def __init__(self, workspace: Workspace, thread: OwnerThread) -> None:
        """Prepare; nothing is opened yet.

        Args:
            workspace: its settings have the places of runtimes.
            thread: the thread on which this is used; it reports when to stop.
        """
        self._workspace = workspace
        self._thread = thread
        self._agents: Mapping[str, Data] | None = None
        self._places: dict[str, Place] = {}
        self._homes: dict[Path, str] = {}
        self._roster: dict[str, RuntimeAgent] = {}
        self._rosters: dict[str, dict[str, tuple[RuntimeAgent, Path | None]]] = {}
        """The agents in the settings of each runtime, with the folders in which they work."""

        self._configs: dict[str, Signature] = {}
        self._ledger = UsageLedger(Owners(workspace.root, {}, self._homes))
        self._alive: dict[str, bool | None] = {}
        """Whether the process of a runtime's sessions runs."""

        self._positions: dict[str, msgspec.Struct] = {}
        self._kept: dict[str, bytes] = {}
        self._moved: set[str] = set()
        self._seen: dict[str, Signature] = {}
        self._pending: deque[Transcript] = deque()
        self._databases: dict[str, tuple[Transcript, FileReader]] = {}
        # The files of processes, and the sessions of those that have removed theirs.
        self._processes: dict[str, FileReader] = {}
        self._ended: set[str] = set()
        self._failures: dict[str, FailedFile] = {}
        # Unreadable files that have changed since, and are tried again when they are due.
        self._postponed: dict[str, None] = {}
        self._second_looks: dict[str, SecondLook] = {}
        # The links that are followed, by what they lead to.
        self._links: dict[Path, Path] = {}
        self._illegible: dict[str, None] = {}
        self._complaints: list[tuple[str, str]] = []
        self._written: list[Transcript] = []

    def recall(self, memory: Mapping[str, bytes]) -> dict[str, KnownSession]:
        """Restore what was stored, and return the known sessions."""
        self._ledger.recall(memory, now())
        self._kept = {key.removeprefix(_AT): kept for key, kept in memory.items() if key.startswith(_AT)}
        return {id_: session.known() for id_, session in self._ledger.sessions.all()}

    def close(self) -> None:
        """Close the databases."""
        for _, database in self._databases.values():
            database.close()
        self._databases.clear()

    def find(self) -> FoundPlaces:
        """Find the places of the runtimes."""
        before = (self._places, dict(self._configs))
        self._places = registry.find_all(self._workspace.config.sources, self._workspace.root)
        for place in self._places.values():
            self._read_roster(place)
        roots = {place.folder: WatchFilter(place) for place in self._places.values() if place.folder.is_dir()}
        self._links = {}
        for place in self._places.values():
            for target, link in registry.links(place).items():
                self._links[target] = link
                roots[target] = WatchFilter(place, link)
        return FoundPlaces(before != (self._places, self._configs), roots, frozenset(self._places))

    def read(self, paths: Iterable[str] | None, agents: Mapping[str, Data]) -> ScanResult:
        """Read one page.

        Args:
            paths: files that may have changed; None for all that there are. Where there is more to read, it goes on
                with no paths.
            agents: the agents of the workspace by id, to find out whose sessions are; the same mapping as before where
                they are the same agents.
        """
        self._know(agents)
        self._pending.extend(self._named(paths) if paths is not None else self._all())
        until = monotonic() + PAGE_SECONDS
        while self._pending and monotonic() < until:
            transcript = self._pending.popleft()
            path, began = str(transcript.path), monotonic()
            self._thread.checkpoint(f"reading {path}")
            try:
                if self._read(transcript):
                    self._pending.appendleft(transcript)
            except FileNotFoundError:
                self._forget(path)
            except WorkStopped:
                raise
            except UnreadableError as error:
                self._fail(path, str(error), monotonic() - began)
            except Exception as error:
                # Whatever it is, the file has brought it about: the others are read on.
                logger.exception("usage.unreadable", extra={"path": path})
                self._fail(path, f"{type(error).__name__}: {error}"[:200], monotonic() - began)
        return self._turn_page()

    def enter(
        self, reports: Iterable[Iterable[Record]], agents: Mapping[str, Data], by: str | None
    ) -> ScanResult:
        """Enter what runtimes have reported themselves.

        Args:
            reports: the records of each report.
            agents: the agents of the workspace by id.
            by: who has passed them on.
        """
        self._know(agents)
        for records in reports:
            self._ledger.take(records, now(), by)
        return self._turn_page()

    def uses_of(self, agents: Collection[str]) -> dict[UsageKey, UsageTotals]:
        """Return all that the sessions of these agents have used so far; see `UsageLedger.uses_of`."""
        return self._ledger.uses_of(agents)

    def show(self) -> dict[str, RuntimeAgent]:
        """Return what each agent does by its sessions, and those that settings name though they never did anything."""
        agents = self._ledger.doings(now(), alive=self._alive)
        return {**self._roster, **agents}

    def _is_over(self) -> bool:
        return self._thread.stopping

    def _know(self, agents: Mapping[str, Data]) -> None:
        if agents is not self._agents:
            self._agents = agents
            # An agent that its runtime's settings name is one before it has done anything.
            self._ledger.know({**{id_: {} for id_ in self._roster}, **agents})

    def _turn_page(self) -> ScanResult:
        """Return the page, with what is to be stored along with it, and begin a new one."""
        page, kept_by_ledger = self._ledger.take_batch()
        changes: dict[str, bytes | None] = {**kept_by_ledger}
        for path in self._moved:
            position = self._positions.get(path)
            changes[f"{_AT}{path}"] = None if position is None else msgspec.json.encode(position)
        self._moved.clear()
        forgotten = {key.removeprefix(SESSION) for key, kept in kept_by_ledger.items() if kept is None}
        sessions = {id_: self._ledger.sessions[id_].known() for id_ in page.sessions - forgotten}
        written, self._written = self._written, []
        complaints, self._complaints = self._complaints, []
        skipped = [path for path, failure in self._failures.items() if failure.tries >= PATIENT_TRIES]
        doubtful = len(skipped) < len(self._failures) or bool(self._postponed)
        skipped += self._illegible
        again = min((look.at for look in self._second_looks.values()), default=math.inf) - monotonic()
        more = bool(self._pending) or self._ledger.unsettled
        return ScanResult(
            page, changes, sessions, forgotten, written, complaints, skipped, doubtful, again, more
        )

    def _all(self) -> list[Transcript]:
        found = [
            transcript
            for place in self._places.values()
            for transcript in registry.transcripts(place)
            if self._is_text(transcript.path)
        ]
        there = {str(transcript.path) for transcript in found}
        for path in [path for path in (*self._positions, *self._kept, *self._processes) if path not in there]:
            self._forget(path)
        return found

    def _named(self, paths: Iterable[str]) -> list[Transcript]:
        retried = [path for path, failure in self._failures.items() if failure.tries < PATIENT_TRIES]
        retried += self._postponed
        present = monotonic()
        for name, look in self._second_looks.items():
            if look.at <= present:
                self._second_looks[name] = look._replace(at=math.inf)
                retried.append(name)
        found: dict[str, Transcript] = {}
        for name in (*paths, *retried):
            for tail in _SIDE_FILES:
                name = name.removesuffix(tail)
            path = self._at_its_place(Path(name))
            for place in self._places.values():
                if (transcript := registry.transcript_of(place, path)) is not None and self._is_text(path):
                    found[str(path)] = transcript
        return [found[name] for name in sorted(found)]

    def _at_its_place(self, path: Path) -> Path:
        """Return the path that a file has below its place, where a link leads to it."""
        for target, link in self._links.items():
            if path.is_relative_to(target):
                return link / path.relative_to(target)
        return path

    def _is_text(self, path: Path) -> bool:
        """Return whether a path can be sent and stored; one that cannot, since it is not UTF-8, is named once."""
        shown = readable(name := str(path))
        if shown != name and shown not in self._illegible and len(self._illegible) < MAX_ILLEGIBLE:
            self._illegible[shown] = None
            self._complaints.append((shown, f"{shown} is skipped: its name is not UTF-8. Rename it."))
        return shown == name

    def _read(self, transcript: Transcript) -> bool:
        """Read the next part of a file; return whether there is more in it."""
        path, name = transcript.path, str(transcript.path)
        signature = _signature(path)
        # The status of a database's file does not show whether it has changed: SQLite is asked.
        database = registry.kinds()[transcript.kind].database
        changed = self._seen.get(name) != signature
        if not changed and not database:
            return False
        failure = self._failures.get(name)
        if failure is not None:
            looks = _change_times(path)
            if not failure.is_due(looks, monotonic()):
                if looks != failure.looked:
                    # There may be no other notification about it.
                    self._postponed[name] = None
                return False
        self._postponed.pop(name, None)
        more = self._read_on(transcript, name, signature)
        self._failures.pop(name, None)
        if more:
            self._seen.pop(name, None)
            return True
        self._seen[name] = signature
        if changed:
            self._written.append(transcript)
        if database:
            self._look_again(name, signature)
        return False

    def _look_again(self, name: str, signature: Signature) -> None:
        """Schedule a few more checks of a database after it has changed."""
        look = self._second_looks.get(name)
        looks = 0 if look is None or look.signature != signature else look.looks + 1
        # The last check is kept, so that an unchanged signature does not restart them.
        wait = SECOND_LOOKS[looks] if looks < len(SECOND_LOOKS) else math.inf
        self._second_looks[name] = SecondLook(signature, looks, monotonic() + wait)

    def _read_on(self, transcript: Transcript, name: str, signature: Signature) -> bool:
        kind = registry.kinds()[transcript.kind]
        reader = self._opened(transcript, name, kind)
        before = None if kind.positions is None else self._position(name, kind.positions, signature[0])
        records, after = reader.read(before)
        self._note_alive(transcript, reader)
        self._ledger.take(records, now())
        if after == before:
            return False
        self._positions[name] = after
        self._moved.add(name)
        return True

    def _opened(self, transcript: Transcript, name: str, kind: FileKind) -> FileReader:
        """Return what reads a file; that of a database or of a process stays open."""
        if kind.process:
            if name not in self._processes:
                self._processes[name] = kind.open(transcript, self._thread)
            return self._processes[name]
        if not kind.database:
            return kind.open(transcript, self._thread)
        known = self._databases.get(name)
        if known is None or known[0].kind != transcript.kind:
            known = self._databases[name] = (transcript, kind.open(transcript, self._thread))
        return known[1]

    def _note_alive(self, transcript: Transcript, reader: FileReader) -> None:
        if registry.kinds()[transcript.kind].reports_alive:
            self._alive[registry.runtime_of(transcript.kind)] = reader.is_alive(now())

    def check_alive(self) -> None:
        """Check whether the processes still run that run sessions, though nothing has been written."""
        for transcript, reader in self._databases.values():
            try:
                self._note_alive(transcript, reader)
            except (FileNotFoundError, UnreadableError):
                # The reading of the file reports that.
                self._alive.pop(registry.runtime_of(transcript.kind), None)
        over, self._ended = self._ended, set()
        living: set[str] = set()
        for process in self._processes.values():
            if process.session is not None and (is_over := process.is_over()) is not None:
                (over if is_over else living).add(process.session)
        self._ledger.check_processes(living, over - living, now())

    @property
    def watches_processes(self) -> bool:
        """Whether there are processes whose end nothing else reports."""
        return bool(self._processes)

    def _position(self, name: str, positions: Positions, inode: int) -> Any:
        """Return where a file has been read to: under this name, or under the one that it had before."""
        renames = "inode" in positions.type.__struct_fields__
        if renames and name not in self._positions and name not in self._kept:
            for other in (*self._positions, *self._kept):
                position = self._known(other, positions)
                if (
                    position is not None
                    and getattr(position, "inode", None) == inode
                    and not Path(other).exists()
                ):
                    self._forget(other)
                    self._positions[name] = position
                    break
        known = self._known(name, positions)
        return positions.type() if known is None else known

    def _known(self, name: str, positions: Positions) -> Any:
        kept = self._kept.pop(name, None)
        if kept is not None:
            try:
                self._positions[name] = positions.decode(kept)
            except msgspec.DecodeError:
                # Of another kind, or of another release: it is read again, and what was counted stays counted.
                return None
        position = self._positions.get(name)
        return position if isinstance(position, positions.type) else None

    def _forget(self, name: str) -> None:
        """A file is gone: what was counted of it stays counted."""
        if self._positions.pop(name, None) is not None or self._kept.pop(name, None) is not None:
            self._moved.add(name)
        self._seen.pop(name, None)
        self._second_looks.pop(name, None)
        self._failures.pop(name, None)
        self._postponed.pop(name, None)
        if (database := self._databases.pop(name, None)) is not None:
            database[1].close()
        if (process := self._processes.pop(name, None)) is not None and process.session is not None:
            # The process has ended, or goes on with another session, and has said so by removing its file.
            self._ended.add(process.session)

    def _fail(self, name: str, reason: str, took: float) -> None:
        before = self._failures.get(name)
        count = 1 if before is None else before.tries + 1
        self._failures[name] = FailedFile(count, _change_times(Path(name)), monotonic(), took)
        if count == PATIENT_TRIES:
            again = "It is skipped, and tried again when it changes."
            self._complaints.append((name, f"{name} cannot be read: {reason}. {again}"))

    def _read_roster(self, place: Place) -> None:
        """Read which agents a runtime's settings name, where they have changed."""
        runtime = registry.runtimes()[place.runtime]
        file = runtime.settings_file(place)
        if file is None:
            return
        try:
            signature = _signature(file)
            if signature == self._configs.get(place.runtime):
                return
            agents = runtime.agents(place)
        except (FileNotFoundError, UnreadableError):
            return
        self._configs[place.runtime] = signature
        at = signature[2] // 1_000_000
        self._rosters[place.runtime] = {
            id_: (RuntimeAgent(place.runtime, id_, "unknown", at, file.name), home)
            for id_, home in agents.items()
        }
        named = [(id_, *one) for known in self._rosters.values() for id_, one in known.items()]
        self._homes.clear()
        self._homes.update({home: id_ for id_, _, home in named if home is not None})
        self._roster = {id_: agent for id_, agent, _ in named}
        self._agents = None


def _signature(path: Path) -> Signature:
    """Return what a file looks like from outside, with the log that SQLite keeps next to it.

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


def _change_times(path: Path) -> Signature:
    """Return when a file and what SQLite keeps next to it last changed in any way, their permissions included."""
    signature: list[int] = []
    for part in (path, *(path.with_name(f"{path.name}{tail}") for tail in _SIDE_FILES)):
        try:
            status = part.stat(follow_symlinks=False)
        except OSError:
            signature.append(0)
        else:
            signature += (status.st_ino, status.st_size, status.st_ctime_ns)
    return tuple(signature)
