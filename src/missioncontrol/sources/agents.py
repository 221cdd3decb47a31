"""The agents: their folders, in each `state.json` and `SOUL.md`, and what the runtimes say of them.

A write is one event: what is read is compared with what was known, and told as the one thing that fits. A file that
is missing, broken or half written at this instant may be whole in the next, so a doubt is looked into again a few
times before it is believed, and what a broken file said before stays known.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from time import monotonic, time_ns
from typing import Any, NamedTuple

import msgspec

from missioncontrol.events import Draft
from missioncontrol.sources.doubts import HALF_WRITTEN_SECONDS, SECOND_LOOKS, Complaints
from missioncontrol.sources.layout import (
    AGENT_FOLDERS,
    SOUL_FILE,
    STATE_FILE,
    agent_named,
    join,
    parent_of,
    readable,
)
from missioncontrol.sources.profile import Known, compose, fingerprint, moment, parse_state, shorten
from missioncontrol.sources.soul import parse_soul
from missioncontrol.sources.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.sources.tree import is_folder, look, read_file

MAX_FILE_BYTES = 1024 * 1024
MAX_BASELINE_BYTES = 200 * 1024
LOOKS_UNTIL_GONE = 2
LOOKS_UNTIL_WRITTEN = 2
YOUNG_SECONDS = 0.1
CONFIRM_SECONDS = 60.0
"""How much newer the word for a status must be to be told although the status is the same."""

_ABOVE = frozenset({"", *AGENT_FOLDERS, *(parent_of(folder) for folder in AGENT_FOLDERS)})


class Reading(NamedTuple):
    """One file, as it was just read. `told` is None where there is none, or where `wrong` says what is wrong."""

    path: str
    told: dict[str, Any] | None = None
    mtime_ns: int = 0
    wrong: str | None = None
    content: str = ""

    @property
    def missing(self) -> bool:
        """Say whether there was no such file."""
        return self.told is None and self.wrong is None


class Sight(NamedTuple):
    """An agent's folder, as it was just seen."""

    state: Reading
    soul: Reading


class Doubt(NamedTuple):
    """An agent that is to be looked at again at `due`, monotonic, for the `looks`-th time."""

    looks: int
    due: float


