"""Reads what is said in OpenClaw's databases of sessions, on from where it was read last."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from missioncontrol.runtimes.base import Redact, Transcript
from missioncontrol.runtimes.files.database import Database
from missioncontrol.runtimes.messages import Memory, MessageParser
from missioncontrol.runtimes.openclaw.agent_database import NEWEST_EVENTS, events_after, newest_events
from missioncontrol.runtimes.records import Message
from missioncontrol.threads import OwnerThread

PORTION = 2 << 20
"""About how many bytes are read at a time."""


class SessionsPosition(msgspec.Struct, omit_defaults=True):
    """How far the sessions of a database have been read: the last event of each, and what was known then."""

    signature: str = ""
    sessions: dict[str, tuple[int, Memory]] = {}


_positions = msgspec.json.Decoder(SessionsPosition)


def read_messages(
    transcript: Transcript, kept: bytes | None, since: int, thread: OwnerThread, redact: Redact
) -> tuple[list[Message], bytes]:
    """Read what is said in a database of sessions; see `MessageReader`."""
    database = Database(transcript.path, lambda: thread.stopping)
    messages: list[Message] = []
    try:
        position = SessionsPosition() if kept is None else _positions.decode(kept)
    except msgspec.DecodeError:
        # Of another release: it is read again, and what is here already stays as it is.
        position = SessionsPosition()
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
            # Its events have begun again.
            known, memory = -1, Memory(session=session)
        if last == known or room <= 0:
            continue
        parser = MessageParser(memory, since, redact)
        for seq, event, created in events_after(database, session, known):
            memory.at = created or memory.at
            memory.line = seq
            position.sessions[session] = (seq, memory)
            if event is None:
                continue
            room -= len(event)
            with suppress(ValueError):
                messages += [record for record in parser.parse(event) if isinstance(record, Message)]
            if room <= 0:
                break
    return messages
