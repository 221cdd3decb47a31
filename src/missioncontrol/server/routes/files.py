"""What happened to the files of the workspace, from the log."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response, get

from missioncontrol.errors import NotFound
from missioncontrol.events import Cursor, Data, Patterns
from missioncontrol.events.hosts import find_id
from missioncontrol.hub import history_json
from missioncontrol.server.answers import (
    AnyRequest,
    Before,
    Limit,
    answer,
    documented,
    read_before,
    service_of,
)
from missioncontrol.server.routes.events import NewestEvent
from missioncontrol.server.routes.fleet import Id

FILE_CHANGES = Patterns(["file:change"])
LOOK_BACK_EVENTS = 10_000
"""How many file events are looked through for those of one agent."""

PAGE_EVENTS = 1_000


class FileActivity(msgspec.Struct, omit_defaults=True):
    """File changes, newest first; `next` is the `before` of the page that follows."""

    activity: list[NewestEvent]
    next: str = ""


class AgentFiles(msgspec.Struct, rename="camel"):
    """The files that an agent has changed last, each once, newest first, by their last `file:change`."""

    agent_id: str
    files: list[dict[str, Any]]


class FileWatch(msgspec.Struct, omit_defaults=True):
    """What is watched, and how the watching goes; `ignore` are the patterns added by the settings."""

    workspace: str
    watching: bool
    ignore: list[str]
    source: dict[str, Any] | None = None


@get(
    "/api/files/activity",
    responses=documented(FileActivity, 404, 503),
    tags=["files"],
    summary="The newest file changes",
)
async def file_activity(request: AnyRequest, limit: Limit = 100, before: Before = None) -> Response[bytes]:
    """Return the newest `file:change` events, newest first."""
    service = service_of(request)
    older_than = read_before(before, service.log.epoch)
    records = await service.log.newest(FILE_CHANGES, limit=limit, before=older_than)
    more = b""
    if len(records) == limit and records[-1].id > service.log.first:
        more = b',"next":"%b"' % str(Cursor(service.log.epoch, records[-1].id)).encode()
    return answer(b'{"activity":%b%b}' % (history_json(records), more))


@get(
    "/api/agents/{agent_id:str}/files",
    responses=documented(AgentFiles, 404, 503),
    tags=["files"],
    summary="The files that an agent has changed last",
)
async def agent_files(request: AnyRequest, agent_id: Id, limit: Limit = 100) -> Response[bytes]:
    """Return the newest change of each file that an agent has touched, among the last 10,000 file changes."""
    service = service_of(request)
    full = find_id(agent_id, service.state.table("agents").keys(), service.host_name)
    if full is None:
        raise NotFound(f"There is no agent {agent_id[:100]!r}; /api/agents lists those there are.")
    files: dict[str, Data] = {}
    before: int | None = None
    for _ in range(LOOK_BACK_EVENTS // PAGE_EVENTS):
        records = await service.log.newest(FILE_CHANGES, limit=PAGE_EVENTS, before=before)
        for record in records:
            data = record.data
            path = data.get("path")
            if data.get("agentId") == full and isinstance(path, str) and len(files) < limit:
                files.setdefault(path, data)
        if len(records) < PAGE_EVENTS or len(files) == limit:
            break
        before = records[-1].id
    return answer(msgspec.json.encode(AgentFiles(full, list(files.values()))))


@get("/api/files/watch", responses=documented(FileWatch), tags=["files"], summary="What is watched")
async def file_watch(request: AnyRequest) -> Response[bytes]:
    """Say which folder is watched, and how that goes."""
    service = service_of(request)
    source = msgspec.to_builtins(service.sources()).get("files")
    return answer(
        msgspec.json.encode(
            FileWatch(
                workspace=str(service.workspace),
                watching=source is not None and source.get("status") == "running",
                ignore=service.config.sources.ignore,
                source=source,
            )
        )
    )
