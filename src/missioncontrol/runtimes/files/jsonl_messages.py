"""Reads what is said in transcripts in JSONL, on from where it was read last."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from missioncontrol.runtimes.base import MessageReader, Redact, Transcript
from missioncontrol.runtimes.files.jsonl import POSITIONS, JsonlReader, LineFormat, Position
from missioncontrol.runtimes.messages import Memory, MessageParser
from missioncontrol.runtimes.records import Message
from missioncontrol.threads import OwnerThread

PORTION = 2 << 20
"""About how many bytes are read at a time."""

_memories = msgspec.json.Decoder(Memory)


def reads_messages(parser: type[MessageParser], session_of: Callable[[Transcript], str]) -> MessageReader:
    """Return what reads the messages of a kind of transcripts.

    Args:
        parser: reads their lines.
        session_of: returns the session's id by the file's name, in case the transcript does not name itself.
    """

    def read(
        transcript: Transcript, kept: bytes | None, since: int, thread: OwnerThread, redact: Redact
    ) -> tuple[list[Message], bytes]:
        if kept is None and transcript.path.stat().st_mtime * 1000 < since:
            # Nothing in it is newer than the file.
            return [], b""
        try:
            before = Position() if kept is None else POSITIONS.decode(kept)
        except msgspec.DecodeError:
            # Of another release: it is read again, and what is here already stays as it is.
            before = Position()
        format_ = LineFormat(
            _memories,
            lambda transcript: Memory(session=session_of(transcript)),
            lambda _, memory: parser(memory, since, redact),
        )
        records, after = JsonlReader(transcript, format_, thread.checkpoint).read(before, PORTION)
        messages = [record for record in records if isinstance(record, Message)]
        return messages, kept if kept is not None and after == before else msgspec.json.encode(after)

    return read
