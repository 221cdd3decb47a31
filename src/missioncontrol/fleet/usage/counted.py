"""Which responses have been counted, so that each counts once whatever the files repeat.

A response is known by the hash of its key: 8 bytes each, in buckets, so that half a million of them take 4 MB and a
change writes a few kilobytes. Two keys with the same hash would lose a response; among a million that happens once in
37 million fleets.

A response may be told several times while it grows. What was counted of the newest ones is kept as figures, and only
the difference counts; of the older ones it is known only that they were.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

BUCKETS = 1024
GROWING = 256
"""How many of the newest responses may still grow."""


_PACK = Struct("8d").pack


class Amount(NamedTuple):
    """What a response has used: US dollars by its own account, and tokens."""

    cost: float | None
    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int


class Counted:
    """The responses that have been counted. `changes` is what has to be remembered since it was last taken."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = {}
        self._growing: OrderedDict[int, Amount] = OrderedDict()
        self._packed: OrderedDict[int, bytes] = OrderedDict()
        self._changed: set[int] = set()

    def add(self, key: str, amount: Amount) -> Amount | None:
        """Count a response; return what of it is new, or None where all of it was counted before."""
        hashed = int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        before = self._growing.get(hashed)
        if before is None:
            bucket = self._buckets.setdefault(hashed % BUCKETS, array("Q"))
            if hashed in bucket:
                return None
            bucket.append(hashed)
            self._changed.add(hashed % BUCKETS)
            self._keep(hashed, amount)
            return amount
        cost, known = amount.cost, before.cost or 0.0
        more = Amount(
            None if cost is None else max(0.0, cost - known),
            *(max(0, new - old) for new, old in zip(amount[1:], before[1:], strict=True)),
        )
        if not any(more):
            return None
        most = (max(new, old) for new, old in zip(amount[1:], before[1:], strict=True))
        self._keep(hashed, Amount(before.cost if cost is None else max(cost, known), *most))
        return more

    def changes(self) -> dict[str, bytes]:
        """Return what is new to be remembered, by key, and take it as remembered."""
        changed = {f"counted:{bucket}": self._buckets[bucket].tobytes() for bucket in sorted(self._changed)}
        if changed:
            changed["growing"] = b"".join(self._packed.values())
        self._changed.clear()
        return changed

    def recall(self, memory: Mapping[str, bytes]) -> None:
        """Take over what was remembered."""
        for key, kept in memory.items():
            if key.startswith("counted:"):
                bucket = array("Q")
                bucket.frombytes(kept)
                self._buckets[int(key.removeprefix("counted:"))] = bucket
        figures = array("d")
        figures.frombytes(memory.get("growing", b""))
        for start in range(0, len(figures) - 7, 8):
            high, low, cost, *tokens = figures[start : start + 8]
            self._grow((int(high) << 32) | int(low), Amount(None if cost < 0 else cost, *map(int, tokens)))

    def _keep(self, hashed: int, amount: Amount) -> None:
        self._grow(hashed, amount)
        self._changed.add(hashed % BUCKETS)
        if len(self._growing) > GROWING:
            self._growing.popitem(last=False)
            self._packed.popitem(last=False)

    def _grow(self, hashed: int, amount: Amount) -> None:
        cost = -1.0 if amount.cost is None else amount.cost
        self._growing[hashed] = amount
        # Packed once here, and not all of them with each change. A hash is two numbers that a float holds exactly.
        self._packed[hashed] = _PACK(hashed >> 32, hashed & 0xFFFF_FFFF, cost, *amount[1:])
        self._growing.move_to_end(hashed)
        self._packed.move_to_end(hashed)
