"""Which responses have been counted, so that each counts once whatever the files repeat.

A response is known by the hash of its key: 8 bytes each, in buckets, so that half a million of them take 4 MB and a
change writes a few kilobytes. Two keys with the same hash would lose a response; among a million that happens once in
37 million fleets.

A response may be read several times while it grows. Of the newest ones of each session the figures that were counted
are kept, and only the difference counts; of the older ones it is known only that they were counted. The window is each
session's own: however much the others write, a response that is still open can grow.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Mapping
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

BUCKETS = 1024
MAX_OPEN = 8
"""How many of the newest responses of a session may still grow."""
MAX_SESSIONS = 5_000
"""Of how many sessions the newest responses may still grow: of those that were written to last."""
FORMER_MILLISECONDS = 600_000
"""For how long after an update responses are also looked for by the key that earlier releases gave them."""

_BUCKET, _OPEN, _SINCE = "counted:", "open:", "counted-since"
_EARLIER = "growing"
"""The key under which earlier releases remembered one window for all sessions."""

_RECORD = Struct("9d")
_EARLIER_RECORD = Struct("8d")


class Amount(NamedTuple):
    """What a response has used: US dollars by its own account, tokens, and US dollars for what is not tokens."""

    cost: float | None
    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    extra: float = 0.0


class Counted:
    """The responses that have been counted. `changes` is what has to be remembered since it was last taken."""

    def __init__(self) -> None:
        self._buckets: dict[int, array[int]] = {}
        # The responses that may grow, each with its session; and for each session which ones those are.
        self._open: dict[int, tuple[str, Amount]] = {}
        self._windows: OrderedDict[str, OrderedDict[int, None]] = OrderedDict()
        self._changed: set[int] = set()
        self._changed_windows: set[str] = set()
        self._since = 0
        self._is_new: dict[str, bytes | None] = {}

    def add(
        self, key: str, session: str, amount: Amount, *, former: str | None = None, at: int = 0
    ) -> Amount | None:
        """Count a response; return what of it is new, or None where all of it was counted before.

        Args:
            key: the response's own among all runtimes.
            session: the session that it was read in.
            amount: what it has used, as far as that is known.
            former: the key that earlier releases gave it, where that was another.
            at: when it was written, in milliseconds since 1970.
        """
        hashed = _hash(key)
        if former is not None and at < self._since and self._is_counted(earlier := _hash(former)):
            hashed = earlier
        if (known := self._open.get(hashed)) is None:
            if self._is_counted(hashed):
                return None
            self._buckets.setdefault(hashed % BUCKETS, array("Q")).append(hashed)
            self._changed.add(hashed % BUCKETS)
            self._keep(session, hashed, amount)
            return amount
        owner, before = known
        new_tokens, old_tokens = amount[1:6], before[1:6]
        input_, output, cache_read, cache_write, hour = (
            max(0, new - old) for new, old in zip(new_tokens, old_tokens, strict=True)
        )
        cost = None if amount.cost is None else max(0.0, amount.cost - (before.cost or 0.0))
        more = Amount(
            cost, input_, output, cache_read, cache_write, hour, max(0.0, amount.extra - before.extra)
        )
        if not any(more):
            return None
        most = Amount(
            amount.cost if before.cost is None else max(before.cost, amount.cost or 0.0),
            before.input + input_,
            before.output + output,
            before.cache_read + cache_read,
            before.cache_write + cache_write,
            before.cache_write_1h + hour,
            max(amount.extra, before.extra),
        )
        self._keep(owner or session, hashed, most)
        return more

    def changes(self) -> dict[str, bytes | None]:
        """Return what is new to be remembered, or with None to be forgotten, by key, and take it as remembered."""
        changed: dict[str, bytes | None] = {
            f"{_BUCKET}{bucket}": self._buckets[bucket].tobytes() for bucket in sorted(self._changed)
        }
        for session in sorted(self._changed_windows):
            changed[_OPEN + session] = self._packed(session) if session in self._windows else None
        changed |= self._is_new
        self._changed.clear()
        self._changed_windows.clear()
        self._is_new = {}
        return changed

    def recall(self, memory: Mapping[str, bytes], now: int) -> None:
        """Take over what was remembered.

        Args:
            memory: what it was.
            now: the time that it is, in milliseconds since 1970.
        """
        for key, kept in memory.items():
            if key.startswith(_BUCKET):
                bucket = array("Q")
                bucket.frombytes(kept)
                self._buckets[int(key.removeprefix(_BUCKET))] = bucket
        if _SINCE in memory:
            self._since = int(memory[_SINCE])
        else:
            # Remembered by an earlier release, or by none.
            self._since = now + FORMER_MILLISECONDS if self._buckets else 0
            self._is_new[_SINCE] = str(self._since).encode()
        if _EARLIER in memory:
            self._is_new[_EARLIER] = None
            self._changed_windows.add("")
            for high, low, cost, *tokens in _EARLIER_RECORD.iter_unpack(
                _whole(memory[_EARLIER], _EARLIER_RECORD)
            ):
                self._enter("", (int(high) << 32) | int(low), _amount(cost, tokens, 0.0))
        for key, kept in memory.items():
            if key.startswith(_OPEN):
                for high, low, cost, *tokens, extra in _RECORD.iter_unpack(_whole(kept, _RECORD)):
                    hashed = (int(high) << 32) | int(low)
                    self._enter(key.removeprefix(_OPEN), hashed, _amount(cost, tokens, extra))

    def _is_counted(self, hashed: int) -> bool:
        return hashed in self._buckets.get(hashed % BUCKETS, ())

    def _keep(self, session: str, hashed: int, amount: Amount) -> None:
        self._enter(session, hashed, amount)
        self._changed_windows.add(session)
        window = self._windows[session]
        while session and len(window) > MAX_OPEN:
            del self._open[window.popitem(last=False)[0]]
        while len(self._windows) > MAX_SESSIONS:
            self._drop(next(iter(self._windows)))

    def _enter(self, session: str, hashed: int, amount: Amount) -> None:
        if (known := self._open.get(hashed)) is not None and known[0] != session:
            # An earlier release has remembered it without its session.
            self._windows[known[0]].pop(hashed)
            self._changed_windows.add(known[0])
        self._open[hashed] = (session, amount)
        window = self._windows.setdefault(session, OrderedDict())
        window[hashed] = None
        window.move_to_end(hashed)
        self._windows.move_to_end(session)

    def _drop(self, session: str) -> None:
        for hashed in self._windows.pop(session, ()):
            del self._open[hashed]
            self._changed_windows.add(session)

    def _packed(self, session: str) -> bytes:
        packed: list[bytes] = []
        for hashed in self._windows[session]:
            amount = self._open[hashed][1]
            cost = -1.0 if amount.cost is None else amount.cost
            # A hash is two numbers that a float holds exactly.
            packed.append(_RECORD.pack(hashed >> 32, hashed & 0xFFFF_FFFF, cost, *amount[1:]))
        return b"".join(packed)


def _hash(key: str) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _whole(kept: bytes, record: Struct) -> bytes:
    return kept[: len(kept) - len(kept) % record.size]


def _amount(cost: float, tokens: list[float], extra: float) -> Amount:
    input_, output, cache_read, cache_write, hour = map(int, tokens)
    return Amount(None if cost < 0 else cost, input_, output, cache_read, cache_write, hour, extra)
