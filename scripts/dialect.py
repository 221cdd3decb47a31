"""Counts words for which technical English has a usual term, in sources and documentation.

`python scripts/dialect.py told` lists the files that have a word. A test holds that there are no more than there were.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

INSTEAD = {
    "told": "published, notified, reported",
    "tell": "publish, notify, report",
    "tells": "publishes, notifies, reports",
    "telling": "publishing, notifying, reporting",
    "whoever": "the caller, the client, the agent",
    "nobody": "no client, no agent",
    "somebody": "a client, a person",
    "anybody": "any client",
    "anew": "again",
    "beside": "next to, in addition to",
    "stands": "is",
    "stand": "be",
    "hears": "receives",
    "heard": "received",
}
"""The words, and what to write instead."""

MOST = {
    "told": 445,
    "tell": 134,
    "tells": 91,
    "telling": 9,
    "whoever": 113,
    "nobody": 170,
    "somebody": 106,
    "anybody": 30,
    "anew": 24,
    "beside": 24,
    "stands": 165,
    "stand": 54,
    "hears": 8,
    "heard": 99,
}
"""How many of each there may be. These numbers only fall: lower them when a text loses some."""

ROOT = Path(__file__).parents[1]
_PLACES = ("src/missioncontrol", "web/src", "docs")
_KINDS = (".py", ".ts", ".tsx", ".css", ".md")
_BUILT = ROOT / "src/missioncontrol/server/web"


def files() -> Iterator[Path]:
    """Return the files in which words are counted."""
    for place in _PLACES:
        for path in sorted((ROOT / place).rglob("*")):
            if path.suffix in _KINDS and not path.is_relative_to(_BUILT):
                yield path
    yield from (ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md"))


def count(text: str) -> Counter[str]:
    """Count the words in a text, in any case."""
    return Counter(word for word in re.findall(r"[a-z]+", text.lower()) if word in INSTEAD)


def count_all() -> Counter[str]:
    """Count the words in all files."""
    total: Counter[str] = Counter()
    for path in files():
        total += count(path.read_text(encoding="utf-8"))
    return total


def main() -> None:
    """Print the counts, or the files with the most of one word."""
    if len(sys.argv) > 1:
        by_file = {path: count(path.read_text(encoding="utf-8"))[sys.argv[1]] for path in files()}
        for path, number in sorted(by_file.items(), key=lambda one: -one[1]):
            if number:
                print(f"{number:5} {path.relative_to(ROOT)}")
        return
    for word, number in count_all().most_common():
        print(f"{number:5} {word:10} {INSTEAD[word]}")


if __name__ == "__main__":
    main()