class Agents:
    """Tells agents' statuses, profiles, coming and going."""

    name = "agents"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._ignore = workspace.ignore
        self._runtimes = workspace.runtimes
        self._runtimes_seen = False
        self._known: dict[str, Known] = {}
        self._folder: str | None = None
        self._there: dict[str, str] = {}
        self._doubts: dict[str, Doubt] = {}
        self._complaints = Complaints()

    async def run(self, feed: Feed) -> None:
        """Watch the agents until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._known = (
            {} if first else {id_: msgspec.json.decode(kept, type=Known) for id_, kept in memory.items()}
        )
        self._doubts = {}
        self._runtimes_seen = False
        self._runtimes.follow(feed.inbox.put)
        await feed.watched()
        await self._first_look(feed, first, memory)
        feed.running()
        while True:
            due = min((doubt.due for doubt in self._doubts.values()), default=None)
            batch = await feed.inbox.take(None if due is None else max(0.0, due - monotonic()))
            now = monotonic()
            again = {id_ for id_, doubt in self._doubts.items() if doubt.due <= now}
            again |= self._told_by_runtimes()
            named = self._named(batch)
            if named is None or named or again:
                sights = await asyncio.to_thread(self._see, None if named is None else named | again)
                await feed.tell(self._compare(feed, sights), noticed=batch.noticed)

    def _told_by_runtimes(self) -> set[str]:
        """Return the agents of whom the runtimes say something new: also that they do not know them any more."""
        changed = self._runtimes.take()
        if self._runtimes.complete and not self._runtimes_seen:
            self._runtimes_seen = True
            changed |= {id_ for id_, known in self._known.items() if known.runtime is not None}
        return changed

    async def _first_look(self, feed: Feed, first: bool, memory: Mapping[str, bytes]) -> None:
        """Look at everything until no doubt is left, then tell it: as the baseline, or as what changed meanwhile."""
        told = self._compare(feed, await asyncio.to_thread(self._see, None), found_at_start=True)
        while any(doubt.looks <= len(SECOND_LOOKS) for doubt in self._doubts.values()):
            await asyncio.sleep(max(0.0, min(doubt.due for doubt in self._doubts.values()) - monotonic()))
            sights = await asyncio.to_thread(self._see, set(self._doubts))
            told += self._compare(feed, sights, found_at_start=True)
        if first:
            alerts = [draft for step in told for draft in step.drafts if draft.type == "system:alert"]
            forgotten: dict[str, bytes | None] = dict.fromkeys(memory.keys() - self._known.keys())
            # The mark comes last: a baseline that was cut short is taken anew.
            told = [*self._baseline(feed), Step(alerts, {**forgotten, MARK: b"1"})]
        await feed.tell(told)

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
        return Step([feed.draft("state:baseline", {"source": self.name, "agents": agents})], changes)

    def _named(self, batch: Batch) -> set[str] | None:
        """Return the agents that a batch speaks of; None for all of them."""
        if not _ABOVE.isdisjoint(batch.trees) or not _ABOVE.isdisjoint(batch.paths):
            return None
        names: set[str] = set()
        for path in batch.paths | batch.trees:
            id_ = agent_named(path)
            if id_ is not None:
                names.add(readable(id_))
        return names

    # In a thread: what is there.

    def _see(self, ids: Iterable[str] | None) -> dict[str, Sight]:
        """Read the agents named, or all; all, too, once they live in another folder than before."""
        if ids is not None and all(id_ in self._there for id_ in ids):
            sights = {id_: self._sight(id_) for id_ in ids}
            if not any(sight.state.missing and sight.soul.missing for sight in sights.values()):
                return sights
        folder, self._there = self._find()
        if folder != self._folder:
            self._folder, ids = folder, None
        if ids is None:
            ids = self._there.keys() | self._known.keys() | self._runtimes.ids()
        return {id_: self._sight(id_) for id_ in ids}

    def _sight(self, id_: str) -> Sight:
        folder = f"{self._folder or AGENT_FOLDERS[0]}/{self._there.get(id_, id_)}"
        return Sight(self._read(f"{folder}/{STATE_FILE}"), self._read(f"{folder}/{SOUL_FILE}"))

    def _find(self) -> tuple[str | None, dict[str, str]]:
        """Find the folder where agents live, and in it their folders' names by id."""
        for folder in AGENT_FOLDERS:
            if self._ignore.folder(folder) or not is_folder(self._root, parent_of(folder) or folder):
                continue
            if not is_folder(self._root, folder):
                continue
            with os.scandir(self._root / folder) as entries:
                names = [
                    entry.name
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                    and not self._ignore.folder(join(folder, entry.name))
                ]
            files = look(
                self._root, [f"{folder}/{name}/{file}" for name in names for file in (STATE_FILE, SOUL_FILE)]
            )
            there = {
                readable(name): name
                for name in names
                # What cannot be looked at may well be one.
                if any(
                    files.get(f"{folder}/{name}/{file}", True) is not None for file in (STATE_FILE, SOUL_FILE)
                )
            }
            if there:
                return folder, there
        return None, {}

    def _read(self, path: str) -> Reading:
        shown = readable(path)
        content = read_file(self._root, path, MAX_FILE_BYTES)
        if content is None:
            return Reading(shown)
        if isinstance(content, str):
            return Reading(shown, wrong=content, content=fingerprint(content.encode()))
        try:
            told = parse_state(content.data) if path.endswith(STATE_FILE) else parse_soul(content.data)
        except UnicodeDecodeError as error:
            wrong = f"it is not UTF-8 (byte {error.start})"
        except ValueError as error:
            wrong = str(error)
        else:
            told, large = shorten(told)
            wrong_fields = f"too large to be sent: {', '.join(large)}" if large else ""
            return Reading(shown, told, content.mtime_ns, content=wrong_fields)
        return Reading(shown, None, content.mtime_ns, wrong, fingerprint(content.data))

    # On the loop: what that means.

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
        """Compare an agent with what was known of it; remember what is new, and return what is to be told."""
        old = self._known.get(id_)
        new = Known() if old is None else msgspec.structs.replace(old, told=dict(old.told))
        doubt = self._doubts.get(id_)
        # A notification that comes before the next look is due does not bring the verdict nearer.
        early = doubt is not None and monotonic() < doubt.due
        looks = 0 if doubt is None else doubt.looks - early
        drafts: list[Draft] = []
        waits = [
            self._weigh(feed, reading, new, before, looks, drafts)
            for reading, before in ((sight.state, new.state), (sight.soul, new.soul))
        ]
        wait = min((wait for wait in waits if wait is not None), default=None)
        if wait is None:
            self._doubts.pop(id_, None)
        else:
            due = monotonic() + wait
            self._doubts[id_] = Doubt(looks + 1, min(due, doubt.due) if doubt and early else due)
            if old is None:
                return None
        if not sight.state.missing and sight.state.told is not None:
            new.state = sight.state.told
            new.confirmed = moment(sight.state.mtime_ns)
        elif sight.state.missing and waits[0] is None:
            new.state, new.confirmed = None, None
        if waits[1] is None and (sight.soul.missing or sight.soul.told is not None):
            new.soul = sight.soul.told
        new.runtime = self._runtimes.get(id_) or (None if self._runtimes.complete else new.runtime)
        gone = sight.state.missing and sight.soul.missing and wait is None and new.runtime is None
        if gone:
            if old is None:
                return None
            del self._known[id_]
            drafts.append(feed.draft("agent:removed", _marked({"agentId": id_}, found_at_start)))
            return Step(drafts, {id_: None})
        if new == old or (old is not None and not drafts and _only_confirmed(id_, old, new)):
            return None
        self._known[id_] = new
        changed = _change(id_, old, new)
        if changed is not None:
            type_, data = changed
            drafts.insert(0, feed.draft(type_, _marked(data, found_at_start)))
        return Step(drafts, {id_: msgspec.json.encode(new)})

    def _weigh(
        self,
        feed: Feed,
        reading: Reading,
        known: Known,
        before: dict[str, Any] | None,
        looks: int,
        drafts: list[Draft],
    ) -> float | None:
        """Return after how many seconds this file should be looked at again; None to believe what was seen.

        A complaint that is due is added to the drafts, and to what is known to have been told.
        """
        file = reading.path.rpartition("/")[2]
        age = (time_ns() - reading.mtime_ns) / 1e9
        again = SECOND_LOOKS[min(looks, len(SECOND_LOOKS) - 1)]
        if reading.missing:
            known.told.pop(file, None)
            return again if before is not None and looks < LOOKS_UNTIL_GONE else None
        if reading.told is not None:
            self._complaints.settled(reading.path)
            if reading.content:
                self._complain(feed, known, file, reading, reading.content, drafts)
            else:
                known.told.pop(file, None)
            # Every beginning of a SOUL.md is one, too: a young one may not be all there yet.
            young = file == SOUL_FILE and age < YOUNG_SECONDS
            return again if young and reading.told != before and looks < LOOKS_UNTIL_WRITTEN else None
        if known.told.get(file) == reading.content:
            return None
        if looks < len(SECOND_LOOKS) and age < HALF_WRITTEN_SECONDS:
            return again
        if (silence := self._complaints.wait(reading.path)) > 0:
            return silence
        self._complaints.made(reading.path)
        self._complain(feed, known, file, reading, reading.wrong or "", drafts)
        return None

    def _complain(
        self, feed: Feed, known: Known, file: str, reading: Reading, wrong: str, drafts: list[Draft]
    ) -> None:
        if known.told.get(file) != reading.content:
            known.told[file] = reading.content
            message = f"{reading.path} cannot be used as it is: {wrong}."
            drafts.append(feed.alert("warning", message, path=reading.path, error=wrong))


def _change(id_: str, old: Known | None, new: Known) -> tuple[str, dict[str, Any]] | None:
    """Return the one event that says how an agent has changed, and note its previous status in `new`."""
    before = None if old is None else compose(id_, old)
    after = compose(id_, new)
    if before is not None and before["status"] != after["status"]:
        new.previous = after["previousStatus"] = before["status"]
    if before is not None:
        # What a runtime told has nobody to tell it any more once the runtime does not know the agent.
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
    """Say whether nothing is new but that it is still so, and that was said less than `CONFIRM_SECONDS` ago."""
    before, after = compose(id_, old), compose(id_, new)
    if not before["confirmed"] or not after["confirmed"]:
        return before == after
    passed = datetime.fromisoformat(after["confirmed"]) - datetime.fromisoformat(before["confirmed"])
    # Where two say the same in turns, who has said it last is no news either.
    after |= {name: before[name] for name in ("confirmed", "statusSource")}
    return before == after and passed.total_seconds() < CONFIRM_SECONDS


def _marked(data: dict[str, Any], found_at_start: bool) -> dict[str, Any]:
    return {**data, "foundAtStart": True} if found_at_start else data
