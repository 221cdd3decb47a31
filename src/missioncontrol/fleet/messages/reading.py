"""Reads what is said on from where it was read last, whatever a transcript is kept in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import msgspec

from missioncontrol.runtimes.files.database import Database
from missioncontrol.runtimes.files.jsonl import JsonlMessageReader, Position
from missioncontrol.runtimes.messages import Memory, MessageParser
from missioncontrol.runtimes.openclaw.agent_database import NEWEST_EVENTS, events_after, newest_events
from missioncontrol.runtimes.places import Kind, Transcript
from missioncontrol.runtimes.records import Message, Record
from missioncontrol.threads import OwnerThread

PORTION = 2 << 20
"""About how many bytes are read at a time."""

Read = tuple[list[Message], bytes]
"""What was read, and where to read on."""

Redact = Callable[[str], str]

Reader = Callable[[Transcript, bytes | None, int, OwnerThread, Redact], Read]


class SessionsPosition(msgspec.Struct, omit_defaults=True):
    """How far the sessions of a database have been read: the last event of each, and what was known then."""

    signature: str = ""
    sessions: dict[str, tuple[int, Memory]] = {}


_P = TypeVar("_P", Position, SessionsPosition)
_positions: dict[type[Position | SessionsPosition], msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Position, SessionsPosition)
}


def reader_of(kind: Kind) -> Reader | None:
    """Return what reads the messages of a kind of files; None where nothing is said in them.

    Such a reader takes the transcript, where it was read to, the time in milliseconds since 1970 before which
    nobody wants what was said, the thread that it runs on, which says when to stop, and what masks the secrets of a
    text. It raises `FileNotFoundError`, `UnreadableError` and `WorkStopped`.
    """
    return _READERS.get(kind)


def _read_lines(
    transcript: Transcript, kept: bytes | None, since: int, thread: OwnerThread, redact: Redact
) -> Read:
    kind = transcript.kind
    if kept is None and transcript.path.stat().st_mtime * 1000 < since:
        # Nothing in it is newer than the file.
        return [], b""
    if kind not in ("openclaw", "claude", "codex"):
        raise ValueError(f"{kind} has no lines")
    before = _decoded(kept, Position)
    reader = JsonlMessageReader(kind, since, thread.checkpoint, redact)
    records, after = reader.read(transcript.path, before, PORTION)
    return _messages(records), kept if kept is not None and after == before else msgspec.json.encode(after)


def _read_database(
    transcript: Transcript, kept: bytes | None, since: int, thread: OwnerThread, redact: Redact
) -> Read:
    database = Database(transcript.path, lambda: thread.stopping)
    messages: list[Message] = []
    position = _decoded(kept, SessionsPosition)
    try:
        with database.reading():
            if database.has("transcript_events", "session_id", "seq"):
                signature = database.signature()
                if position.signature != signature:
                    position = SessionsPosition(signature)
                messages = _read_events(database, position, since, redact)
    finally:
        database.close()
    return messages, msgspec.json.encode(position, order="sorted")


def _read_events(database: Database, position: SessionsPosition, since: int, redact: Redact) -> list[Message]:
    newest = newest_events(database.rows(NEWEST_EVENTS))
    position.sessions = {session: kept for session, kept in position.sessions.items() if session in newest}
    messages: list[Message] = []
    room = PORTION
    for session, last in newest.items():
        known, memory = position.sessions.get(session, (-1, Memory(session=session)))
        if last < known:
            # Its events have begun anew.
            known, memory = -1, Memory(session=session)
        if last == known or room <= 0:
            continue
        parser = MessageParser("openclaw", memory, since, redact)
        for seq, event, created in events_after(database, session, known):
            memory.at = created or memory.at
            memory.line = seq
            position.sessions[session] = (seq, memory)
            if event is None:
                continue
            room -= len(event)
            with suppress(ValueError):
                messages += _messages(parser.parse(event))
            if room <= 0:
                break
    return messages


_READERS: Mapping[Kind, Reader] = {
    "openclaw": _read_lines,
    "claude": _read_lines,
    "codex": _read_lines,
    "openclaw-agent": _read_database,
}


def _messages(records: list[Record]) -> list[Message]:
    return [record for record in records if isinstance(record, Message)]


def _decoded(kept: bytes | None, kind: type[_P]) -> _P:
    try:
        return kind() if kept is None else _positions[kind].decode(kept)
    except msgspec.DecodeError:
        # Of another release: it is read anew, and what is here already stays as it is.
        return kind()
