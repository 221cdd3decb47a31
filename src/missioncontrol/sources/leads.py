"""The leads: each that is found, changed, scored or gone is told as the one that it is.

What the files say is compared with the folded state; remembered are the ids that the files have had, since a lead that
somebody else has told is not gone because no file has it. A file that is missing or broken may be whole in the next
moment; what a broken one said before stays known.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import NamedTuple

import msgspec

from missioncontrol.events import Data, Draft
from missioncontrol.sources.doubts import Doubt
from missioncontrol.sources.layout import LEAD_FILES, parent_of
from missioncontrol.sources.lead_file import LeadList, changed, laid_over, read_leads
from missioncontrol.sources.source import MARK, Batch, Feed, Step, Workspace
from missioncontrol.sources.tree import Content, read_file

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_BASELINE_BYTES = 180 * 1024
SETTLE = 0.02

_FOLDERS = tuple(dict.fromkeys(parent_of(path) for path in LEAD_FILES))
_ABOVE = frozenset({"", *_FOLDERS, *map(parent_of, _FOLDERS), *(parent_of(parent_of(f)) for f in _FOLDERS)})


class Sight(NamedTuple):
    """One of the two files, as it was just read: its leads, or None where it is missing, or what is wrong with it."""

    path: str
    leads: LeadList | None = None
    content: Content | str | None = None
    wrong: str = ""


class Leads:
    """Tells leads that are added, updated, scored and removed."""

    name = "leads"

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._state = workspace.state.table("leads")

    async def run(self, feed: Feed) -> None:
        """Watch the files until cancelled."""
        memory = await feed.recall()
        first = memory.pop(MARK, None) is None
        self._doubts = {path: Doubt(path, memory.get(path, b"").decode()) for path in LEAD_FILES}
        self._known: dict[str, LeadList] = {}
        self._odd = memory.get("odd", b"").decode()
        self._ids: set[str] = set(msgspec.json.decode(memory.get("ids", b"[]"), type=list[str]))
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
            if _concerns(batch):
                noticed = batch.noticed if noticed is None else noticed
                soon = monotonic() + SETTLE
                due = soon if due is None else min(due, soon)

    async def _look(self, feed: Feed, *, first: bool, at_start: bool, noticed: float | None) -> float | None:
        """Look at the files, and tell what has changed; returns after how many seconds to look again."""
        sights = await asyncio.to_thread(self._see)
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
        leads = laid_over(lists[0].leads, lists[1].leads) if lists else {}
        self._complain_of_odd(feed, [odd for one in lists for odd in one.odd], drafts, changes)
        if leads.keys() != self._ids:
            changes["ids"] = msgspec.json.encode(list(leads))
        if first:
            self._ids = set(leads)
            changes[MARK] = b"1"
            await feed.tell([*_baseline(feed, leads), Step(drafts, changes)])
            return wait
        told = self._compare(leads)
        self._ids = set(leads)
        for type_, data in told:
            drafts.append(feed.draft(type_, {**data, "foundAtStart": True} if at_start else data))
        steps = [Step([draft], {}) for draft in drafts]
        if changes:
            steps.append(Step([], changes))
        await feed.tell(steps, noticed=noticed)
        return wait

    def _see(self) -> list[Sight]:
        """Read the files of the first folder that has any; in a thread."""
        sights: list[Sight] = []
        for folder in _FOLDERS:
            sights = [self._read(path) for path in LEAD_FILES if parent_of(path) == folder]
            if any(sight.content is not None or self._known.get(sight.path) for sight in sights):
                return sights
        return sights

    def _read(self, path: str) -> Sight:
        content = read_file(self._root, path, MAX_FILE_BYTES)
        if content is None or isinstance(content, str):
            return Sight(path, None, content, content or "")
        try:
            return Sight(path, read_leads(content.data), content)
        except ValueError as error:
            return Sight(path, None, content, str(error))

    def _judge(
        self, feed: Feed, sight: Sight, drafts: list[Draft], changes: dict[str, bytes | None]
    ) -> float | None:
        doubt = self._doubts[sight.path]
        if sight.leads is not None:
            if doubt.told:
                changes[sight.path] = None
            doubt.whole()
            self._known[sight.path] = sight.leads
            return None
        if sight.content is None:
            verdict = doubt.missing() if self._known.get(sight.path) else None
            if verdict is None or verdict.wait is None:
                self._known.pop(sight.path, None)
                doubt.whole()
                return None
            return verdict.wait
        verdict = doubt.broken(sight.content)
        if verdict.complain:
            message = f"{sight.path} cannot be used as it is: {sight.wrong}. The leads are kept as they were."
            drafts.append(feed.alert("warning", message, path=sight.path, error=sight.wrong))
            changes[sight.path] = doubt.told.encode()
        if verdict.wait is None and sight.path not in self._known:
            # After a restart nothing else tells what the broken file said before: the state does.
            known = {id_: self._state[id_] for id_ in self._ids if id_ in self._state}
            self._known[sight.path] = LeadList(known, [])
        return verdict.wait

    def _complain_of_odd(
        self, feed: Feed, odd: list[str], drafts: list[Draft], changes: dict[str, bytes | None]
    ) -> None:
        said = "; ".join(odd)[:1000]
        if said != self._odd:
            self._odd = said
            changes["odd"] = said.encode()
            if said:
                drafts.append(feed.alert("warning", f"Some leads are left out: {said}.", leads=odd[:50]))

    def _compare(self, leads: dict[str, Data]) -> list[tuple[str, Data]]:
        told: list[tuple[str, Data]] = []
        for id_, lead in leads.items():
            old = self._state.get(id_)
            if old is None:
                told.append(("lead:added", {"lead": lead}))
            elif old is not lead and (change := changed(old, lead)) is not None:
                told.append(change)
        gone = sorted(id_ for id_ in self._ids - leads.keys() if id_ in self._state)
        return told + [("lead:removed", {"leadId": id_}) for id_ in gone]


def _concerns(batch: Batch) -> bool:
    return not batch.trees.isdisjoint(_ABOVE) or not batch.paths.isdisjoint(_ABOVE.union(LEAD_FILES))


def _baseline(feed: Feed, leads: dict[str, Data]) -> list[Step]:
    parts: list[list[Data]] = []
    size = MAX_BASELINE_BYTES
    for lead in leads.values():
        length = len(msgspec.json.encode(lead))
        if size + length > MAX_BASELINE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(lead)
        size += length
    return [Step([feed.draft("state:baseline", {"source": "leads", "leads": part})], {}) for part in parts]
