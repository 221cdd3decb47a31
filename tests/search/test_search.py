"""Search over what has happened: what is found, what is not, and an index that can always be made again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.redaction.examples import MIXED

from missioncontrol.errors import BadPattern, BadQuery, Unavailable
from missioncontrol.events import Draft, Event
from missioncontrol.search import Search, parse_query
from missioncontrol.search import index as index_module
from missioncontrol.search import search as search_module
from missioncontrol.search.index import NAME, SearchIndex
from missioncontrol.search.text import snippet, text_of
from missioncontrol.store.memory import MemoryLog


class Library:
    """A log in memory, and the index next to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = MemoryLog()
        self.search = Search(self.log, folder)
        self.log.listen(self.search.committed)

    async def tell(self, type_: str, **data: Any) -> int:
        return (await self.log.append([Draft(type_, data)]))[0]

    async def indexed(self) -> None:
        async with asyncio.timeout(10):
            while self.search.trouble is not None or self.search.lag:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async def find(self, text: str, **limits: Any) -> list[int]:
        await self.indexed()
        found = await self.search.find(parse_query(text), **limits)
        return [hit.event.id for hit in found.hits]

    async def restart(self, *, redacts: bool = True) -> None:
        await self.search.stop()
        self.search = Search(self.log, self.folder, redacts=redacts)
        self.log.listen(self.search.committed)
        self.search.start()


@pytest.fixture
async def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Library]:
    monkeypatch.setattr("missioncontrol.search.search.GATHER_SECONDS", 0.0)
    library = Library(tmp_path)
    library.search.start()
    yield library
    await library.search.stop()


pytestmark = pytest.mark.anyio


async def test_words_find_the_newest_first(library: Library) -> None:
    first = await library.tell("task:created", task={"id": "TASK-0001", "description": "Deploy the shop"})
    await library.tell("file:change", action="created", path="src/app/main.py", agentId="scout")
    third = await library.tell("system:alert", level="warning", message="The deployment of the SHOP failed")
    assert await library.find("shop") == [third, first]
    assert await library.find("deploy shop") == [third, first]
    assert await library.find('"deploy" shop') == [first]
    assert await library.find("shop -failed") == [first]
    assert await library.find("failed the shop") == [third]
    assert await library.find("nothing of the kind") == []


async def test_ids_and_paths_are_found_whole_and_in_part(library: Library) -> None:
    task = await library.tell("task:deleted", taskId="TASK-0001")
    await library.tell("task:deleted", taskId="TASK-0011")
    file = await library.tell("file:change", action="created", path="src/app/main_window.py", agentId="scout")
    assert await library.find("TASK-0001") == [task]
    assert await library.find("task-00 0001") == [task]
    assert await library.find("src/app/main_window.py") == [file]
    assert await library.find("window.py") == [file]
    assert await library.find("indow.py") == []
    assert await library.find("app") == [file]
    assert await library.find("task:deleted 0001") == [task]


async def test_accents_case_and_other_scripts_are_no_obstacle(library: Library) -> None:
    german = await library.tell("custom:note", text="Die Prüfung der Straße")
    hebrew = await library.tell("custom:note", text="שלום עולם")
    assert await library.find("prufung") == [german]
    assert await library.find("STRASSE") == []
    assert await library.find("straße") == [german]
    assert await library.find("שלום") == [hebrew]


async def test_agents_types_and_times_narrow_it_down(library: Library) -> None:
    scout = await library.tell("agent:activity", agentId="scout", fileCount=1, activity="write report")
    forge = await library.tell("agent:activity", agentId="forge", fileCount=1, activity="write report")
    task = await library.tell("task:created", task={"id": "T", "description": "write", "assignedTo": "scout"})
    assert await library.find("write agent:scout") == [task, scout]
    assert await library.find("agent:scout type:task") == [task]
    assert await library.find("write -agent:scout") == [forge]
    assert await library.find("write -type:agent:*") == [task]
    assert await library.find("type:agent:activity") == [forge, scout]
    assert await library.find("write", first=forge) == [task, forge]
    assert await library.find("write", before=task) == [forge, scout]


async def test_pages_follow_each_other_and_the_count_says_what_it_is(library: Library) -> None:
    await library.log.append([Draft("custom:note", {"text": f"word {number}"}) for number in range(1_500)])
    await library.indexed()
    query, before, seen = parse_query("word"), None, list[int]()
    first = await library.search.find(query, limit=100)
    assert (first.total, first.exact) == (1_000, False)
    while True:
        page = await library.search.find(query, before=before, limit=100)
        seen += [hit.event.id for hit in page.hits]
        if page.next is None:
            break
        before = page.next
    assert seen == list(range(1_500, 0, -1))
    last = await library.search.find(query, before=51, limit=100)
    assert (last.total, last.exact, last.next) == (50, True, None)


