"""The sessions that are known: the ones used last as objects, older ones as the bytes that are remembered of them.

Invariants:

- looking a session up, adding one, finding its children and those that are addressed by a word cost the same however
  many there are;
- there are never more than `max_live` objects and `max_past` older ones. What is older still is forgotten, here and in
  the source's memory; of its responses it is known all the same that they were counted.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import ItemsView, Iterable, Iterator, MutableMapping, ValuesView

import msgspec

from missioncontrol.fleet.usage.sessions import Session
from missioncontrol.runtimes.persona import first_word, first_words_of

MAX_LIVE = 5_000
"""Sessions that are kept as objects, about a kilobyte each; those that were used last."""

MAX_PAST = 50_000
"""Older sessions that are kept as bytes, about 500 each, in case they are resumed or turn out to be another agent's."""

_decode = msgspec.json.Decoder(Session).decode
encode_session = msgspec.json.Encoder().encode


class KnownSessions(MutableMapping[str, Session]):
    """Sessions by id. Iteration and length are those of the objects; `in` and `[]` find the older ones as well."""

    def __init__(self, max_live: int = MAX_LIVE, max_past: int = MAX_PAST) -> None:
        self._max_live = max_live
        self._max_past = max_past
        self._live: OrderedDict[str, Session] = OrderedDict()
        self._past: OrderedDict[str, bytes] = OrderedDict()
        self._children: dict[str, dict[str, None]] = {}
        self._parents: dict[str, str] = {}
        self._addressed: dict[str, dict[str, None]] = {}
        self._personas: dict[str, tuple[str, ...]] = {}

    def __getitem__(self, id_: str) -> Session:
        session = self._live.get(id_)
        if session is None:
            # KeyError where it is not there either.
            session = _decode(self._past.pop(id_))
            self._live[id_] = session
        else:
            self._live.move_to_end(id_)
        return session

    def __setitem__(self, id_: str, session: Session) -> None:
        self._past.pop(id_, None)
        self._live[id_] = session
        self._live.move_to_end(id_)
        self.relate(id_, session.parent)
        self.address(id_, session.persona)

    def __delitem__(self, id_: str) -> None:
        if self._live.pop(id_, None) is None:
            del self._past[id_]
        self.relate(id_, None)
        self.address(id_, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._live)

    def __len__(self) -> int:
        return len(self._live)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._live or id_ in self._past

    def items(self) -> ItemsView[str, Session]:
        """The objects by id; unlike a look-up this does not count as use."""
        return self._live.items()

    def peek(self, id_: str) -> Session | None:
        """Return a session, which unlike a look-up does not count as use: an older one is a copy, not to be changed."""
        session = self._live.get(id_)
        if session is None and (kept := self._past.get(id_)) is not None:
            session = _decode(kept)
        return session

    def all(self) -> Iterator[tuple[str, Session]]:
        """Iterate over all sessions by id, the older ones decoded for this once."""
        for id_, kept in self._past.items():
            yield id_, _decode(kept)
        yield from self._live.items()

    def values(self) -> ValuesView[Session]:
        """The objects."""
        return self._live.values()

    def relate(self, id_: str, parent: str | None) -> None:
        """Note which session has started one; None where none has."""
        before = self._parents.pop(id_, None)
        if before is not None:
            siblings = self._children[before]
            siblings.pop(id_, None)
            if not siblings:
                del self._children[before]
        if parent is not None:
            self._parents[id_] = parent
            self._children.setdefault(parent, {})[id_] = None

    def children(self, id_: str) -> list[str]:
        """Return the sessions that a session has started."""
        return list(self._children.get(id_, ()))

    def address(self, id_: str, persona: str | None) -> None:
        """Note what a session's first user message says after "You are"; None where it does not say so."""
        for word in self._personas.pop(id_, ()):
            same = self._addressed[word]
            same.pop(id_, None)
            if not same:
                del self._addressed[word]
        if persona is not None:
            self._personas[id_] = words = tuple(sys.intern(word) for word in sorted(first_words_of(persona)))
            for word in words:
                self._addressed.setdefault(word, {})[id_] = None

    def addressed(self, name: str) -> list[str]:
        """Return the sessions that may be called by a name, folded: those that are addressed by its first word."""
        return list(self._addressed.get(first_word(name), ()))

    def related(self) -> list[str]:
        """Return the sessions that another one has started, then those that are addressed by a name."""
        return [*(id_ for id_ in self._parents if id_ not in self._personas), *self._personas]

    def tree(self, root: str, depth: int) -> list[Session]:
        """Return a session and all that it and those have started, `depth` times one after the other at most."""
        seen = {root}
        level = [root]
        found: list[Session] = []
        for _ in range(depth + 1):
            found += [self[id_] for id_ in level if id_ in self]
            level = [child for id_ in level for child in self.children(id_) if child not in seen]
            seen.update(level)
        return found

    def recall(self, remembered: Iterable[tuple[str, bytes]]) -> list[str]:
        """Take over what was remembered, and return the ids of those that are too many."""
        sessions = [(id_, _decode(kept)) for id_, kept in remembered]
        for id_, session in sorted(sessions, key=lambda one: one[1].at):
            self[id_] = session
        return self.forget()

    def forget(self) -> list[str]:
        """Keep the oldest ones as bytes only, and return the ids of those that are not kept at all any more."""
        while len(self._live) > self._max_live:
            id_, session = self._live.popitem(last=False)
            self._past[id_] = encode_session(session)
        gone: list[str] = []
        while len(self._past) > self._max_past:
            id_, _ = self._past.popitem(last=False)
            self.relate(id_, None)
            self.address(id_, None)
            gone.append(id_)
        return gone
