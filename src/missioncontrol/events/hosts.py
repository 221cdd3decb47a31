"""Ids in a fleet of several hosts: `scout@alpha` is the agent `scout` of the host `alpha`.

What a host tells of its own agents, tasks and leads is told to the fleet under their full ids, `ID@HOST`; at home the
ids are as the files have them. Both ways are pure functions of an event's type and data, so whoever tells (a source, a
hook, the API) need not know in what kind of fleet it runs.

Only types of the catalogue are rewritten; anything else is carried as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from missioncontrol.config import HOST_NAME
from missioncontrol.errors import Conflict
from missioncontrol.events.event import Data

MAX_HOST_LENGTH = 63
UNASSIGNED = "unassigned"
"""The name for no agent, compared without case; it belongs to no host."""

_MOVED = frozenset({"movedTo", "movedFrom"})
_REFERENCES = ("agentId", "agent", "taskId", "task", "leadId")


def is_host(name: str) -> bool:
    """Say whether a name can be a host's: as in DNS, 1 to 63 small letters, digits, dots, hyphens, underscores."""
    return HOST_NAME.fullmatch(name) is not None


def host_named(text: str) -> str:
    """Make a host's name of any text, such as a machine's name."""
    name = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:MAX_HOST_LENGTH].strip("._-")
    return name or "host"


def host_of(id_: str) -> str | None:
    """Return the host of a full id; None where the id is not one."""
    _, at, host = id_.rpartition("@")
    return host if at and is_host(host) else None


def full_id(id_: str, host: str, hosts: Collection[str]) -> str:
    """Return the full id of what `host` calls `id_`; one that names a known host is full already."""
    return id_ if host_of(id_) in hosts and host_of(id_) is not None else f"{id_}@{host}"


def id_at_home(id_: str, host: str) -> str | None:
    """Return how `host` itself calls what has this full id; None where it is another host's."""
    return id_.removesuffix(f"@{host}") if id_.endswith(f"@{host}") else None


def find_id(id_: str, known: Collection[str], host: str | None) -> str | None:
    """Find whom somebody means who may leave the host out: this host's own first, else the only one of that name.

    Args:
        id_: a full id, or a short one.
        known: the full ids that there are.
        host: the host at which it is said; None in a fleet of one host.

    Raises:
        Conflict: several other hosts have one of that name.
    """
    if id_ in known:
        return id_
    if host is None:
        return None
    own = f"{id_}@{host}"
    if own in known:
        return own
    same = sorted(one for one in known if one.startswith(f"{id_}@") and one == f"{id_}@{host_of(one)}")
    if len(same) > 1:
        raise Conflict(f"Several hosts have a {id_[:100]!r}; name one of {', '.join(same[:10])}.")
    return same[0] if same else None


def told_to_fleet(type_: str, data: Data, host: str, hosts: Collection[str]) -> Data:
    """Return the data of an event that `host` tells, with full ids.

    Args:
        type_: the event's type.
        data: as it is told at home; it is not changed.
        host: who tells it.
        hosts: the hosts of the fleet; an id that ends with one of them is full already.
    """
    known = {*hosts, host}
    return _rewrite(type_, data, lambda id_: full_id(id_, host, known))


def told_at_home(type_: str, data: Data, teller: str | None, host: str) -> Data | None:
    """Return the data of an event of the fleet as `host` itself would tell it; None where it is not about that host.

    Args:
        type_: the event's type.
        data: as the fleet has it; it is not changed.
        teller: the host that told it, which may be another one: whoever takes a task may sit anywhere.
        host: the host whose matter it may be.
    """
    if not _concerns(type_, data, teller, host):
        return None
    return _rewrite(type_, data, lambda id_: id_at_home(id_, host) or id_)


def _rewrite(type_: str, data: Data, rename: Callable[[str], str]) -> Data:
    kind = type_.partition(":")[0]
    new = dict(data)
    if type_ == "state:baseline":
        for name, make in (("agents", _thing), ("tasks", _task), ("leads", _thing)):
            if isinstance(items := data.get(name), list):
                new[name] = [make(item, rename) for item in items]
        if isinstance(tokens := data.get("tokens"), dict):
            new["tokens"] = _tokens(tokens, rename)
    elif kind in ("agent", "file"):
        _set(new, "agentId", rename)
        if "agent" in new:
            new["agent"] = _thing(new["agent"], rename)
    elif kind == "task":
        _set(new, "taskId", rename)
        _set(new, "agentId", rename)
        for name in ("task", "updates"):
            if name in new:
                new[name] = _task(new[name], rename)
    elif kind == "lead":
        _set(new, "leadId", rename)
        if "lead" in new:
            new["lead"] = _thing(new["lead"], rename)
    elif kind == "token":
        _set(new, "agent", rename)
        if isinstance(delta := data.get("delta"), dict) and not _MOVED.isdisjoint(delta):
            new["delta"] = delta = dict(delta)
            for name in _MOVED:
                _set(delta, name, rename)
    elif kind == "question":
        # Ids of questions are unlike each other everywhere; they have no host in them.
        if isinstance(question := data.get("question"), dict):
            new["question"] = question = dict(question)
            for name in ("agentId", "taskId"):
                _set(question, name, rename)
    elif type_ == "system:alert" and isinstance(details := data.get("details"), dict):
        details = dict(details)
        for name in _REFERENCES:
            _set(details, name, rename)
        new["details"] = details
    return new


def _set(data: Data, name: str, rename: Callable[[str], str]) -> None:
    value = data.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and value and value.casefold() != UNASSIGNED:
        data[name] = rename(value)


def _thing(value: Any, rename: Callable[[str], str]) -> Any:
    if not isinstance(value, dict):
        return value
    new = dict(value)
    _set(new, "id", rename)
    _set(new, "leadId", rename)
    return new


def _task(value: Any, rename: Callable[[str], str]) -> Any:
    new = _thing(value, rename)
    if isinstance(new, dict):
        _set(new, "assignedTo", rename)
        _set(new, "parentId", rename)
    return new


def _tokens(tokens: Data, rename: Callable[[str], str]) -> Data:
    new = dict(tokens)
    if isinstance(agents := tokens.get("agents"), dict):
        new["agents"] = {rename(id_): use for id_, use in agents.items()}
    if isinstance(sessions := tokens.get("sessions"), list):
        new["sessions"] = [_session(session, rename) for session in sessions]
    return new


def _session(session: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(session, dict):
        session = dict(session)
        _set(session, "agent", rename)
    return session


def _concerns(type_: str, data: Data, teller: str | None, host: str) -> bool:
    def owns(thing: Any, *names: str) -> bool:
        if not isinstance(thing, dict):
            return False
        return any(isinstance(id_ := thing.get(name), str) and id_.endswith(f"@{host}") for name in names)

    kind = type_.partition(":")[0]
    if kind in ("agent", "file"):
        return owns(data, "agentId")
    if kind == "task":
        return owns(data, "taskId") or owns(data.get("task"), "id")
    if kind == "lead":
        return owns(data, "leadId") or owns(data.get("lead"), "id", "leadId")
    if kind == "token":
        return owns(data, "agent")
    if kind in ("question", "standup"):
        # Anybody may answer from anywhere, and a standup is about all hosts: the fleet alone keeps both.
        return False
    return teller == host