async def test_an_index_over_several_parts_finds_and_forgets(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "PART", 10)
    monkeypatch.setattr(search_module, "RETENTION_SECONDS", 0.05)
    for number in range(45):
        await library.tell("custom:note", text=f"word {number}")
    assert await library.find("word", limit=100) == list(range(45, 0, -1))
    library.log.trim(25)
    await library.tell("custom:note", text="word last")
    assert await library.find("word", limit=100) == list(range(46, 25, -1))
    tables: set[str] = set()
    async with asyncio.timeout(10):
        while tables != {"part_2", "part_3", "part_4"}:
            await library.tell("custom:note", text="another")
            await asyncio.sleep(0.06)
            parts = sqlite3.connect(library.folder / NAME)
            names = parts.execute("SELECT name FROM sqlite_master WHERE name GLOB 'part_?'")
            tables = {name for (name,) in names}
            parts.close()


async def test_the_words_of_what_the_log_has_trimmed_leave_the_index(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "RETENTION_SECONDS", 0.05)
    for number in range(40):
        await library.tell("custom:note", text=f"secret{number} word")
    await library.indexed()

    def indexed(word: str) -> list[int]:
        return library.search._index.find(word, first=0, last=10**9, limit=100, most=100)[0]

    assert indexed("secret3") == [4]
    # Nothing is published, and no part is over.
    library.log.trim(25)
    async with asyncio.timeout(20):
        while indexed("word") != list(range(40, 25, -1)):  # noqa: ASYNC110 - the index says nothing
            await asyncio.sleep(0.02)
    assert indexed("secret3") == []
    assert await library.find("secret30") == [31]
    await library.tell("custom:note", text="word last")
    assert await library.find("word", limit=100) == list(range(41, 25, -1))
    await library.restart()
    assert await library.find("word", limit=100) == list(range(41, 25, -1))
    assert indexed("secret3") == []


async def test_an_index_stays_small_where_much_is_published_and_trimmed(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "RETENTION_SECONDS", 0.02)
    monkeypatch.setattr(index_module, "PART", 500)
    sizes: list[int] = []
    for turn in range(12):
        await library.log.append(
            [Draft("custom:note", {"text": f"word{turn}x{n} " * 20}) for n in range(1_000)]
        )
        library.log.trim(library.log.head - 1_000)
        await library.indexed()
        await asyncio.sleep(0.1)
        with sqlite3.connect(library.folder / NAME) as file:
            sizes.append(file.execute("PRAGMA page_count").fetchone()[0])
        file.close()
    assert max(sizes) < 3 * max(sizes[:3])
    assert await library.find("word0x5") == []


async def test_an_index_goes_on_where_it_was_after_a_restart(library: Library) -> None:
    first = await library.tell("custom:note", text="before")
    await library.indexed()
    await library.search.stop()
    second = await library.tell("custom:note", text="meanwhile, before long")
    library.search = Search(library.log, library.folder)
    library.log.listen(library.search.committed)
    library.search.start()
    assert await library.find("before") == [second, first]


@pytest.mark.parametrize("harm", ["garbage", "version", "epoch", "gone"])
async def test_an_index_that_cannot_be_used_is_made_again(library: Library, harm: str) -> None:
    told = await library.tell("custom:note", text="before")
    await library.indexed()
    await library.search.stop()
    file = library.folder / NAME
    if harm == "garbage":
        file.write_bytes(b"not a database" * 1_000)
    elif harm == "gone":
        file.unlink()
    else:
        with sqlite3.connect(file) as database:
            database.execute("UPDATE meta SET value = '0' WHERE name = ?", (harm,))
        database.close()
    library.search = Search(library.log, library.folder)
    library.log.listen(library.search.committed)
    library.search.start()
    assert await library.find("before") == [told]


