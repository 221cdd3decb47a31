"""Says of a regular expression whether a backtracking engine matches it in time linear in the text.

A backtracking engine tries one after the other the ways in which an expression reads a text. So its time is linear
where the number of those ways is bounded, and that can be decided from the expression alone (Weber and Seidl, "On the
degree of ambiguity of finite automata", 1991). The positions of its characters make an automaton. The number of ways is
exponential if one loop can be gone through in two ways on the same text, and polynomial if a text that two different
loops can be gone through on also leads from one to the other. A search begins with a loop over any character.

The answer is on the safe side: None is a proof, an ambiguity is a suspicion. Beyond an automaton's means are:

- look-around: the body of a look-ahead is checked alone, and otherwise it holds always;
- atomic groups, and possessive ones of several characters: they are checked as if they gave back what they took;
- back-references, which are refused.

Repetitions with a bound count as two.
"""

from __future__ import annotations

import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as sre  # type: ignore[import-not-found]
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["search", "match", "fullmatch"]

_SAMPLE = "".join(map(chr, range(256))) + "ıſK：–—‘’“”•·«»„「」\u2028\u2029\u200b\u202aé中٣😀"
"""Characters that stand for all others; those that an expression names itself are added."""


@dataclass
class _Piece:
    """A part of an expression: whether it can be empty, and the positions that it begins and ends with.

    `sure` are those of the last after which it has matched without a further condition, such as `$`; `free` says that
    it can be empty without one.
    """

    empty: bool
    first: tuple[int, ...] = ()
    last: tuple[int, ...] = ()
    sure: tuple[int, ...] = ()
    free: bool = True


@dataclass
class _Automaton:
    """Positions that read one character each; `follow` counts the ways from one to the next."""

    alphabet: str
    flags: int
    reads: list[int] = field(default_factory=list)
    follow: list[Counter[int]] = field(default_factory=list)
    inner: list[Any] = field(default_factory=list)
    kept: set[int] = field(default_factory=set)

    def position(self, reads: int) -> _Piece:
        self.reads.append(reads)
        self.follow.append(Counter())
        place = len(self.reads) - 1
        return _Piece(False, (place,), (place,), (place,), free=False)

    def join(self, lasts: Iterable[int], firsts: Iterable[int]) -> None:
        firsts = list(firsts)
        for last in lasts:
            self.follow[last].update(firsts)

    def sequence(self, one: _Piece, other: _Piece) -> _Piece:
        self.join(one.last, other.first)
        return _Piece(
            one.empty and other.empty,
            one.first + other.first if one.empty else one.first,
            one.last + other.last if other.empty else other.last,
            one.sure + other.sure if other.free else other.sure,
            one.free and other.free,
        )

    def build(self, items: Iterable[tuple[Any, Any]]) -> _Piece:
        whole = _Piece(True)
        for code, argument in items:
            whole = self.sequence(whole, self.one(code, argument))
        return whole

    def one(self, code: Any, argument: Any) -> _Piece:
        if code in (op.LITERAL, op.NOT_LITERAL, op.IN, op.ANY, op.CATEGORY):
            return self.position(self.characters(code, argument))
        if code is op.SUBPATTERN:
            return self.build(argument[3])
        if code is op.ATOMIC_GROUP:
            return self.build(argument)
        if code is op.BRANCH:
            pieces = [self.build(branch) for branch in argument[1]]
            return _Piece(
                any(piece.empty for piece in pieces),
                tuple(place for piece in pieces for place in piece.first),
                tuple(place for piece in pieces for place in piece.last),
                tuple(place for piece in pieces for place in piece.sure),
                any(piece.free for piece in pieces),
            )
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, body = argument
            if most is op.MAXREPEAT:
                # `x{3,}` is x x x x*, for what matters here x x*.
                before = self.build(body) if least > 1 else _Piece(True)
                loop = self.build(body)
                self.join(loop.last, loop.first)
                if code is op.POSSESSIVE_REPEAT and len(body) == 1 and loop.first == loop.last:
                    self.kept.update(loop.first)
                loop.empty, loop.free = loop.empty or least == 0, loop.free or least == 0
                return self.sequence(before, loop)
            whole = _Piece(True)
            for turn in range(min(most, 2)):
                piece = self.build(body)
                if turn >= min(least, 2):
                    piece.empty = piece.free = True
                whole = self.sequence(whole, piece)
            return whole
        if code in (op.ASSERT, op.ASSERT_NOT):
            if argument[0] > 0:
                self.inner.append(argument[1])
            return _Piece(True, free=False)
        if code is op.AT:
            return _Piece(True, free=False)
        raise NotImplementedError(f"{code} is beyond this check")

    def characters(self, code: Any, argument: Any) -> int:
        """Return as bits which characters of the alphabet a position reads."""
        pattern = sre.SubPattern(_state(self.flags), [(code, argument)])
        expression = re._compiler.compile(pattern, self.flags)  # type: ignore[attr-defined]
        return sum(1 << place for place, one in enumerate(self.alphabet) if expression.match(one))


def _state(flags: int) -> Any:
    state = sre.State()
    state.flags = flags
    state.str = ""
    return state


def ambiguity(expression: re.Pattern[Any], mode: Mode) -> str | None:
    """Return why matching may take more than linear time, or None, which is a proof that it does not."""
    source = expression.pattern
    flags = expression.flags
    if isinstance(source, bytes):
        # The same over the first 256 characters, with letters as bytes know them.
        source, flags = source.decode("latin-1"), flags | re.ASCII | re.UNICODE
        flags &= ~re.UNICODE
    tree = sre.parse(source, flags)
    alphabet = _alphabet(tree, source)
    return _ambiguity(tree, mode, tree.state.flags, alphabet)


