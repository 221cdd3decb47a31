"""The activity log that the earlier system's pages read: the newest events as sentences."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from litestar import Response, get

from missioncontrol.events import Cursor, Record, decode_event, now, rfc3339
from missioncontrol.events.reduced import reduced_record
from missioncontrol.events.sentences import describe
from missioncontrol.server.responses import (
    AnyRequest,
    Before,
    Events,
    Limit,
    answer,
    documented,
    identify,
    read_before,
    read_patterns,
    service_of,
)
from missioncontrol.store.log import may_have_older


class ActivityEntry(msgspec.Struct, rename="camel"):
    """An event as a sentence; `agent` and `sessionId` are null where it is about none. `id` is the event's."""

    id: int
    timestamp: str
    agent: str | None
    type: str
    message: str
    session_id: str | None


class ActivityMeta(msgspec.Struct):
    """How many events the log holds, and how many of them the answer has; `limit` is what was asked for.

    `next` is the `before` of the page of older ones; null on the last one.
    """

    total: int
    returned: int
    limit: int
    timestamp: str
    next: str | None


class ActivityLog(msgspec.Struct):
    """The newest events, newest first."""

    success: bool
    logs: list[ActivityEntry]
    meta: ActivityMeta


@get(
    "/api/logs/activity",
    responses=documented(ActivityLog, 404, 503),
    tags=["events"],
    summary="The newest events as sentences",
)
async def activity_log(
    request: AnyRequest, limit: Limit = 100, events: Events = None, before: Before = None
) -> Response[bytes]:
    """Return the newest events as sentences, newest first; those of some types, those before a place."""
    log = service_of(request).log
    patterns = read_patterns(events)
    # One more says whether there are older ones.
    found = await log.newest(patterns, limit=limit + 1, before=read_before(before, log.epoch))
    has_older = may_have_older(found, limit + 1)
    if not identify(request).may("read"):
        found = [reduced_record(record) for record in found]
    # In a thread: secrets are searched for in each, which for a hostile text takes some hundredths of a second.
    entries = await asyncio.to_thread(lambda: [_entry(record) for record in found[:limit]])
    following = str(Cursor(log.epoch, entries[-1].id)) if has_older else None
    meta = ActivityMeta(log.head - log.first + 1, len(entries), limit, rfc3339(now()).decode(), following)
    return answer(msgspec.json.encode(ActivityLog(True, entries, meta)))


def _entry(record: Record) -> ActivityEntry:
    data: dict[str, Any] = record.data
    agent = next((data[name] for name in ("agentId", "agent") if isinstance(data.get(name), str)), None)
    session = data.get("session")
    id_ = session.get("id") if isinstance(session, dict) else data.get("sessionId")
    return ActivityEntry(
        record.id,
        rfc3339(record.time).decode(),
        agent,
        record.type,
        describe(decode_event(record.body)),
        id_ if isinstance(id_, str) else None,
    )
