"""Subscription patterns: an exact type, a category (`agent` or `agent:*`), or `*` for everything."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from missioncontrol.errors import BadEvent, BadPattern

MAX_TYPE_LENGTH = 128
MAX_PATTERNS = 256
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*:[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII)
_CATEGORY = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)(:\*)?", re.ASCII)
RESERVED_CATEGORIES = frozenset({"server", "client"})


@lru_cache(maxsize=4096)
def check_type(type_: str) -> str:
    """Return the type if it may be published.

    Raises:
        BadEvent: it is not `category:name`, too long, or of a category that the server keeps for itself.
    """
    if len(type_) > MAX_TYPE_LENGTH or not _TYPE.fullmatch(type_):
        raise BadEvent(
            f"An event's type has the form category:name of letters, digits, '_', '-' and '.', "
            f"at most {MAX_TYPE_LENGTH} characters; {type_[:60]!r} has not."
        )
    category = type_.partition(":")[0]
    if category in RESERVED_CATEGORIES:
        raise BadEvent(f"The category {category!r} is the server's own; choose another one.")
    return type_


class Patterns:
    """A set of patterns in normal form; equal sets are equal and hash alike, so that they make one audience.

    Invariant: no member is covered by another one (`agent:busy` next to `agent:*` is dropped).
    """

    __slots__ = ("_categories", "_hash", "_memo", "_types", "everything")

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        """Read patterns as clients write them.

        Raises:
            BadPattern: one of them is none of the three forms, or there are more than 256.
        """
        everything = False
        categories: set[str] = set()
        types: set[str] = set()
        for count, pattern in enumerate(patterns, 1):
            if count > MAX_PATTERNS:
                raise BadPattern(f"At most {MAX_PATTERNS} patterns; use categories such as 'agent:*'.")
            if len(pattern) > MAX_TYPE_LENGTH:
                raise BadPattern(f"A pattern is a text of at most {MAX_TYPE_LENGTH} characters.")
            if pattern == "*":
                everything = True
            elif found := _CATEGORY.fullmatch(pattern):
                categories.add(found[1])
            elif _TYPE.fullmatch(pattern):
                types.add(pattern)
            else:
                raise BadPattern(
                    f"{pattern[:60]!r} is no pattern; use a type ('task:completed'), "
                    f"a category ('agent:*' or 'agent') or '*'."
                )
        self.everything = everything
        self._categories = frozenset() if everything else frozenset(categories)
        self._types = (
            frozenset()
            if everything
            else frozenset(t for t in types if t.partition(":")[0] not in categories)
        )
        self._hash = hash((everything, self._categories, self._types))
        self._memo: dict[str, bool] = {}

    @classmethod
    def parse(cls, text: str) -> Patterns:
        """Read a comma-separated list, as in a query string."""
        return cls(part.strip() for part in text.split(",") if part.strip())

    @property
    def categories(self) -> frozenset[str]:
        """The categories that are matched whole."""
        return self._categories

    @property
    def types(self) -> frozenset[str]:
        """The types that are matched exactly, beyond the categories."""
        return self._types

    def matches(self, type_: str) -> bool:
        """Say whether an event of this type is wanted."""
        if self.everything:
            return True
        known = self._memo.get(type_)
        if known is None:
            known = type_ in self._types or type_.partition(":")[0] in self._categories
            if len(self._memo) < 1024:
                self._memo[type_] = known
        return known

    def __or__(self, other: Patterns) -> Patterns:
        return Patterns([*self.names(), *other.names()])

    def without(self, other: Patterns) -> Patterns:
        """Take away what `other` names or covers: `agent:*` takes `agent:busy` too, but not the reverse."""
        if other.everything:
            return NOTHING
        if self.everything:
            return self
        return Patterns(
            [f"{category}:*" for category in self._categories - other._categories]
            + [type_ for type_ in self._types if not other.matches(type_)]
        )

    def names(self) -> list[str]:
        """The patterns in their normal form, sorted."""
        if self.everything:
            return ["*"]
        return sorted([f"{category}:*" for category in self._categories] + list(self._types))

    def __bool__(self) -> bool:
        return self.everything or bool(self._categories or self._types)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Patterns)
            and self.everything == other.everything
            and self._categories == other._categories
            and self._types == other._types
        )

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"Patterns({self.names()!r})"


EVERYTHING = Patterns(["*"])
NOTHING = Patterns()
