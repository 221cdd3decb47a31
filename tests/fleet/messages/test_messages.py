"""What is said in transcripts is kept once, whatever happens to their files and to the process."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.fleet.world import World
from tests.runtimes.installs import add_event, answer, begin_session, create, install

from missioncontrol.config import Config, SearchConfig, SourcesConfig
from missioncontrol.errors import QueryTooSlow, Unavailable
from missioncontrol.fleet.messages import END, NAME, MessageIndex, Messages, Utterance, first_id
from missioncontrol.fleet.messages import index as index_module
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.files.jsonl import JsonlReader
from missioncontrol.runtimes.records import Message

pytestmark = pytest.mark.anyio

T = TypeVar("T")
NOW = round(time.time() * 1000)


class Library(World):
    """A workspace next to the transcripts of Claude Code and OpenClaw, and what is kept of them."""

    def __init__(self, folder: Path, **search: Any) -> None:
        super().__init__(folder)
        self.kinds = (UsageTracker, Messages)
        self.claude = folder / "claude"
        self.project = self.claude / "projects" / "-home-user"
        self.project.mkdir(parents=True)
        self.openclaw = folder / ".openclaw"
        self.config = Config(
            data=str(folder / "data"),
            search=SearchConfig(**search),
            sources=SourcesConfig(
                places={"claude": str(self.claude), "openclaw": str(self.openclaw), "codex": "off"}
            ),
        )

    def say(self, *texts: str, session: str = "s1", at: int = NOW, first: int = 0) -> None:
        with (self.project / f"{session}.jsonl").open("a") as file:
            file.writelines(
                json.dumps(
                    {
                        "type": "user",
                        "uuid": f"{session}-{first + number}",
                        "timestamp": at + first + number,
                        "cwd": "/home/user",
                        "message": {"role": "user", "content": text},
                    }
                )
                + "\n"
                for number, text in enumerate(texts)
            )

    @property
    def messages(self) -> Messages:
        assert self.supervisor is not None
        return self.supervisor.source(Messages)

    async def found(self, match: str, **more: Any) -> list[Utterance]:
        wanted = {"first": 0, "before": END, "sessions": None, "limit": 100, "most": 101, **more}
        return (await self.messages.find(match, **wanted))[0]

    async def texts(self, session: str = "s1") -> list[str]:
        page = await self.messages.page(session, after=0, before=END, limit=100, newest=False)
        return [said.text for said in page or []]

    async def expect(self, told: Callable[[], Awaitable[T]], expected: T) -> None:
        last: T | None = None
        try:
            async with asyncio.timeout(10):
                while last != expected:
                    with suppress(Unavailable):
                        last = await told()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            assert last == expected

    async def until_said(self, *texts: str, session: str = "s1") -> None:
        await self.expect(lambda: self.texts(session), [*texts])


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    library = Library(tmp_path)
    yield library
    await library.stop()


async def test_what_was_there_and_what_is_written_then_can_be_read_and_found(library: Library) -> None:
    library.say("Refactor the importer", "Then measure it")
    await library.start()
    await library.until_said("Refactor the importer", "Then measure it")
    library.say("Großartig gemacht", first=2)
    await library.until_said("Refactor the importer", "Then measure it", "Großartig gemacht")
    assert [said.text for said in await library.found('"import" *')] == ["Refactor the importer"]
    assert [said.text for said in await library.found("grossartig OR großartig")] == ["Großartig gemacht"]
    (said,) = await library.found("measure")
    assert (said.session, said.role, said.at) == ("s1", "user", NOW + 1)


async def test_a_restart_reads_on_and_keeps_nothing_twice(library: Library) -> None:
    library.say("one")
    await library.start()
    await library.until_said("one")
    await library.stop()
    library.say("two", first=1)
    await library.start()
    await library.until_said("one", "two")
    assert len(await library.found("one OR two")) == 2


async def test_a_file_that_is_renamed_or_written_again_is_the_same_transcript(library: Library) -> None:
    library.say("one", "two")
    await library.start()
    await library.until_said("one", "two")
    path = library.project / "s1.jsonl"
    content = path.read_bytes()
    path.unlink()
    library.say("other", session="s2")
    await library.until_said("other", session="s2")
    path.write_bytes(content)
    library.say("three", first=2)
    await library.until_said("one", "two", "three")
    assert len(await library.found("one OR two OR three")) == 3


async def test_what_a_runtime_throws_away_can_still_be_read(library: Library) -> None:
    library.say("one")
    await library.start()
    await library.until_said("one")
    (library.project / "s1.jsonl").unlink()
    await library.restart()
    await library.until_said("one")


@pytest.mark.parametrize(
    ("sample", "counts"),
    [
        ("2026.7.35-jsonl", {"user": 8, "assistant": 8, "call": 2, "result": 2}),
        ("2026.9.6-sqlite", {"user": 9, "assistant": 8, "call": 2, "result": 2}),
        ("2026.9.6-sqlite-crashed", {"user": 11, "assistant": 10, "call": 2, "result": 2}),
    ],
)
async def test_the_transcripts_of_real_releases_are_read(
    tmp_path: Path, sample: str, counts: dict[str, int]
) -> None:
    library = Library(tmp_path, transcript_days=100_000.0)
    install(tmp_path, sample)
    await library.start()

    async def kept() -> dict[str, int]:
        path = library.config.data_path / NAME
        with closing(sqlite3.connect(path)) as connection:
            return dict(connection.execute("SELECT role, count(*) FROM message GROUP BY role").fetchall())

    await library.expect(kept, counts)
    await library.stop()


async def test_a_database_is_read_on_while_it_is_written(library: Library) -> None:
    connection = create(library.openclaw / "agents/scout/agent/openclaw-agent.sqlite")
    begin_session(connection, "db-1")
    add_event(connection, "db-1", 0, answer(NOW - 1_795_395_000_000))
    await library.start()
    await library.until_said("Done.", session="db-1")
    add_event(connection, "db-1", 1, answer(NOW - 1_795_395_000_000 + 5))
    await library.until_said("Done.", "Done.", session="db-1")
    await library.restart()
    await library.until_said("Done.", "Done.", session="db-1")
    connection.close()


async def test_a_line_that_is_repeated_later_is_kept_once(library: Library) -> None:
    library.say("one")
    library.say("two", first=5_000)
    library.say("one")
    await library.start()
    await library.until_said("one", "two")


async def test_a_file_that_cannot_be_read_holds_up_no_other(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.say("secret", session="a-locked-one")
    library.say("one")
    read = JsonlReader.read

    def refuse(self: JsonlReader, *arguments: Any) -> Any:
        if self._transcript.path.stem == "a-locked-one":
            raise PermissionError(13, "Permission denied")
        return read(self, *arguments)

    monkeypatch.setattr(JsonlReader, "read", refuse)
    await library.start()
    await library.until_said("one")
    assert library.supervisor is not None
    assert library.supervisor.health()["messages"].restarts == 0


async def test_a_damaged_file_is_made_again_from_the_transcripts(library: Library) -> None:
    library.say("one", "two")
    await library.start()
    await library.until_said("one", "two")
    await library.stop()
    (library.config.data_path / NAME).write_bytes(b"no database at all" * 1000)
    await library.start()
    await library.until_said("one", "two")


async def test_damage_that_shows_later_is_mended_by_the_next_run(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.supervisor.FIRST_PAUSE", 0.02)
    library.say("one")
    await library.start()
    await library.until_said("one")
    spoil = MessageIndex.position
    spoilt = False

    def position(self: MessageIndex, path: str) -> bytes | None:
        nonlocal spoilt
        if not spoilt:
            spoilt = True
            with self._database.writing():
                raise sqlite3.DatabaseError("database disk image is malformed")
        return spoil(self, path)

    monkeypatch.setattr(MessageIndex, "position", position)
    library.say("two", first=1)
    await library.until_said("one", "two")
    assert any("messages failed" in alert["message"] for alert in library.told("system:alert"))


async def test_what_is_too_old_is_not_kept(tmp_path: Path) -> None:
    library = Library(tmp_path, transcript_days=2.0)
    library.say("long ago", session="old", at=NOW - 3 * 86_400_000)
    library.say("not looked into", session="untouched")
    os.utime(library.project / "untouched.jsonl", (NOW / 1000 - 3 * 86_400,) * 2)
    library.say("today")
    await library.start()
    await library.until_said("today")
    assert await library.texts("old") == []
    assert await library.texts("untouched") == []
    await library.stop()


async def test_a_clock_that_jumps_ahead_takes_nothing_of_what_was_said(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("missioncontrol.fleet.messages.source.TRIM_SECONDS", 0.02)
    library.say("before")
    await library.start()
    await library.until_said("before")
    monkeypatch.setattr("missioncontrol.store.clock.now", lambda: round((time.time() + 400 * 86_400) * 1000))
    library.say("during", first=1)
    await library.until_said("before", "during")
    # Trimmed several times meanwhile.
    for number in range(2, 6):
        library.say(f"{number}", first=number)
        await library.until_said("before", "during", *map(str, range(2, number + 1)))


async def test_nothing_is_kept_where_that_is_turned_off(tmp_path: Path) -> None:
    library = Library(tmp_path, transcripts=False)
    library.say("one")
    await library.start()
    assert library.supervisor is not None
    assert library.supervisor.health()["messages"].note == "turned off"
    assert not (library.config.data_path / NAME).exists()
    with pytest.raises(Unavailable):
        await library.texts()
    await library.stop()


def message(number: int, text: str = "word", *, session: str = "s", at: int = NOW) -> Message:
    return Message(session, f"k{number}", at + number, "user", text)


@pytest.fixture
def index(tmp_path: Path) -> MessageIndex:
    index = MessageIndex(tmp_path)
    index.open()
    return index


def count(index: MessageIndex) -> int:
    return index.find("word", first=0, before=END, sessions=None, limit=0, most=100_000)[1]


def test_what_is_too_old_goes_by_steps(index: MessageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "TRIM_ROWS", 10)
    index.enter((message(number) for number in range(25)), "f", b"1", 0)
    assert index.trim(NOW + 15, 1 << 30)
    assert not index.trim(NOW + 15, 1 << 30)
    assert count(index) == 10
    assert [said.at - NOW for said in index.page("s", after=0, before=END, limit=3, newest=False)] == [
        15,
        16,
        17,
    ]


def test_a_file_that_is_too_large_loses_the_oldest(index: MessageIndex) -> None:
    index.enter((message(number, f"word {number} " + "x" * 500) for number in range(8_000)), "f", b"1", 0)
    while index.trim(0, 3 << 20):
        pass
    left = index.page("s", after=0, before=END, limit=10_000, newest=False)
    assert 0 < len(left) < 8_000
    assert left[-1].text.startswith("word 7999 ")
    assert count(index) == len(left)


def test_sessions_narrow_it_down_and_pages_follow_each_other(index: MessageIndex) -> None:
    for session in ("a", "b"):
        index.enter((message(number, session=session) for number in range(20)), session, b"1", 0)
    found, total = index.find("word", first=0, before=END, sessions=["b", "none"], limit=5, most=100)
    assert ([said.at - NOW for said in found], total) == ([19, 18, 17, 16, 15], 20)
    assert {said.session for said in found} == {"b"}
    more, _ = index.find(
        "word", first=first_id(NOW + 13), before=found[-1].id, sessions=["b"], limit=5, most=100
    )
    assert [said.at - NOW for said in more] == [14, 13]
    assert index.find("word", first=0, before=END, sessions=[], limit=5, most=100) == ([], 0)


def test_the_same_messages_in_any_portions_are_the_same_rows(index: MessageIndex) -> None:
    all_ = [message(number) for number in range(30)]
    assert index.enter(all_[:20], "f", b"1", 0) == 20
    assert index.enter(all_[5:25], "g", b"2", 0) == 5
    assert index.enter(reversed(all_), "f", b"3", 0) == 5
    assert count(index) == 30
    assert index.position("f") == b"3"


def test_a_look_that_takes_too_long_ends(index: MessageIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    index.enter((message(number) for number in range(60_000)), "f", b"1", 0)
    monkeypatch.setattr("missioncontrol.store.derived.QUERY_SECONDS", 0.0)
    with pytest.raises(QueryTooSlow):
        index.find("word", first=0, before=END, sessions=None, limit=1, most=100_000)
