"""Server-Sent Events as bytes arrive: the HTML standard, section 9.2.6, without sockets.

Invariant: the messages that come out do not depend on how the bytes were cut into pieces.
"""

from __future__ import annotations

from typing import NamedTuple

from missioncontrol.client.items import Unreachable

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class SseMessage(NamedTuple):
    """One block of the stream; `id` is the one that stands in this block, `data` is empty where it has none."""

    event: str
    data: str
    id: str | None


class SseParser:
    """Takes bytes in pieces of any size, gives the messages that are complete."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._start = True
        self._after_cr = False
        self._event = ""
        self._data: list[str] = []
        self._id: str | None = None
        self._size = 0
        self._rest_size = 0

    def feed(self, piece: bytes) -> list[SseMessage]:
        """Take a piece.

        Raises:
            Unreachable: a message is over 64 MiB, which no server of ours sends.
        """
        if not self._start and b"\n" not in piece and b"\r" not in piece and piece:
            # Within a long line: the pieces are joined once, at its end.
            self._after_cr = False
            self._keep(piece)
            return []
        text = b"".join(self._rest) + piece
        self._rest.clear()
        self._rest_size = 0
        if self._start:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                self._keep(text)
                return []
            self._start = False
            text = text.removeprefix(_BOM)
        # A line feed that follows a carriage return belongs to it, even where it comes with the next piece.
        if self._after_cr and text:
            text = text.removeprefix(b"\n")
            self._after_cr = False
        lines = text.splitlines(keepends=True)
        if lines and not lines[-1].endswith((b"\n", b"\r")):
            self._keep(lines.pop())
        elif lines and lines[-1].endswith(b"\r"):
            self._after_cr = True
        found: list[SseMessage] = []
        for line in lines:
            message = self._line(line.rstrip(b"\r\n"))
            if message is not None:
                found.append(message)
        return found

    def _keep(self, rest: bytes) -> None:
        self._rest.append(rest)
        self._rest_size += len(rest)
        if self._size + self._rest_size > MAX_MESSAGE_BYTES:
            raise Unreachable("The server sent a message of more than 64 MiB.")

    def _line(self, line: bytes) -> SseMessage | None:
        if not line:
            return self._end_of_block()
        self._size += len(line)
        if self._size > MAX_MESSAGE_BYTES:
            raise Unreachable("The server sent a message of more than 64 MiB.")
        name, _, raw = line.partition(b":")
        value = raw.removeprefix(b" ").decode(errors="replace")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id" and "\0" not in value:
            self._id = value
        return None

    def _end_of_block(self) -> SseMessage | None:
        message = None
        if self._data or self._id is not None:
            message = SseMessage(self._event or "message", "\n".join(self._data), self._id)
        self._event, self._data, self._id, self._size = "", [], None, 0
        return message
