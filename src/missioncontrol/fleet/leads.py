"""The leads: one event for each lead that is added, changed, scored or removed.

The content of the files is compared with the folded state. The ids that the files have had are remembered: a lead of
another publisher is not gone because no file has it. A file that is missing or broken may be whole a moment later; the
earlier content of a broken one stays known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import NamedTuple
from zlib import crc32

import msgspec

from missioncontrol.events import Data, Draft
from missioncontrol.fleet.layout import LEAD_FILES, LEAD_PLACES
from missioncontrol.fleet.lead_file import LeadList, changed, file_id, joined, laid_over, own_id, read_leads
from missioncontrol.fleet.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.watch.debounce import Debounce
from missioncontrol.watch.paths import parent_of
from missioncontrol.watch.tree import Content, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_BASELINE_BYTES = 180 * 1024
SETTLE = 0.02
PORTION = 500
"""How many leads are compared and published at a time."""

GROUPS = 64
_IDS = "ids:"

_FOLDERS = tuple(dict.fromkeys(parent_of(path) for path in LEAD_FILES))
_ABOVE = frozenset({"", *_FOLDERS, *map(parent_of, _FOLDERS), *(parent_of(parent_of(f)) for f in _FOLDERS)})


class Sight(NamedTuple):
    """One of the two files, as it was just read. `leads` is None if it is missing, or broken: `wrong` is the reason."""

    path: str
    leads: LeadList | None = None
    content: Content | str | None = None
    wrong: str = ""


_ids = msgspec.json.Decoder(list[str])


class Leads:
    """Publishes leads that are added, updated, scored and removed."""

    name = "leads"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._state = workspace.state.table("leads")
        self._old_ids = False
        self._recall_ids({})

    async def run(self, feed: Feed) -> None:
        """Watch the files until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._doubts = {path: Debounce(path, memory.get(path, b"").decode()) for path in LEAD_FILES}
        self._known: dict[str, LeadList] = {}
        self._odd = memory.get("odd", b"").decode()
        self._recall_ids(memory)
        # The leads that may differ between the files and the state; None: all may.
        self._pending: set[str] | None = None
        feed.await_room()
        await feed.watched()
        start = True
        due: float | None = monotonic()
        noticed: float | None = None
        while True:
            if due is not None and due <= monotonic():
                wait = await self._look(feed, first=first, at_start=start, noticed=noticed)
                due, noticed = (None if wait is None else monotonic() + wait), None
                if wait is None or wait > 1.0:
                    if start:
                        feed.running()
                    first = start = False
            batch = await feed.inbox.take(None if due is None else max(0.0, due - monotonic()))
            if _concerns(batch) or feed.has_room:
                noticed = batch.noticed if noticed is None else noticed
                soon = monotonic() + SETTLE
                due = soon if due is None else min(due, soon)

    async def _look(self, feed: Feed, *, first: bool, at_start: bool, noticed: float | None) -> float | None:
        """Read the files, and publish what has changed; return the seconds until they are to be read again."""
        self._changed({file_id(id_) for id_ in feed.take_left_out()})
        sights = await feed.in_thread(self._see)
        drafts: list[Draft] = []
        wait: float | None = None
        changes: dict[str, bytes | None] = {}
        for sight in sights:
            again = self._judge(feed, sight, drafts, changes)
            if again is not None:
                wait = again if wait is None else min(wait, again)
        if wait is not None and wait <= 1.0:
            return wait
        lists = [self._known.get(sight.path, LeadList({}, [])) for sight in sights]
        self._complain_of_odd(feed, [odd for one in lists for odd in one.odd], drafts, changes)
        pending, self._pending = self._pending, set()
        try:
            if first:
                leads = await asyncio.to_thread(laid_over, lists[0].leads, lists[1].leads)
                there = lists[0].leads.keys() | lists[1].leads.keys()
                changes[MARK] = b"1"
                for part in await asyncio.to_thread(_parts, leads):
                    draft = feed.draft("state:baseline", {"source": "leads", "leads": part})
                    there -= await feed.publish([Step([draft], {})])
                    # A log in memory appends without waiting.
                    await asyncio.sleep(0)
                self._note_ids(there, there, changes)
                await feed.publish([Step(drafts, changes)])
                return wait
            if pending is None:
                pending = {*self._ids, *(id_ for one in lists for id_ in one.leads)}
            left_out: set[str] = set()
            order = list(pending) if len(pending) < PORTION else _in_order(pending, lists)
            steps = [Step([draft], {}) for draft in drafts]
            for start in range(0, len(order), PORTION):
                for type_, data in self._compare(order[start : start + PORTION], lists):
                    marked = {**data, "foundAtStart": True} if at_start else data
                    steps.append(Step([feed.draft(type_, marked)], {}))
                if len(steps) >= PORTION:
                    left_out |= await feed.publish(steps, noticed=noticed)
                    steps = []
                await asyncio.sleep(0)
            left_out |= await feed.publish(steps, noticed=noticed)
            # A lead that a quota leaves out is not known: another publisher may add a lead under its id.
            there = {id_ for id_ in pending - left_out if any(id_ in one.leads for one in lists)}
            self._note_ids(pending, there, changes)
            if changes:
                await feed.publish([Step([], changes)])
        except BaseException:
            self._pending = None
            raise
        return wait

    def _note_ids(
        self, ids: Collection[str], there: Collection[str], changes: dict[str, bytes | None]
    ) -> None:
        """Remember which of these ids the files have, in groups, so that one more id does not rewrite all."""
        groups: set[int] = set()
        for id_ in ids:
            if (id_ in there) != (id_ in self._ids):
                group = _group_of(id_)
                groups.add(group)
                if id_ in there:
                    self._ids[id_] = None
                    self._groups[group].add(id_)
                else:
                    del self._ids[id_]
                    self._groups[group].discard(id_)
        for group in groups:
            changes[f"{_IDS}{group}"] = msgspec.json.encode(sorted(self._groups[group])) or None
        if groups and self._old_ids:
            # An earlier release kept all ids under one key.
            changes["ids"], self._old_ids = None, False
            for group in range(GROUPS):
                changes[f"{_IDS}{group}"] = msgspec.json.encode(sorted(self._groups[group]))

    def _recall_ids(self, memory: Mapping[str, bytes]) -> None:
        self._old_ids = "ids" in memory
        kept = [memory[name] for name in memory if name == "ids" or name.startswith(_IDS)]
        self._ids: dict[str, None] = {}
        self._groups: list[set[str]] = [set() for _ in range(GROUPS)]
        for ids in kept:
            for id_ in _ids.decode(ids):
                self._ids[id_] = None
                self._groups[_group_of(id_)].add(id_)

    def _see(self) -> list[Sight]:
        """Read each of the two files at the first place where it exists; in a thread."""
        return [self._first(paths) for paths in LEAD_PLACES]

    def _first(self, paths: Sequence[str]) -> Sight:
        sight = Sight(paths[0])
        for path in paths:
            sight = self._read(path)
            if sight.content is not None or self._known.get(path):
                break
        return sight

    def _read(self, path: str) -> Sight:
        content = read_file(self._root, path, MAX_FILE_BYTES)
        if content is None or isinstance(content, str):
            return Sight(path, None, content, content or "")
        try:
            return Sight(path, read_leads(content.data, self._known.get(path)), content)
        except ValueError as error:
            return Sight(path, None, content, str(error))

    def _judge(
        self, feed: Feed, sight: Sight, drafts: list[Draft], changes: dict[str, bytes | None]
    ) -> float | None:
        doubt = self._doubts[sight.path]
        if sight.leads is not None:
            if doubt.reported:
                changes[sight.path] = None
            doubt.whole()
            self._known[sight.path] = sight.leads
            self._changed(sight.leads.changed)
            return None
        if sight.content is None:
            verdict = doubt.missing() if self._known.get(sight.path) else None
            if verdict is None or verdict.wait is None:
                doubt.whole()
                if self._known.pop(sight.path, None) is None:
                    return None
                self._changed(None)
                # The file may exist at its other place, which was not read while this one existed.
                return 0.0
            return verdict.wait
        verdict = doubt.broken(sight.content)
        if verdict.complain:
            message = f"{sight.path} cannot be used as it is: {sight.wrong}. The leads are kept as they were."
            drafts.append(feed.alert("warning", message, path=sight.path, error=sight.wrong))
            changes[sight.path] = doubt.reported.encode()
        if verdict.wait is None and sight.path not in self._known:
            # After a restart only the state has the earlier content of the broken file.
            self._known[sight.path] = LeadList(self._known_before(sight.path), [])
            self._changed(None)
        return verdict.wait

    def _known_before(self, path: str) -> dict[str, Data]:
        """Return the earlier leads of a file, as far as the state has them."""
        known: dict[str, Data] = {}
        for id_ in self._ids:
            own = self._state.get(own_id(id_)) if _is_scored(path) else None
            if own is not None:
                known[id_] = {**own, "id": id_}
            elif id_ in self._state:
                known[id_] = self._state[id_]
        return known

    def _changed(self, ids: set[str] | None) -> None:
        if ids is None or self._pending is None:
            self._pending = None
        else:
            self._pending |= ids

    def _complain_of_odd(
        self, feed: Feed, odd: list[str], drafts: list[Draft], changes: dict[str, bytes | None]
    ) -> None:
        said = "; ".join(odd)[:1000]
        if said != self._odd:
            self._odd = said
            changes["odd"] = said.encode()
            if said:
                drafts.append(feed.alert("warning", f"Some leads are left out: {said}.", leads=odd[:50]))

    def _compare(self, ids: Iterable[str], lists: Sequence[LeadList]) -> Iterator[tuple[str, Data]]:
        """Return the types and data of the events about some leads."""
        plain, scored = lists[0].leads, lists[1].leads
        gone: list[str] = []
        for id_ in ids:
            leads = joined(id_, plain.get(id_), scored.get(id_))
            for name in (id_, own_id(id_)):
                lead, old = leads.get(name), self._state.get(name)
                if lead is None:
                    if id_ in self._ids and old is not None:
                        gone.append(name)
                elif old is None:
                    yield "lead:added", {"lead": lead}
                elif old is not lead and (change := changed(old, lead)) is not None:
                    yield change
        for id_ in sorted(gone):
            yield "lead:removed", {"leadId": id_}


def _concerns(batch: Batch) -> bool:
    return not batch.trees.isdisjoint(_ABOVE) or not batch.paths.isdisjoint(_ABOVE.union(LEAD_FILES))


def _is_scored(path: str) -> bool:
    return path.rpartition("/")[2].startswith("scored")


def _group_of(id_: str) -> int:
    return crc32(id_.encode()) % GROUPS


def _in_order(ids: set[str], lists: Sequence[LeadList]) -> list[str]:
    """Return ids in the order of the files, then those that no file has."""
    found = dict.fromkeys(id_ for one in lists for id_ in one.leads if id_ in ids)
    return [*found, *sorted(ids - found.keys())]


def _parts(leads: dict[str, Data]) -> list[list[Data]]:
    """Split leads into lists, each for one event."""
    parts: list[list[Data]] = []
    size = MAX_BASELINE_BYTES
    for lead in leads.values():
        length = len(msgspec.json.encode(lead))
        if size + length > MAX_BASELINE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(lead)
        size += length
    return parts
