"""The agents, and what their statuses mean.

An agent's `status` is the word that its owner uses; `kind` is what the picture needs: one of `KINDS`. An agent is
added by its first status or by a baseline; everything else is only laid over one that is known.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from missioncontrol.events import Data, Record
from missioncontrol.state.limits import MAX_AGENTS
from missioncontrol.state.tables import Table, encode_json
from missioncontrol.state.values import (
    id_in,
    list_in,
    number_in,
    object_in,
    place_of,
    text_in,
    time_of,
    word_in,
)

KINDS = ("busy", "idle", "online", "offline", "waiting", "error", "unknown")
"""What a status can mean."""

_WORDS = {
    word: kind
    for kind, words in {
        "busy": "busy working work running executing processing progress building thinking coding engaged "
        "occupied started",
        "idle": "idle standby standing sleeping asleep resting ready available free done complete completed "
        "finished success",
        "online": "online operational active up alive live connected healthy ok okay initialized deployed "
        "enabled",
        "offline": "offline down stopped inactive disconnected disabled dead shutdown terminated retired "
        "killed exited gone",
        "waiting": "waiting wait pending blocked paused suspended hold queued awaiting approval permission "
        "starting initializing booting loading",
        "error": "error errored failed failing failure crashed critical broken timeout degraded unhealthy fault",
        "unknown": "unknown none null undefined nothing missing",
    }.items()
    for word in words.split()
}
_SIGNS = {
    sign: kind
    for kind, signs in {
        "busy": "🔵⚡🔥🔨🏃⚙🚀🛠",
        "idle": "🟡💤😴🌙",
        "online": "🟢✅✔💚",
        "offline": "⚫⚪🔌",
        "waiting": "⏳⌛⏸🟠✋",
        "error": "🔴❌💥🚨🛑",
    }.items()
    for sign in signs
}
_LETTERS = re.compile(r"[a-z]+")
_ALONE = {"on": "online", "off": "offline"}
_NOT = frozenset({"not", "no", "never", "non"})
_REMEMBERED_LENGTH = 100
_ADDED_BYTES = 512
"""How long the fields are, at most, that the fold adds to an agent besides what its event says."""


def kind_of(status: str) -> str:
    """Map a status in free text to one of `KINDS`.

    The first known word counts (`idle (waiting for work)` is idle); after a negation it means its absence
    (`not running` and `no longer active` are offline). Without a known word, any word in -ing means busy; without
    that, a sign such as a coloured dot counts.
    """
    # Only short ones are remembered: a status may be as long as an event.
    return _remembered(status) if len(status) <= _REMEMBERED_LENGTH else _find_kind(status)


def _find_kind(status: str) -> str:
    words: list[str] = _LETTERS.findall(status.lower())
    if len(words) == 1 and words[0] in _ALONE:
        return _ALONE[words[0]]
    for position, word in enumerate(words):
        kind = _WORDS.get(word)
        if kind is not None:
            if not _NOT.isdisjoint(words[max(0, position - 2) : position]):
                return "offline" if kind in ("online", "busy") else "unknown"
            return kind
    if any(len(word) > 5 and word.endswith("ing") for word in words):
        return "busy"
    return next((_SIGNS[sign] for sign in status if sign in _SIGNS), "unknown")


_remembered = lru_cache(maxsize=1024)(_find_kind)


_BLANK: Data = {
    "id": "",
    "name": "",
    "role": None,
    "codename": None,
    "division": None,
    "specialties": [],
    "status": "unknown",
    "kind": "unknown",
    "previousStatus": None,
    "statusSource": None,
    "confirmed": None,
    "lastActive": None,
    "stats": {},
    "activeProjects": [],
    "currentTask": None,
}


def _growth(data: Data, old: Data) -> int:
    """Return by how many bytes of JSON an event makes an agent longer, at most."""
    return len(encode_json(data)) + len(encode_json(old["status"])) + _ADDED_BYTES


class Agents(Table):
    """The agents by id; each has the fields of a blank one, and `name`, `status` and `kind` of their types."""

    def __init__(self) -> None:
        super().__init__(MAX_AGENTS)
        self.folds = {
            "agent:statusChange": self._status_change,
            "agent:updated": self._updated,
            "agent:activity": self._activity,
            "agent:removed": self._removed,
            "state:baseline": self._baseline,
        }

    def _status_change(self, data: Data, record: Record) -> None:
        id_ = id_in(data, "agentId")
        whole = object_in(data, "agent")
        status = text_in(data, "status") or text_in(whole, "status")
        if id_ is None or status is None:
            return
        old = self.records.get(id_) or _BLANK
        place = place_of(id_, record)
        agent = {**old, **place, **whole, "id": id_, "status": status}
        agent["name"] = text_in(agent, "name") or _short(id_, place)
        if data.get("previousStatus") is not None:
            agent["previousStatus"] = text_in(data, "previousStatus")
        elif old["id"] and status != old["status"]:
            agent["previousStatus"] = old["status"]
        kind = data.get("kind")
        agent["kind"] = kind if _is_kind(kind) else kind_of(status)
        agent["statusSource"] = text_in(data, "statusSource") or text_in(whole, "statusSource") or "event"
        agent["confirmed"] = (
            text_in(data, "confirmed") or text_in(whole, "confirmed") or time_of(data, record)
        )
        if active := text_in(data, "lastActive"):
            agent["lastActive"] = active
        if isinstance(stats := data.get("stats"), dict):
            agent["stats"] = stats
        self.put(id_, agent, _growth(data, old))

    def _updated(self, data: Data, record: Record) -> None:
        id_ = id_in(data, "agentId")
        updates = data.get("updates")
        old = self.records.get(id_) if id_ is not None else None
        if old is None or not isinstance(updates, dict):
            return
        agent = {**old, **updates, "id": old["id"]}
        agent["name"] = text_in(agent, "name") or old["name"]
        agent["status"] = text_in(agent, "status") or old["status"]
        if agent["status"] != old["status"]:
            agent["previousStatus"] = old["status"]
        if not _is_kind(agent["kind"]) or (agent["status"] != old["status"] and "kind" not in updates):
            agent["kind"] = kind_of(agent["status"])
        self.put(old["id"], agent, _growth(data, old))

    def _activity(self, data: Data, record: Record) -> None:
        updates: Data = {}
        if last := word_in(data, "lastActivity"):
            updates["lastActivity"] = last
        if (count := number_in(data, "fileCount")) is not None:
            updates["fileCount"] = count
        if activity := text_in(data, "activity"):
            updates["activity"] = activity
        if updates:
            self.merge(id_in(data, "agentId"), updates)

    def _removed(self, data: Data, record: Record) -> None:
        self.remove(id_in(data, "agentId"))

    def _baseline(self, data: Data, record: Record) -> None:
        for found in list_in(data, "agents"):
            if isinstance(found, dict) and (id_ := id_in(found, "id")) is not None:
                self.put(id_, _whole(id_, found, place_of(id_, record)))

    def restored(self, record: Data) -> Data:
        """Return a kept agent with the fields that every agent has."""
        return _whole(record["id"], record, {})


def _whole(id_: str, found: Data, place: Data) -> Data:
    """Return an agent's record, made of what is known of one that may be new."""
    agent = {**_BLANK, **place, **found, "id": id_}
    agent["name"] = text_in(agent, "name") or _short(id_, place)
    agent["status"] = text_in(agent, "status") or "unknown"
    if "kind" not in found or not _is_kind(agent["kind"]):
        agent["kind"] = kind_of(agent["status"])
    return agent


def _is_kind(value: Any) -> bool:
    return isinstance(value, str) and value in KINDS


def _short(id_: str, place: Data) -> str:
    """Return how an agent's own host calls it."""
    return id_.removesuffix(f"@{place['host']}") if place else id_
