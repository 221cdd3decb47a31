"""What can be read from a value that anyone may have written; `web/src/state/values.ts` has the same rules."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any, TypeGuard

from missioncontrol.events import Data, Record, rfc3339
from missioncontrol.events.hosts import host_of
from missioncontrol.state.limits import MAX_ID_BYTES, MAX_NUMBER, MAX_WORD_BYTES

Number = int | float

_MAX_SAFE_INTEGER = 2**53 - 1
LEAST = 1e-9
_DAY_MS = 86_400_000
_DAY = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])", re.ASCII)
_EPOCH = date(1970, 1, 1).toordinal()
_LAST = date.max.toordinal()


def id_in(data: Data, *names: str) -> str | None:
    """Return the first of the named values that can be an id: a text that is not empty, or a whole number."""
    for name in names:
        value = data.get(name)
        if isinstance(value, str):
            if is_id(value):
                return value
        elif _is_whole(value):
            return str(int(value))
    return None


def _is_whole(value: Any) -> TypeGuard[Number]:
    # JSON does not distinguish 5 from 5.0, and other languages have exact integers up to 2^53 only.
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and -_MAX_SAFE_INTEGER <= value <= _MAX_SAFE_INTEGER
        and value == int(value)
    )


def is_id(text: str) -> bool:
    """Return whether a text can be an id."""
    return text != "" and utf8_size(text) <= MAX_ID_BYTES


def is_word(text: str) -> bool:
    """Return whether a text is a short one, such as a day or a time."""
    return text != "" and utf8_size(text) <= MAX_WORD_BYTES


def text_in(data: Data, name: str) -> str | None:
    """Return the named value if it is a text that is not empty."""
    value = data.get(name)
    return value if isinstance(value, str) and value else None


def word_in(data: Data, name: str) -> str | None:
    """Return the named value if it is a short text that is not empty."""
    value = data.get(name)
    return value if isinstance(value, str) and is_word(value) else None


def day_in(data: Data, name: str, last: str) -> str | None:
    """Return the named value if it is a day as in `2026-11-23`, and no later one than `last`."""
    value = data.get(name)
    return value if isinstance(value, str) and is_day(value, last) else None


def is_day(text: str, last: str) -> bool:
    """Return whether a text is a day, and no later one than `last`: the newest days are kept, and none is invented."""
    return text <= last and _DAY.fullmatch(text) is not None


def last_day(record: Record) -> str:
    """Return the day after an event: a later one cannot be that of anything it reports, in any time zone."""
    return _last_day(record.time // _DAY_MS)


@lru_cache(maxsize=8)
def _last_day(day: int) -> str:
    return date.fromordinal(min(max(_EPOCH + day + 1, 1), _LAST)).isoformat()


def number_in(data: Data, name: str) -> Number | None:
    """Return the named value if it is a number that can be summed."""
    value = data.get(name)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and -MAX_NUMBER <= value <= MAX_NUMBER:
        return value
    return None


def object_in(data: Data, name: str) -> Data:
    """Return the named value if it is an object, else an empty one."""
    value = data.get(name)
    return value if isinstance(value, dict) else {}


def list_in(data: Data, name: str) -> list[Any]:
    """Return the named value if it is a list, else an empty one."""
    value = data.get(name)
    return value if isinstance(value, list) else []


def added(one: Number, other: Number) -> Number:
    """Return a sum, which is never beyond `MAX_NUMBER`."""
    total = one + other
    if total > MAX_NUMBER:
        return MAX_NUMBER
    return -MAX_NUMBER if total < -MAX_NUMBER else total


def not_negative(value: Number) -> Number:
    """Return what is left of a sum from which something was taken.

    Sums of fractions are not exact: what is less than a billionth is what rounding leaves, and is 0.
    """
    return 0 if value < LEAST else value


def time_of(data: Data, record: Record) -> str:
    """Return when it happened: the data's own `timestamp`, else the time at which the log accepted it."""
    return word_in(data, "timestamp") or rfc3339(record.time).decode()


def place_of(id_: str, record: Record) -> Data:
    """Return the field that says which host something belongs to, in a fleet of several; no field in one of one."""
    return {} if record.host is None else {"host": host_of(id_) or record.host}


def utf8_size(text: str) -> int:
    """Return how many bytes a text has in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def size_of(value: Any) -> int:
    """Return how large a value is: its length as JSON, where each number counts as one byte and nothing is escaped.

    So it is never more than the length of the JSON, and the same in every language.
    """
    if isinstance(value, str):
        return utf8_size(value) + 2
    if isinstance(value, dict):
        inner = sum(utf8_size(str(key)) + 3 + size_of(item) for key, item in value.items())
        return inner + 2 + max(0, len(value) - 1)
    if isinstance(value, (list, tuple)):
        return sum(map(size_of, value)) + 2 + max(0, len(value) - 1)
    return 4 if value is None or isinstance(value, bool) else 1


def cut(text: str, size: int) -> str:
    """Return the beginning of a text that has at most `size` bytes in UTF-8, in whole characters."""
    if utf8_size(text) <= size:
        return text
    return text.encode("utf-8", "surrogatepass")[:size].decode("utf-8", "ignore")
