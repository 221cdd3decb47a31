"""What OpenClaw's releases up to 2026.7 keep next to an agent's transcripts: the index of its sessions."""

from __future__ import annotations

from pathlib import Path

import msgspec

from missioncontrol.runtimes.files.regular import read_whole
from missioncontrol.runtimes.lines import MAX_NAME, Time, milliseconds, shorten
from missioncontrol.runtimes.openclaw.transcript import CLI_BACKENDS, RUN_STATUSES, RUNTIME
from missioncontrol.runtimes.records import (
    MAX_LABEL,
    Record,
    SessionInfo,
    Turn,
    UnreadableError,
)

MAX_INDEX = 64 << 20


_ABSENT = msgspec.Raw(b"")


class _Entry(msgspec.Struct, rename="camel"):
    session_id: str | None = None
    updated_at: Time = None
    status: str | None = None
    label: str | None = None
    display_name: str | None = None
    spawned_by: str | None = None
    parent_session_key: str | None = None
    cli_session_ids: msgspec.Raw = _ABSENT


_indexes = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entries = msgspec.json.Decoder(_Entry)
_cli_sessions = msgspec.json.Decoder(dict[str, str | None])


def read_index(path: Path, agent: str | None) -> list[Record]:
    """Read `sessions.json`: the identity and the status of each session.

    Args:
        path: the file.
        agent: the name of the agent's folder.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it cannot be read; while it is being written it may be no JSON.
    """
    try:
        index = _indexes.decode(read_whole(path, MAX_INDEX))
    except (ValueError, RecursionError):
        raise UnreadableError("it is not JSON") from None
    entries: dict[str, _Entry] = {}
    for key, raw in index.items():
        try:
            entries[key] = _entries.decode(raw)
        except (ValueError, RecursionError):
            continue
    records: list[Record] = []
    for key, entry in entries.items():
        if entry.session_id is None:
            continue
        parent = entries.get(entry.parent_session_key or entry.spawned_by or "")
        title = entry.label or entry.display_name
        records.append(
            SessionInfo(
                entry.session_id,
                RUNTIME,
                agent=agent,
                key=key,
                parent=parent.session_id if parent is not None and parent is not entry else None,
                title=title and shorten(title, MAX_LABEL),
            )
        )
        records += _backends(entry.session_id, entry.cli_session_ids)
        if entry.status in RUN_STATUSES and (at := milliseconds(entry.updated_at)):
            records.append(Turn(entry.session_id, at, *RUN_STATUSES[entry.status]))
    return records


def _backends(session: str, found: msgspec.Raw) -> list[Record]:
    """Return the sessions of other programs in which a session's turns run: they belong to it."""
    try:
        ids = _cli_sessions.decode(found) if found else {}
    except (ValueError, RecursionError):
        return []
    return [
        SessionInfo(id_, CLI_BACKENDS[backend], parent=session)
        for backend, id_ in ids.items()
        if backend in CLI_BACKENDS and id_ and len(id_) <= MAX_NAME and id_ != session
    ]
