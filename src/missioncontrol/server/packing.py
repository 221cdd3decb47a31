"""Packed bodies of requests, unpacked piece by piece up to a limit."""

from __future__ import annotations

import sys
import zlib
from io import BytesIO
from typing import Protocol

from missioncontrol.errors import BadTelemetry, TooLarge, UnsupportedMediaType

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKINGS = ("gzip", "deflate", "zstd")
"""What a body may be packed with (RFC 9110, section 8.4.1, and RFC 8878)."""

_PIECE_BYTES = 1024 * 1024
_MAX_WINDOW_LOG = 23
"""The largest window of Zstandard, as a power of two; RFC 9659 allows no larger one in HTTP."""


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def take(self, body: bytes, most: int) -> bytes: ...


class _Deflate:
    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits=wbits)
        self._begun = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def take(self, body: bytes, most: int) -> bytes:
        """Return the next at most `most` bytes; the first call consumes `body`."""
        rest = self._inner.unconsumed_tail if self._begun else body
        self._begun = True
        return self._inner.decompress(rest, most)


class _Zstandard:
    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        self._inner = zstd.ZstdDecompressor(options=options)
        self._begun = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def take(self, body: bytes, most: int) -> bytes:
        """Return the next at most `most` bytes; the first call consumes `body`."""
        rest = b"" if self._begun else body
        self._begun = True
        return self._inner.decompress(rest, max_length=most)


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """Unpack a body; no more than `limit` bytes of it are ever held.

    Args:
        body: as it came.
        encoding: its Content-Encoding.
        limit: how long it may become, in bytes.

    Raises:
        BadTelemetry: it is not packed as it says, or something follows after its end.
        TooLarge: it becomes longer.
        UnsupportedMediaType: it is packed in another way.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    unpacker: _Unpacker
    if encoding in ("gzip", "x-gzip"):
        unpacker = _Deflate(31)
    elif encoding == "deflate":
        unpacker = _Deflate(15)
    elif encoding == "zstd":
        unpacker = _Zstandard()
    else:
        raise UnsupportedMediaType(
            f"Content-Encoding is {', '.join(PACKINGS)} or identity, not {encoding[:40]!r}."
        )
    unpacked = BytesIO()
    left = limit
    try:
        while not unpacker.eof:
            # One byte more than is allowed, so that what is exactly as long as the limit passes.
            piece = unpacker.take(body, min(left + 1, _PIECE_BYTES))
            left -= len(piece)
            if left < 0:
                raise TooLarge(f"The body has more than {limit:,} bytes unpacked; send it in parts.")
            if not piece and not unpacker.eof:
                raise BadTelemetry(f"The body ends before its {encoding} does.")
            unpacked.write(piece)
    except (zlib.error, zstd.ZstdError, EOFError) as error:
        raise BadTelemetry(f"The body is not {encoding}: {error}.") from None
    if unpacker.unused_data:
        raise BadTelemetry(f"Something follows after the end of the body's {encoding}; send one piece.")
    # Its own buffer, without a copy.
    return unpacked.getvalue()
