"""The agents: their folders with `state.json` and `SOUL.md`, and what the runtimes report about them.

Every folder below the agents' folder is an agent, with or without these files. So is every agent's own workspace, in
which `IDENTITY.md` and `SOUL.md` name it.

A write is one event: the content is compared with the known one, and published as the event type that fits. A file
that is missing, broken or half written may be whole a moment later, so it is checked a few times before the result
counts, and the earlier content of a broken file stays known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from time import monotonic, time_ns
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Draft
from missioncontrol.events.decoding import read_float
from missioncontrol.fleet.layout import AGENT_FOLDERS, IDENTITY_FILE, SOUL_FILE, STATE_FILE, agent_named
from missioncontrol.fleet.profile import Known, compose, moment, parse_state, shorten
from missioncontrol.fleet.soul import parse_soul
from missioncontrol.fleet.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.fleet.source_files import find_agents
from missioncontrol.threads import OwnerThread
from missioncontrol.watch.debounce import HALF_WRITTEN_SECONDS, SECOND_LOOKS, RepeatLimit
from missioncontrol.watch.paths import join, parent_of, readable
from missioncontrol.watch.tree import fingerprint, folders_to, is_folder, read_file

MAX_FILE_BYTES = 1024 * 1024
MAX_BASELINE_BYTES = 200 * 1024
LOOKS_UNTIL_GONE = 2
LOOKS_UNTIL_WRITTEN = 2
LOOKS_UNTIL_BARE = 3
"""How often a new folder without files is checked: most get some soon."""

YOUNG_SECONDS = 0.1
CONFIRM_SECONDS = 60.0
"""How many seconds newer the evidence of an unchanged status must be to be published."""

_ABOVE = frozenset({"", *AGENT_FOLDERS, *(parent_of(folder) for folder in AGENT_FOLDERS)})


class ReadFile(NamedTuple):
    """One file, as it was just read. `parsed` is None if there is none, or if it is broken: `wrong` is the reason."""

    path: str
    parsed: dict[str, Any] | None = None
    mtime_ns: int = 0
    wrong: str | None = None
    content: str = ""

    @property
    def missing(self) -> bool:
        """Return whether there was no such file."""
        return self.parsed is None and self.wrong is None


class Sight(NamedTuple):
    """An agent's files, as they were just read, and whether it has a folder.

    `identity` and `home_soul` are the files of its own workspace.
    """

    state: ReadFile
    soul: ReadFile
    identity: ReadFile
    home_soul: ReadFile
    exists: bool

    @property
    def bare(self) -> bool:
        """Return whether none of the files exists."""
        return all(reading.missing for reading in self.readings)

    @property
    def readings(self) -> tuple[ReadFile, ReadFile, ReadFile, ReadFile]:
        """Its files."""
        return self.state, self.soul, self.identity, self.home_soul


class PendingCheck(NamedTuple):
    """An agent that is to be checked again at `due`, in monotonic time, for the `looks`-th time."""

    looks: int
    due: float


_remembered = msgspec.json.Decoder(Known, float_hook=read_float)


class Agents:
    """Publishes agents' statuses and profiles, and agents that are added or removed."""

    name = "agents"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._ignore = workspace.ignore
        self._workspaces = workspace.agent_workspaces
        self._state = workspace.state.table("agents")
        self._runtimes = workspace.runtimes
        self._runtimes_seen = False
        self._known: dict[str, Known] = {}
        self._folder: str | None = None
        self._there: dict[str, str] = {}
        self._doubts: dict[str, PendingCheck] = {}
        self._complaints = RepeatLimit()

    async def run(self, feed: Feed) -> None:
        """Watch the agents until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        # An agent that the state lacks is not known: a quota left it out, or another publisher removed it.
        self._known = (
            {}
            if first
            else {id_: _remembered.decode(kept) for id_, kept in memory.items() if id_ in self._state}
        )
        self._doubts = {}
        self._runtimes_seen = False
        self._runtimes.follow(feed.inbox.put)
        for id_, known in self._known.items():
            self._runtimes.folder(id_, there=not known.lost)
        feed.await_room()
        await feed.watched()
        await self._first_look(feed, first, memory)
        feed.running()
        while True:
            due = min((doubt.due for doubt in self._doubts.values()), default=None)
            batch = await feed.inbox.take(None if due is None else max(0.0, due - monotonic()))
            now = monotonic()
            again = {id_ for id_, doubt in self._doubts.items() if doubt.due <= now}
            again |= self._changed_by_runtimes() | feed.take_left_out()
            named = self._named(batch)
            if named is None or named or again:
                sights = await self._look(feed, None if named is None else named | again)
                self._forget(await feed.publish(self._compare(feed, sights), noticed=batch.noticed))

    def _changed_by_runtimes(self) -> set[str]:
        """Return the agents whose status by the runtimes has changed, or whom the runtimes no longer know."""
        changed = self._runtimes.take()
        if self._runtimes.complete and not self._runtimes_seen:
            self._runtimes_seen = True
            changed |= {id_ for id_, known in self._known.items() if known.runtime is not None}
        return changed

    async def _first_look(self, feed: Feed, first: bool, memory: Mapping[str, bytes]) -> None:
        """Scan everything until no check is pending, then publish it: as the baseline, or as changes since the stop."""
        steps = self._compare(feed, await self._look(feed, None), found_at_start=True)
        while any(doubt.looks <= len(SECOND_LOOKS) for doubt in self._doubts.values()):
            await asyncio.sleep(max(0.0, min(doubt.due for doubt in self._doubts.values()) - monotonic()))
            sights = await self._look(feed, set(self._doubts))
            steps += self._compare(feed, sights, found_at_start=True)
        if first:
            alerts = [draft for step in steps for draft in step.drafts if draft.type == "system:alert"]
            forgotten: dict[str, bytes | None] = dict.fromkeys(memory.keys() - self._known.keys())
            # The mark comes last: a baseline that was interrupted is published again.
            steps = [*self._baseline(feed), Step(alerts, {**forgotten, MARK: b"1"})]
        elif gone := memory.keys() - self._known.keys():
            steps = [Step([], dict.fromkeys(gone)), *steps]
        self._forget(await feed.publish(steps))

    def _forget(self, left_out: Iterable[str]) -> None:
        """Treat agents that a quota has left out as unknown, so that they are new when there is room."""
        for id_ in left_out:
            self._known.pop(id_, None)

    def _baseline(self, feed: Feed) -> list[Step]:
        steps: list[Step] = []
        agents: list[dict[str, Any]] = []
        changes: dict[str, bytes | None] = {}
        size = 0
        for id_, known in sorted(self._known.items()):
            agent = compose(id_, known)
            length = len(msgspec.json.encode(agent))
            if agents and size + length > MAX_BASELINE_BYTES:
                steps.append(self._baseline_step(feed, agents, changes))
                agents, changes, size = [], {}, 0
            agents.append(agent)
            changes[id_] = msgspec.json.encode(known)
            size += length
        if agents:
            steps.append(self._baseline_step(feed, agents, changes))
        return steps

    def _baseline_step(
        self, feed: Feed, agents: list[dict[str, Any]], changes: dict[str, bytes | None]
    ) -> Step:
        draft = feed.draft("state:baseline", {"source": self.name, "agents": agents})
        return Step([draft], changes, by_id=True)

    def _named(self, batch: Batch) -> set[str] | None:
        """Return the agents that a batch is about; None for all of them."""
        if not _ABOVE.isdisjoint(batch.trees) or not _ABOVE.isdisjoint(batch.paths):
            return None
        names: set[str] = set()
        for path in batch.paths | batch.trees:
            id_ = self._workspaces.named_by(path) or agent_named(path)
            if id_ is not None:
                names.add(readable(id_))
        return names

    async def _look(self, feed: Feed, ids: Iterable[str] | None) -> dict[str, Sight]:
        """Read the files of these agents, or of all."""
        # The event loop changes these collections, so the thread gets a copy.
        known = self._known.keys() | self._runtimes.ids() | set(map(readable, self._workspaces.agents()))
        return await feed.in_thread(self._see, ids, known, feed.thread)

    # In a thread: read the files.

    def _see(self, ids: Iterable[str] | None, known: Set[str], thread: OwnerThread) -> dict[str, Sight]:
        """Read these agents, or all; also all if the agents' folder is another one than before."""
        if ids is not None and all(id_ in self._there for id_ in ids):
            sights = {id_: self._sight(id_, thread) for id_ in ids}
            if not any(sight.state.missing and sight.soul.missing for sight in sights.values()):
                return sights
        folder, self._there = self._find()
        if folder != self._folder:
            self._folder, ids = folder, None
        if ids is None:
            ids = self._there.keys() | known
        return {id_: self._sight(id_, thread) for id_ in ids}

    def _sight(self, id_: str, thread: OwnerThread) -> Sight:
        thread.checkpoint(f"reading the agent {id_}")
        name = self._there.get(id_, id_)
        folder = f"{self._folder or AGENT_FOLDERS[0]}/{name}"
        home = self._workspaces.home_of(name)
        # The watched workspace alone is no evidence that an agent exists.
        exists = bool(home) or self._is_folder(folder)
        return Sight(
            self._read(f"{folder}/{STATE_FILE}"),
            self._read(f"{folder}/{SOUL_FILE}"),
            ReadFile("") if home is None else self._read(join(home, IDENTITY_FILE)),
            ReadFile("") if home is None else self._read(join(home, SOUL_FILE)),
            exists,
        )

    def _is_folder(self, folder: str) -> bool:
        try:
            return folders_to(self._root, folder, {}) and is_folder(self._root, folder)
        except OSError:
            # A path that cannot be checked may be a folder.
            return True

    def _find(self) -> tuple[str | None, dict[str, str]]:
        """Return the folder of the agents, and the names of the folders in it by id."""
        folder, names = find_agents(self._root, self._ignore)
        return folder, {readable(name): name for name in names}

    def _read(self, path: str) -> ReadFile:
        shown = readable(path)
        content = read_file(self._root, path, MAX_FILE_BYTES)
        if content is None:
            return ReadFile(shown)
        if isinstance(content, str):
            return ReadFile(shown, wrong=content, content=fingerprint(content.encode()))
        try:
            parsed = parse_state(content.data) if path.endswith(STATE_FILE) else parse_soul(content.data)
        except UnicodeDecodeError as error:
            wrong = f"it is not UTF-8 (byte {error.start})"
        except ValueError as error:
            wrong = str(error)
        else:
            parsed, large = shorten(parsed)
            wrong_fields = f"too large to be sent: {', '.join(large)}" if large else ""
            return ReadFile(shown, parsed, content.mtime_ns, content=wrong_fields)
        return ReadFile(shown, None, content.mtime_ns, wrong, fingerprint(content.data))

    # On the event loop: compare them with what is known.

    def _compare(
        self, feed: Feed, sights: Mapping[str, Sight], *, found_at_start: bool = False
    ) -> list[Step]:
        steps = []
        for id_ in sorted(sights):
            step = self._judge(feed, id_, sights[id_], found_at_start)
            if step is not None:
                steps.append(step)
        return steps

    def _judge(self, feed: Feed, id_: str, sight: Sight, found_at_start: bool) -> Step | None:
        """Compare an agent with what was known of it; remember what is new, and return what is to be published."""
        old = self._known.get(id_)
        new = Known() if old is None else msgspec.structs.replace(old, reported=dict(old.reported))
        doubt = self._doubts.get(id_)
        # A notification before the next check is due does not count as a check.
        early = doubt is not None and monotonic() < doubt.due
        looks = 0 if doubt is None else doubt.looks - early
        drafts: list[Draft] = []
        known_before = (new.state, new.soul, new.identity, new.home_soul)
        waits = [
            self._weigh(feed, reading, new, before, looks, drafts)
            for reading, before in zip(sight.readings, known_before, strict=True)
        ]
        if old is None and sight.exists and sight.bare and looks < LOOKS_UNTIL_BARE:
            waits.append(SECOND_LOOKS[looks])
        wait = min((wait for wait in waits if wait is not None), default=None)
        if wait is None:
            self._doubts.pop(id_, None)
        else:
            due = monotonic() + wait
            self._doubts[id_] = PendingCheck(looks + 1, min(due, doubt.due) if doubt and early else due)
            if old is None:
                return None
        if not sight.state.missing and sight.state.parsed is not None:
            new.state = sight.state.parsed
            new.confirmed = moment(sight.state.mtime_ns)
        elif sight.state.missing and waits[0] is None:
            new.state, new.confirmed = None, None
        if waits[1] is None and (sight.soul.missing or sight.soul.parsed is not None):
            new.soul = sight.soul.parsed
        if waits[2] is None and (sight.identity.missing or sight.identity.parsed is not None):
            new.identity = sight.identity.parsed
        if waits[3] is None and (sight.home_soul.missing or sight.home_soul.parsed is not None):
            new.home_soul = sight.home_soul.parsed
        new.runtime = self._runtimes.get(id_) or (None if self._runtimes.complete else new.runtime)
        had_folder = new.folder or new.lost
        new.folder = sight.exists or new.state is not None or new.soul is not None
        new.lost = had_folder and not new.folder
        self._runtimes.folder(id_, there=not new.lost)
        own = sight.state.missing and sight.soul.missing
        gone = own and not sight.exists and wait is None and new.runtime is None
        if gone:
            if old is None:
                return None
            del self._known[id_]
            drafts.append(feed.draft("agent:removed", _marked({"agentId": id_}, found_at_start)))
            return Step(drafts, {id_: None}, by_id=True)
        if new == old or (old is not None and not drafts and _only_confirmed(id_, old, new)):
            return None
        self._known[id_] = new
        changed = _change(id_, old, new)
        if changed is not None:
            type_, data = changed
            draft = feed.draft(type_, _marked(data, found_at_start))
            if new.runtime is not None and (old is None or new.runtime != old.runtime):
                draft.by = new.runtime.by
            drafts.insert(0, draft)
        return Step(drafts, {id_: msgspec.json.encode(new)}, by_id=True)

    def _weigh(
        self,
        feed: Feed,
        reading: ReadFile,
        known: Known,
        before: dict[str, Any] | None,
        looks: int,
        drafts: list[Draft],
    ) -> float | None:
        """Return the seconds until this file is checked again; None if the result counts.

        An alert that is due is added to the drafts, and noted in `known` as reported.
        """
        name = reading.path.rpartition("/")[2]
        # Files in the agent's folder are known by their names alone.
        file = name if agent_named(reading.path) is not None else reading.path
        age = (time_ns() - reading.mtime_ns) / 1e9
        again = SECOND_LOOKS[min(looks, len(SECOND_LOOKS) - 1)]
        if reading.missing:
            known.reported.pop(file, None)
            return again if before is not None and looks < LOOKS_UNTIL_GONE else None
        if reading.parsed is not None:
            self._complaints.settled(reading.path)
            if reading.content:
                self._complain(feed, known, file, reading, reading.content, drafts)
            else:
                known.reported.pop(file, None)
            # The beginning of a SOUL.md is valid as well: a young file may not be complete yet.
            young = name != STATE_FILE and age < YOUNG_SECONDS
            return again if young and reading.parsed != before and looks < LOOKS_UNTIL_WRITTEN else None
        if known.reported.get(file) == reading.content:
            return None
        if looks < len(SECOND_LOOKS) and age < HALF_WRITTEN_SECONDS:
            return again
        if (silence := self._complaints.wait(reading.path)) > 0:
            return silence
        self._complaints.made(reading.path)
        self._complain(feed, known, file, reading, reading.wrong or "", drafts)
        return None

    def _complain(
        self, feed: Feed, known: Known, file: str, reading: ReadFile, wrong: str, drafts: list[Draft]
    ) -> None:
        if known.reported.get(file) != reading.content:
            known.reported[file] = reading.content
            message = f"{reading.path} cannot be used as it is: {wrong}."
            drafts.append(feed.alert("warning", message, path=reading.path, error=wrong))


