"""Secrets in transcripts are masked before they are kept, and in what was kept before."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.fleet.messages.test_messages import NOW, Library
from tests.redaction.examples import KEY_HEAD, MIXED

from missioncontrol.fleet.messages import END, NAME, MessageIndex
from missioncontrol.fleet.messages import index as index_module
from missioncontrol.redaction import redact, revision
from missioncontrol.runtimes.messages import MAX_SAID
from missioncontrol.runtimes.records import Message

pytestmark = pytest.mark.anyio

TOKEN = f"ghp_{MIXED[:36]}"


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Any]:
    libraries: list[Library] = []

    async def start(*texts: str, **search: Any) -> Library:
        library = Library(tmp_path, **search) if not libraries else libraries[0]
        libraries.append(library)
        library.say(*texts)
        await library.start()
        return library

    yield start
    await libraries[0].stop()


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(f"{NAME}*"))


async def test_a_secret_is_neither_shown_nor_found_nor_in_the_copy(start: Any, tmp_path: Path) -> None:
    library = await start(f"export GITHUB_TOKEN={TOKEN} and go on")
    await library.until_said("export GITHUB_TOKEN=[redacted github-token] and go on")
    assert await library.found(f'"{TOKEN}"') == []
    assert await library.found("redacted") != []
    await library.stop()
    assert TOKEN.encode() not in bytes_of(tmp_path / "data")


async def test_it_can_be_turned_off(start: Any) -> None:
    library = await start(f"token {TOKEN}", redact=False)
    await library.until_said(f"token {TOKEN}")
    assert len(await library.found(f'"{TOKEN}"')) == 1


async def test_a_secret_at_the_place_where_a_text_is_cut_is_masked_too(start: Any) -> None:
    """The first half of a secret has no form."""
    filler = "word " * ((MAX_SAID - 20) // 5)
    library = await start(f"{filler}{TOKEN} end", f"{filler}{KEY_HEAD}\n{MIXED * 20}")
    await library.expect(lambda: _count(library), 2)
    for text in await library.texts():
        assert MIXED[:10] not in text
        assert len(text) <= MAX_SAID


async def _count(library: Library) -> int:
    return len(await library.texts())


def old_messages(folder: Path, count: int) -> None:
    """Keep messages as a release did that did not mask."""
    folder.mkdir(exist_ok=True)
    index = MessageIndex(folder)
    index.open()
    messages = [
        Message("old", str(n), NOW - 10_000 + n, "user", f"number {n} has {TOKEN} in it")
        for n in range(count)
    ]
    index.enter(messages, "/gone.jsonl", b"x", 0)
    index.close()


async def test_what_an_earlier_release_has_kept_is_masked(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_messages(tmp_path / "data", 450)
    monkeypatch.setattr(index_module, "REDACT_ROWS", 100)
    library = await start("new")

    async def plain() -> int:
        return len(await library.found(f'"{TOKEN}"', most=1_000, limit=1_000))

    await library.expect(plain, 0)
    page = await library.texts("old")
    assert page[7] == "number 7 has [redacted github-token] in it"
    assert len(await library.found("redacted", most=1_000, limit=1_000)) == 450
    await library.expect(lambda: _unmasked(library), "")
    await library.stop()
    assert TOKEN.encode() not in bytes_of(tmp_path / "data")


async def _unmasked(library: Library) -> str | None:
    return library.messages._index._database.meta("unmasked")


def test_masking_goes_on_after_a_restart_and_is_not_done_twice(tmp_path: Path) -> None:
    """In steps, each of which is kept with the place that it has come to."""
    index = MessageIndex(tmp_path)
    index.open()
    index.enter([Message("s", "1", NOW, "user", f"a {TOKEN}")], "/f", b"x", 0)
    assert index.begin_redaction(revision())
    index.close()
    with closing(index):
        index.open()
        assert index.begin_redaction(revision())
        for _ in range(100):
            if not index.redact_some(redact):
                break
        assert not index.begin_redaction(revision())
        assert (
            index.page("s", after=0, before=END, limit=9, newest=False)[0].text == "a [redacted github-token]"
        )
        assert index.begin_redaction("other rules")


def test_an_empty_index_needs_no_masking(tmp_path: Path) -> None:
    index = MessageIndex(tmp_path)
    index.open()
    with closing(index):
        assert not index.begin_redaction(revision())
