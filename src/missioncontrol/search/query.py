"""The queries of a search box, and their form for the index.

All words must occur, at the beginning of a word (`deploy` finds `deployment`). Text in quotation marks must occur
exactly; a term after a minus must not occur. `agent:scout`, `type:task:*` and `host:alpha` filter the events.
There are no syntax errors: text without a special meaning is an ordinary word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from missioncontrol.errors import BadQuery
from missioncontrol.events import Patterns

MAX_QUERY_LENGTH = 500
MAX_WORDS = 20

_PARTS = re.compile(r'(?P<minus>-)?(?:(?P<name>agent|type|host):)?(?:"(?P<quoted>[^"]*)"?|(?P<plain>\S+))')
_LETTERS = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Term:
    """A term that must occur, or must not; an `exact` one only as consecutive whole words."""

    text: str
    exact: bool = False
    unwanted: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """The terms to search for, and the agents, hosts and types of the events to search in."""

    terms: tuple[Term, ...] = ()
    agents: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    patterns: Patterns | None = None
    unwanted_tags: tuple[str, ...] = field(default=())

    @property
    def wanted(self) -> list[Term]:
        """The terms that must occur."""
        return [term for term in self.terms if not term.unwanted]

    def words(self) -> str:
        """Return the words alone in the syntax of FTS5, for an index that has only words; empty without any."""
        match = " AND ".join(_phrase(term) for term in self.wanted)
        unwanted = " OR ".join(_phrase(term) for term in self.terms if term.unwanted)
        return f"({match}) NOT ({unwanted})" if match and unwanted else match

    def wants_agent(self, id_: str) -> bool:
        """Return whether the query includes messages of an agent, which may be named without its host."""
        names = {id_.casefold(), id_.rpartition("@")[0].casefold() or id_.casefold()}
        if any(tag("agent", name) in self.unwanted_tags for name in names):
            return False
        return not self.agents or any(agent.casefold() in names for agent in self.agents)

    def match(self) -> str:
        """Write it as the index reads it (https://www.sqlite.org/fts5.html, section 3)."""
        parts = [f"text : {_phrase(term)}" for term in self.wanted]
        for kind, names in (("agent", self.agents), ("host", self.hosts)):
            if names:
                parts.append(_any(tag(kind, name) for name in names))
        if self.patterns is not None:
            types = [tag("type", type_) for type_ in sorted(self.patterns.types)]
            parts.append(_any([*types, *(tag("category", one) for one in sorted(self.patterns.categories))]))
        unwanted = [f"text : {_phrase(term)}" for term in self.terms if term.unwanted]
        unwanted += [f'about : "{one}"' for one in self.unwanted_tags]
        match = " AND ".join(f"({part})" for part in parts)
        return match if not unwanted else f"({match}) NOT ({' OR '.join(unwanted)})"


def parse_query(
    text: str, *, agents: Iterable[str] = (), hosts: Iterable[str] = (), patterns: Patterns | None = None
) -> Query:
    """Parse a search query.

    Args:
        text: the query as it was entered.
        agents: only events about one of these.
        hosts: only events that were published at one of these.
        patterns: only events of these types.

    Raises:
        BadQuery: it is too long, or has only terms with a minus.
        BadPattern: the value of `type:` is not a pattern.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise BadQuery(f"The query has {len(text):,} characters; at most {MAX_QUERY_LENGTH} are allowed.")
    terms: list[Term] = []
    unwanted: list[str] = []
    some_agents, some_hosts, types = list(agents), list(hosts), list[str]()
    for part in _PARTS.finditer(text):
        quoted, plain = part["quoted"], part["plain"]
        value = quoted if plain is None else plain
        minus = part["minus"] is not None
        if part["name"] is not None and value:
            if minus and part["name"] != "type":
                unwanted.append(tag(part["name"], value))
            elif minus:
                unwanted += _tags_of(Patterns.parse(value))
            else:
                {"agent": some_agents, "host": some_hosts, "type": types}[part["name"]].append(value)
        elif value and _LETTERS.search(value):
            terms.append(Term(value, quoted is not None, minus))
    if len(terms) > MAX_WORDS:
        raise BadQuery(f"The query has {len(terms)} words; at most {MAX_WORDS} are allowed.")
    if types:
        patterns = Patterns.parse(",".join(types))
    if patterns is not None and patterns.everything:
        # It filters nothing.
        patterns = None
    query = Query(tuple(terms), tuple(some_agents), tuple(some_hosts), patterns, tuple(unwanted))
    if not (query.wanted or query.agents or query.hosts or query.patterns):
        raise BadQuery("The query needs at least one word, or agent:…, type:… or host:… (without a minus).")
    return query


def tag(kind: str, name: str) -> str:
    """Return the tag of an agent, a type, a category or a host in the index: a single word."""
    return f"{kind[0]}{blake2b(name.casefold().encode('utf-8', 'replace'), digest_size=8).hexdigest()}"


def _tags_of(patterns: Patterns) -> list[str]:
    types = [tag("type", type_) for type_ in sorted(patterns.types)]
    return types + [tag("category", category) for category in sorted(patterns.categories)]


def _any(tags: Iterable[str]) -> str:
    return " OR ".join(f'about : "{one}"' for one in tags)


def _phrase(term: Term) -> str:
    quoted = term.text.replace('"', '""').replace("\0", " ")
    # A prefix of one letter would match too many words.
    return f'"{quoted}"' if term.exact or len(_LETTERS.findall(term.text)) < 2 else f'"{quoted}" *'
