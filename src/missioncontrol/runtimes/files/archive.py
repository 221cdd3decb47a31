"""Transcripts that were put away: compressed with Zstandard, and read as a stream of bounded length."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ARCHIVE_SUFFIX = ".zst"

MAX_ARCHIVE = 256 << 20
"""How much is read of an archive at most, in bytes when unpacked."""

_MAX_WINDOW_LOG = 27
"""The largest window that an archive may ask for, as a power of two: 128 MiB."""


class Archive:
    """An archive that is being read; `damaged` is 1 once it has ended too early or was too long."""

    def __init__(self, file: BinaryIO) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        self.damaged = 0
        self._stream = zstd.ZstdFile(file, options=options)
        self._left = MAX_ARCHIVE

    def read(self, size: int) -> bytes:
        """Return at most so many bytes; none at the end, wherever that is."""
        if self.damaged:
            return b""
        if not self._left:
            self.damaged = 1 if self._stream.read(1) else 0
            return b""
        try:
            block = self._stream.read1(min(size, self._left))
        except (zstd.ZstdError, EOFError):
            self.damaged = 1
            return b""
        self._left -= len(block)
        return block


def unpack(data: bytes, limit: int) -> bytes:
    """Unpack a small piece of data.

    Raises:
        ValueError: it is no such data, or longer than `limit` bytes when unpacked.
    """
    try:
        unpacker = zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
        )
        unpacked = unpacker.decompress(data, max_length=limit)
    except (zstd.ZstdError, EOFError):
        raise ValueError("it cannot be unpacked") from None
    if not unpacker.eof:
        raise ValueError("it cannot be unpacked")
    return unpacked
