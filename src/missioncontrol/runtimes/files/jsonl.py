"""Transcripts in JSONL: read on from where they were read last.

A reading ends with the last complete line; half of one is left for the next time. A file that is shorter than it was,
or whose bytes before that place are others, is read again from its start: the keys of responses keep that from counting
anything twice. A file that is renamed goes on under its new name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from missioncontrol.runtimes.base import FileReader, Transcript
from missioncontrol.runtimes.files.archive import ARCHIVE_SUFFIX, Archive
from missioncontrol.runtimes.files.regular import open_regular
from missioncontrol.runtimes.lines import BrokenLineError, Parser
from missioncontrol.runtimes.records import Record, UnreadableError
from missioncontrol.threads import OwnerThread

MAX_LINE = 64 << 20
"""The longest line that is read, in bytes; a longer one is skipped."""

PORTION = 8 << 20
_BLOCK = 1 << 20
_HEAD, _TAIL = 512, 128
_NO_MEMORY = msgspec.Raw(b"")
_CHECKPOINT = re.compile(r"\.checkpoint\.[0-9a-f-]{36}$", re.IGNORECASE)


class Position(msgspec.Struct, omit_defaults=True):
    """How far a file has been read, and what has to be remembered of it; small, and kept as JSON.

    `offset` is the byte after the last line that was read, `fingerprint` that of the bytes before it. `broken` counts
    the lines that could not be read. `skipping` is set within a line that is too long. `memory` is what the parser
    remembers, as JSON.
    """

    inode: int = 0
    offset: int = 0
    fingerprint: str = ""
    broken: int = 0
    skipping: bool = False
    memory: msgspec.Raw = _NO_MEMORY


POSITIONS = msgspec.json.Decoder(Position)


class LineFormat(NamedTuple):
    """How the lines of a kind of transcripts are parsed.

    `memories` decodes what a parser remembers between two lines, a type with a tag of its own; `first` makes it for a
    file that is read from its start. `parser` makes a parser that goes on with it, and changes it.
    """

    memories: msgspec.json.Decoder[Any]
    first: Callable[[Transcript], Any]
    parser: Callable[[Transcript, Any], Parser]


class JsonlReader(FileReader):
    """Reads a transcript on from a position."""

    def __init__(
        self, transcript: Transcript, format_: LineFormat, checkpoint: Callable[[], None] = lambda: None
    ) -> None:
        """Prepare; nothing is opened before it is read.

        Args:
            transcript: the file.
            format_: how its lines are parsed.
            checkpoint: called after each block of the file; ends the reading by raising.
        """
        self._transcript = transcript
        self._format = format_
        self._checkpoint = checkpoint

    def read(self, position: Position, limit_bytes: int = PORTION) -> tuple[list[Record], Position]:
        """Return what is new, and where to read on.

        There is more to read at once where the offset has moved. A file that ends with `.zst` is read whole, and once.

        Args:
            position: where the last reading ended; a new one for the first. It stays as it is.
            limit_bytes: about how much to read at most; a line is always read whole.

        Raises:
            FileNotFoundError: the file is not there.
            UnreadableError: it cannot be read, or is a symbolic link; the message says why.
        """
        path = self._transcript.path
        position = POSITIONS.decode(msgspec.json.encode(position))
        try:
            with open_regular(path) as file:
                status = os.fstat(file.fileno())
                same = position.offset <= status.st_size and position.fingerprint == _fingerprint(
                    file, position.offset
                )
                if not same:
                    position = Position(broken=position.broken)
                position.inode = status.st_ino
                if path.name.endswith(ARCHIVE_SUFFIX):
                    records = self._read_archive(file, status.st_size, position)
                else:
                    records = self._read_on(file, position, limit_bytes)
                if position.offset:
                    position.fingerprint = _fingerprint(file, position.offset)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise UnreadableError(error.strerror or str(error)) from None
        return records, position

    def _read_on(self, file: BinaryIO, position: Position, limit: int) -> list[Record]:
        file.seek(position.offset)
        memory = self._remembered(position)
        lines = _Lines(self._format.parser(self._transcript, memory), position)
        end = position.offset + limit
        while position.offset < end and (block := file.read(_BLOCK)):
            lines.take(block)
            self._checkpoint()
        position.memory = msgspec.Raw(msgspec.json.encode(memory))
        return lines.records

    def _read_archive(self, file: BinaryIO, size: int, position: Position) -> list[Record]:
        if position.offset == size:
            return []
        lines = _Lines(self._format.parser(self._transcript, self._remembered(position)), position)
        position.offset = 0
        file.seek(0)
        archive = Archive(file)
        while block := archive.read(_BLOCK):
            lines.take(block)
            self._checkpoint()
        lines.end()
        position.broken += archive.damaged
        # What is left of it is only that it was read.
        position.offset, position.skipping, position.memory = size, False, _NO_MEMORY
        return lines.records

    def _remembered(self, position: Position) -> Any:
        """Return what the parser remembers; that of another kind, or of another release, is made again."""
        if position.memory:
            try:
                return self._format.memories.decode(position.memory)
            except msgspec.DecodeError:
                pass
        return self._format.first(self._transcript)


class _Lines:
    """Cuts blocks into lines, and has them parsed; moves the position along."""

    def __init__(self, parser: Parser, position: Position) -> None:
        self.records: list[Record] = []
        self._parser = parser
        self._position = position
        self._held: list[bytes] = []
        self._size = 0

    def take(self, block: bytes) -> None:
        """Take the next block of the file."""
        first, newline, rest = block.partition(b"\n")
        self._hold(first)
        if not newline:
            return
        self._end_line(1)
        *lines, last = rest.split(b"\n")
        for line in lines:
            self._parse(line)
            self._position.offset += len(line) + 1
        self._hold(last)

    def end(self) -> None:
        """Take what is held as the last line: nothing follows."""
        self._end_line(0)

    def _hold(self, part: bytes) -> None:
        self._held.append(part)
        self._size += len(part)
        if self._size > MAX_LINE and not self._position.skipping:
            self._position.skipping = True
            self._position.broken += 1
        if self._position.skipping:
            self._position.offset += self._size
            self._held, self._size = [], 0

    def _end_line(self, newline: int) -> None:
        line, size = b"".join(self._held), self._size
        self._held, self._size = [], 0
        if self._position.skipping:
            self._position.skipping = False
        else:
            self._parse(line)
        self._position.offset += size + newline

    def _parse(self, line: bytes) -> None:
        if not line or line.isspace():
            return
        try:
            self.records += self._parser.parse(line)
        except BrokenLineError:
            self._position.broken += 1


def opens(format_: LineFormat) -> Callable[[Transcript, OwnerThread], JsonlReader]:
    """Return what opens transcripts of a format on a thread; see `FileKind.open`."""

    def open_(transcript: Transcript, thread: OwnerThread) -> JsonlReader:
        return JsonlReader(transcript, format_, lambda: thread.checkpoint(f"reading {transcript.path}"))

    return open_


def _fingerprint(file: BinaryIO, offset: int) -> str:
    """Return a short name for the bytes at the beginning of a file and those just before an offset."""
    if not offset:
        return ""
    file.seek(0)
    head = file.read(min(offset, _HEAD))
    file.seek(max(0, offset - _TAIL))
    tail = file.read(min(offset, _TAIL))
    return hashlib.blake2b(head + tail, digest_size=12).hexdigest()


def session_of(path: Path) -> str:
    """Return the session's id that a file's name begins with."""
    name = path.name
    stem = name.partition(".jsonl")[0].removesuffix(ARCHIVE_SUFFIX)
    return _CHECKPOINT.sub("", stem)