def _ambiguity(tree: Any, mode: Mode, flags: int, alphabet: str) -> str | None:
    automaton = _Automaton(alphabet, flags)
    everything = (1 << len(alphabet)) - 1
    items = list(tree)
    begin = (
        items[0] == (op.AT, op.AT_BEGINNING_STRING) or items[0] == (op.AT, op.AT_BEGINNING)
        if items
        else False
    )
    of_line = begin and items[0] == (op.AT, op.AT_BEGINNING) and bool(flags & re.MULTILINE)
    prefix = None
    if mode == "search" and (not begin or of_line):
        prefix = automaton.position(everything)
        automaton.join(prefix.last, prefix.first)
        if of_line:
            ends = automaton.position(1 << alphabet.index("\n"))
            automaton.join(prefix.last, ends.first)
            prefix = ends
    whole = automaton.build(items)
    if prefix is not None:
        automaton.join(prefix.last, whole.first)
    # Where one of these is reached there is a match, whatever follows.
    sure = set(whole.sure)
    if mode == "fullmatch":
        # Only a loop over any character reads whatever follows.
        sure = {
            place
            for place in sure
            if place in automaton.follow[place] and automaton.reads[place] == everything
        }
    before = _before(automaton, whole.first if prefix is None else (0, *prefix.last), sure)
    for body in automaton.inner:
        if (found := _ambiguity(body, mode, flags, alphabet)) is not None:
            return f"in a look-ahead: {found}"
    return _exponential(automaton) or _polynomial(automaton, sure, before)


def _before(automaton: _Automaton, starts: Iterable[int], sure: set[int]) -> set[int]:
    """Return the positions that can be reached without passing one of `sure`."""
    seen = set(starts) - sure
    todo = deque(seen)
    while todo:
        for after in automaton.follow[todo.popleft()]:
            if after not in seen and after not in sure:
                seen.add(after)
                todo.append(after)
    return seen


def _exponential(automaton: _Automaton) -> str | None:
    """Look for a loop that can be gone through in two ways on the same text."""
    for place, following in enumerate(automaton.follow):
        for after, ways in following.items():
            if ways > 1 and _reaches(automaton, after, place):
                return f"exponential: a loop inside a loop reads {_shown(automaton, after)}"
    for start in range(len(automaton.reads)):
        if _pair_returns(automaton, start):
            return f"exponential: two ways through a loop over {_shown(automaton, start)}"
    return None


def _reaches(automaton: _Automaton, start: int, goal: int) -> bool:
    seen, todo = {start}, deque([start])
    while todo:
        place = todo.popleft()
        if place == goal:
            return True
        for after in automaton.follow[place]:
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return False


def _pairs(automaton: _Automaton, one: int, other: int) -> Iterator[tuple[int, int]]:
    for first in automaton.follow[one]:
        for second in automaton.follow[other]:
            if automaton.reads[first] & automaton.reads[second]:
                yield first, second


def _pair_returns(automaton: _Automaton, start: int) -> bool:
    if not _reaches_itself(automaton, start):
        return False
    seen: set[tuple[int, int]] = {(start, start)}
    todo = deque(seen)
    parted: set[tuple[int, int]] = set()
    while todo:
        pair = todo.popleft()
        for after in _pairs(automaton, *pair):
            apart = pair in parted or after[0] != after[1]
            if after == (start, start) and apart:
                return True
            if after not in seen or (apart and after not in parted):
                seen.add(after)
                if apart:
                    parted.add(after)
                todo.append(after)
    return False


def _reaches_itself(automaton: _Automaton, start: int) -> bool:
    return any(_reaches(automaton, after, start) for after in automaton.follow[start])


def _polynomial(automaton: _Automaton, sure: set[int], before: set[int]) -> str | None:
    """Look for two loops that can be gone through on the same text, which also leads from one to the other."""
    loops = [place for place in range(len(automaton.reads)) if _reaches_itself(automaton, place)]
    for one in loops:
        for other in loops:
            # What a possessive loop over characters can read it reads: it is not left on a text that it loops over.
            if one == other or one in automaton.kept or not _reaches(automaton, one, other):
                continue
            # With a match found, the first of the loops is not gone through in another way.
            if other in sure or (one in before and other not in before):
                continue
            if _triple_exists(automaton, one, other):
                return (
                    f"polynomial: {_shown(automaton, one)} and {_shown(automaton, other)} "
                    f"(positions {one} and {other}) loop over the same text"
                )
    return None


def _triple_exists(automaton: _Automaton, one: int, other: int) -> bool:
    start, goal = (one, one, other), (one, other, other)
    seen, todo = {start}, deque([start])
    while todo:
        first, second, third = todo.popleft()
        for a in automaton.follow[first]:
            for b in automaton.follow[second]:
                both = automaton.reads[a] & automaton.reads[b]
                if not both:
                    continue
                for c in automaton.follow[third]:
                    if not both & automaton.reads[c]:
                        continue
                    after = (a, b, c)
                    if after == goal:
                        return True
                    if after not in seen:
                        seen.add(after)
                        todo.append(after)
    return False


def _shown(automaton: _Automaton, place: int) -> str:
    bits = automaton.reads[place]
    characters = [one for at, one in enumerate(automaton.alphabet) if bits >> at & 1]
    return repr("".join(characters[:8])) + ("…" if len(characters) > 8 else "")


def _alphabet(tree: Any, source: str) -> str:
    return "".join(dict.fromkeys(_SAMPLE + source))
