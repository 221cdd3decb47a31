"""Resources: the state, whole or by part, single agents and tasks, and the newest events; each is JSON.

The same cases say what a resource is and which events change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, get_args
from urllib.parse import quote, unquote

import msgspec

from missioncontrol.errors import NotFound
from missioncontrol.events import EVERYTHING, Record
from missioncontrol.events.event import subject_of
from missioncontrol.events.hosts import find_id
from missioncontrol.hub import history_json
from missioncontrol.server.service import Service
from missioncontrol.state.fold import Part

SCHEME = "mission-control://"
STATE = f"{SCHEME}state"
EVENTS = f"{SCHEME}events"
NEWEST_EVENTS = 100
MAX_URI = 500

PARTS: tuple[Part, ...] = get_args(Part)
_BASELINE = "state:baseline"


class Resource(NamedTuple):
    """Something that can be read; `uri` of a template has a `{name}` in it."""

    uri: str
    name: str
    title: str
    description: str


RESOURCES = (
    Resource(STATE, "state", "State", "The whole state of the fleet, and the cursor that it stands at."),
    *(
        Resource(f"{STATE}/{part}", part, part.capitalize(), f"The {part} alone, as in the state.")
        for part in PARTS
    ),
    Resource(EVENTS, "events", "Events", f"The newest {NEWEST_EVENTS} events, newest first."),
)
TEMPLATES = (
    Resource(f"{STATE}/{{part}}", "part", "Part of the state", f"One of {', '.join(PARTS)}."),
    Resource(f"{SCHEME}agents/{{id}}", "agent", "Agent", "An agent: status, task, figures."),
    Resource(f"{SCHEME}tasks/{{id}}", "task", "Task", "A task with all its fields."),
)


async def read(service: Service, uri: str) -> bytes:
    """Return the JSON of a resource.

    Raises:
        NotFound: there is none at this address.
        StoreError: the log cannot be read.
    """
    noun, name = _split(uri)
    if noun == "tasks" or (noun == "state" and name in (None, "tasks")):
        await service.tasks.fresh()
    state = service.state
    cursor = f"{service.log.epoch}:{state.id}".encode()
    if noun == "state" and name is None:
        return b'{"state":%b,"cursor":"%b"}' % (state.encoded(), cursor)
    if noun == "state" and name in PARTS:
        return b'{"%b":%b,"cursor":"%b"}' % (name.encode(), state.part(name), cursor)
    if noun == "events" and name is None:
        return history_json(await service.log.newest(EVERYTHING, limit=NEWEST_EVENTS))
    if noun == "tasks" and name is not None:
        return msgspec.json.encode(service.tasks.find(name))
    if noun == "agents" and name is not None:
        agents = state.table("agents")
        agent = agents.get(find_id(name, agents.keys(), service.host_name) or name)
        if agent is not None:
            return msgspec.json.encode(agent)
    raise NotFound(f"There is no resource {uri[:MAX_URI]!r}; resources/list has {STATE} and others.")


def changed_by(service: Service, uri: str) -> Callable[[Record], bool]:
    """Return what says whether an event changes a resource.

    Raises:
        NotFound: there can be none at this address.
    """
    noun, name = _split(uri)
    if noun in ("state", "events") and name is None:
        return lambda record: True
    if noun == "state" and name in PARTS:
        category = f"{name.removesuffix('s')}:" if name != "system" else "system:"
        return lambda record: record.type.startswith(category) or record.type == _BASELINE
    if noun in ("agents", "tasks") and name is not None:
        host = service.host_name
        wanted = {name, name if host is None else f"{name}@{host}"}
        if noun == "tasks":
            return lambda record: (
                record.type == _BASELINE
                or (record.type.startswith("task:") and subject_of(record.type, record.data) in wanted)
            )
        return lambda record: (
            record.type == _BASELINE
            or (record.type.startswith("agent:") and record.data.get("agentId") in wanted)
        )
    raise NotFound(
        f"There is no resource {uri[:MAX_URI]!r} to subscribe to; resources/list has those there are."
    )


def complete(service: Service, template: str, begun: str) -> list[str]:
    """Return what may stand in a template's address, as far as it begins with what is there already."""
    if template == TEMPLATES[0].uri:
        names: list[str] = list(PARTS)
    elif template == TEMPLATES[1].uri:
        names = sorted(service.state.table("agents"))
    elif template == TEMPLATES[2].uri:
        names = service.tasks.ids()
    else:
        names = []
    return [quote(name, safe="@") for name in names if name.startswith(begun)]


def _split(uri: str) -> tuple[str, str | None]:
    if not uri.startswith(SCHEME) or len(uri) > MAX_URI:
        return "", None
    noun, slash, name = uri.removeprefix(SCHEME).partition("/")
    return noun, unquote(name) if slash else None