async def test_an_index_that_cannot_be_read_is_said_to_be_so_and_opened_again(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "RETRY_SECONDS", 0.05)
    id_ = await library.tell("custom:event", text="harbour")
    await library.indexed()

    def broken(*_: Any, **__: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as broken_for_now:
        broken_for_now.setattr(SearchIndex, "find", broken)
        with pytest.raises(Unavailable, match="disk I/O error"):
            await library.find("harbour")
        assert library.search.trouble is not None
    assert await library.find("harbour") == [id_]


async def test_an_index_can_be_stopped_at_any_moment(tmp_path: Path) -> None:
    log = MemoryLog()
    await log.append([Draft("custom:note", {"text": "word " * 300}) for _ in range(3_000)])
    for number in range(30):
        search = Search(log, tmp_path)
        log.listen(search.committed)
        search.start()
        await asyncio.sleep(number / 500)
        # A thread may be in the middle of writing.
        await search.stop()
    search = Search(log, tmp_path)
    log.listen(search.committed)
    search.start()
    async with asyncio.timeout(20):
        while search.trouble is not None or search.lag:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await search.find(parse_query("word"))).total == 1_000
    await search.stop()


async def test_without_an_index_nothing_can_be_looked_for_and_it_says_why(
    library: Library, tmp_path: Path
) -> None:
    nowhere = Search(library.log, tmp_path / "missing" / "folder")
    library.log.listen(nowhere.committed)
    nowhere.start()
    with pytest.raises(Unavailable, match="Search is not available"):
        await nowhere.find(parse_query("word"))
    await nowhere.stop()


def test_what_is_not_wanted_alone_finds_nothing() -> None:
    for text in ("", "-word", "!!!", "-agent:scout", '""', "*"):
        with pytest.raises(BadQuery):
            parse_query(text)
    with pytest.raises(BadQuery, match="501 characters"):
        parse_query("x" * 501)
    with pytest.raises(BadQuery, match="21 words"):
        parse_query("ab " * 21)


@given(st.text(max_size=60))
def test_nothing_that_somebody_writes_is_an_error_of_syntax(text: str) -> None:
    try:
        match = parse_query(text).match()
    except (BadQuery, BadPattern):
        return
    database = sqlite3.connect(":memory:")
    database.execute("CREATE VIRTUAL TABLE t USING fts5(text, about, content='')")
    try:
        database.execute("SELECT rowid FROM t WHERE t MATCH ?", (match.encode("utf-8", "replace").decode(),))
    finally:
        database.close()


@given(st.text(max_size=200), st.lists(st.text(min_size=1, max_size=6), max_size=3))
def test_matches_lie_within_the_snippet(text: str, words: list[str]) -> None:
    try:
        terms = parse_query(" ".join(words)).terms
    except (BadQuery, BadPattern):
        return
    part, matches = snippet(text, terms)
    assert all(0 <= begin < end <= len(part) for begin, end in matches)


def test_a_snippet_shows_what_was_found_in_its_place() -> None:
    text = "x " * 200 + "the Prüfung failed here " + "y " * 200
    part, matches = snippet(text, parse_query("pruf failed").terms)
    assert [part[begin:end] for begin, end in matches] == ["Prüfung", "failed"]
    assert part.startswith("…")
    assert part.endswith("…")
    assert len(part) < 300


def test_the_text_of_an_event_is_bounded() -> None:
    deep: Any = "at the bottom"
    for _ in range(50):
        deep = {"in": deep}
    event = Event("custom:note", 1, "", "test", {"long": "x" * 100_000, "deep": deep, "list": ["a", ["b"]]})
    assert len(text_of(event)) < 4_100
    assert "bottom" not in text_of(Event("custom:note", 1, "", "test", {"deep": deep}))


def test_an_index_that_is_closed_finds_nothing(tmp_path: Path) -> None:
    index = SearchIndex(tmp_path)
    assert index.find("x", first=0, last=9, limit=1, most=1) == ([], 0)


async def test_secrets_of_events_are_not_found_and_not_shown(library: Library) -> None:
    token = f"ghp_{MIXED[:36]}"
    id_ = await library.tell("custom:note", text=f"cloned with {token}", dbPassword="correct-horse")
    assert await library.find(token) == []
    assert await library.find("correct-horse") == []
    assert await library.find("cloned") == [id_]
    found = await library.search.find(parse_query("cloned"))
    assert found.hits[0].snippet == "custom:note cloned with [redacted github-token] [redacted named]"


async def test_an_index_is_made_again_when_masking_is_turned_on_or_off(library: Library) -> None:
    token = f"ghp_{MIXED[:36]}"
    id_ = await library.tell("custom:note", text=f"cloned with {token}")
    assert await library.find(token) == []
    await library.restart(redacts=False)
    assert await library.find(token) == [id_]
    await library.restart()
    assert await library.find(token) == []
