"""Packed bodies are unpacked up to a limit, and no further."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from backports import zstd

from missioncontrol.errors import BadTelemetry, TooLarge, UnsupportedMediaType
from missioncontrol.server.packing import unpack

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstd.compress,
}
packings = pytest.mark.parametrize("packing", PACKERS)


@packings
@pytest.mark.parametrize("text", [b"", b"a", b"some text " * 300_000], ids=["empty", "short", "long"])
def test_what_was_packed_is_unpacked(packing: str, text: bytes) -> None:
    assert unpack(PACKERS[packing](text), f" {packing.upper()} ", len(text)) == text


@packings
def test_a_bomb_is_refused_at_the_limit(packing: str) -> None:
    bomb = PACKERS[packing](bytes(64 * 1024 * 1024))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="more than 1,048,576 bytes"):
            unpack(bomb, packing, 1024 * 1024)
        assert tracemalloc.get_traced_memory()[1] < 8 * 1024 * 1024
    finally:
        tracemalloc.stop()


@packings
def test_one_byte_too_many_is_refused(packing: str) -> None:
    packed = PACKERS[packing](b"x" * 1_001)
    assert len(unpack(packed, packing, 1_001)) == 1_001
    with pytest.raises(TooLarge):
        unpack(packed, packing, 1_000)


@packings
def test_a_body_that_is_cut_off_is_refused(packing: str) -> None:
    packed = PACKERS[packing](bytes(range(256)) * 40)
    for length in (0, 1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BadTelemetry):
            unpack(packed[:length], packing, 100_000)


@packings
def test_what_follows_after_the_end_is_not_passed_over(packing: str) -> None:
    with pytest.raises(BadTelemetry, match="follows"):
        unpack(PACKERS[packing](b"one") * 2, packing, 100_000)


@packings
def test_what_is_not_packed_is_refused(packing: str) -> None:
    with pytest.raises(BadTelemetry, match="is not"):
        unpack(b"no such thing", packing, 100_000)


def test_another_packing_is_named_as_such() -> None:
    assert unpack(b"plain", "identity", 1) == b"plain"
    with pytest.raises(UnsupportedMediaType, match="gzip, deflate, zstd"):
        unpack(b"", "br", 1)