def _change(id_: str, old: Known | None, new: Known) -> tuple[str, dict[str, Any]] | None:
    """Return the event for a change of an agent, and note its previous status in `new`."""
    before = None if old is None else compose(id_, old)
    after = compose(id_, new)
    if before is not None and before["status"] != after["status"]:
        new.previous = after["previousStatus"] = before["status"]
    if before is not None:
        # Fields that only a runtime reports become None once the runtime no longer knows the agent.
        changed = {
            field: after.get(field) for field in (after | before) if after.get(field) != before.get(field)
        }
        changed.pop("previousStatus", None)
        if not changed:
            return None
        if "status" not in changed:
            return "agent:updated", {"agentId": id_, "updates": changed}
    data: dict[str, Any] = {
        "agentId": id_,
        "status": after["status"],
        "previousStatus": None if before is None else before["status"],
        "kind": after["kind"],
        "lastActive": after["lastActive"],
        "stats": after["stats"],
        "statusSource": after["statusSource"],
        "confirmed": after["confirmed"],
    }
    if before is None or changed.keys() - data.keys() - {"agentId"}:
        data["agent"] = after
    return "agent:statusChange", data


def _only_confirmed(id_: str, old: Known, new: Known) -> bool:
    """Return whether only `confirmed` or its source is new, by less than `CONFIRM_SECONDS`."""
    before, after = compose(id_, old), compose(id_, new)
    if old.lost != new.lost:
        return False
    if not before["confirmed"] or not after["confirmed"]:
        return before == after
    passed = datetime.fromisoformat(after["confirmed"]) - datetime.fromisoformat(before["confirmed"])
    # Two sources may report the same status in turns: which one was the last is not published.
    after |= {name: before[name] for name in ("confirmed", "statusSource")}
    return before == after and passed.total_seconds() < CONFIRM_SECONDS


def _marked(data: dict[str, Any], found_at_start: bool) -> dict[str, Any]:
    return {**data, "foundAtStart": True} if found_at_start else data
