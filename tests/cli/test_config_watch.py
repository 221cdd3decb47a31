"""The config file of a running server is followed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from missioncontrol.cli.config_watch import ConfigWatch
from missioncontrol.config import Config, load_config
from missioncontrol.errors import ConfigError

pytestmark = pytest.mark.anyio


def into(applied: asyncio.Queue[Config]) -> Callable[[Config], int]:
    def apply(config: Config) -> int:
        applied.put_nowait(config)
        return 0

    return apply


FIRST = "[server]\nport = 4001\n"


async def test_a_change_is_applied_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FIRST)
    applied: asyncio.Queue[Config] = asyncio.Queue()

    broken = asyncio.Event()
    loop = asyncio.get_running_loop()

    def load() -> Config:
        try:
            return load_config(file)
        except ConfigError:
            loop.call_soon_threadsafe(broken.set)
            raise

    def apply(config: Config) -> int:
        applied.put_nowait(config)
        return 0

    watch = ConfigWatch(file, load, apply)
    running = asyncio.create_task(watch.run())
    try:
        file.write_text("[server")
        watch.reload()
        async with asyncio.timeout(10):
            await broken.wait()
        assert applied.empty()
        file.write_text(FIRST.replace("4001", "4002"))
        async with asyncio.timeout(10):
            assert (await applied.get()).server.wanted_port == 4002
            watch.reload()
            assert (await applied.get()).server.wanted_port == 4002
    finally:
        running.cancel()


@pytest.mark.parametrize(
    "odd",
    [
        b"x = " + b"7" * 10_000,
        b"a = " + b"[" * 100_000,
        b"a" + b".a" * 50_000 + b" = 1",
        b"#" * (1024 * 1024 + 1),
        b"\xff",
    ],
    ids=["a huge number", "too deep", "a long key", "too large", "no text"],
)
async def test_after_an_odd_file_the_next_one_is_taken(tmp_path: Path, odd: bytes) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FIRST)
    applied: asyncio.Queue[Config] = asyncio.Queue()
    watch = ConfigWatch(file, lambda: load_config(file), into(applied))
    running = asyncio.create_task(watch.run())
    try:
        file.write_bytes(odd)
        with pytest.raises(ConfigError):
            load_config(file)
        watch.reload()
        await asyncio.sleep(0)
        file.write_text(FIRST.replace("4001", "4003"))
        watch.reload()
        async with asyncio.timeout(10):
            assert (await applied.get()).server.wanted_port == 4003
    finally:
        running.cancel()


def test_a_pipe_in_the_place_of_the_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.toml")
    with pytest.raises(ConfigError, match="no regular file"):
        load_config(tmp_path / "config.toml")


async def test_an_error_that_was_not_foreseen_does_not_end_the_following(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FIRST)
    applied: asyncio.Queue[Config] = asyncio.Queue()
    results: list[Config | Exception] = [ZeroDivisionError("odd"), load_config(file)]
    failed, loop = asyncio.Event(), asyncio.get_running_loop()

    def load() -> Config:
        found = results.pop(0)
        if isinstance(found, Exception):
            loop.call_soon_threadsafe(failed.set)
            raise found
        return found

    watch = ConfigWatch(file, load, into(applied))
    running = asyncio.create_task(watch.run())
    try:
        watch.reload()
        await failed.wait()
        watch.reload()
        async with asyncio.timeout(10):
            await applied.get()
    finally:
        running.cancel()


async def test_a_file_that_an_editor_empties_before_it_writes_is_read_when_it_is_written(
    tmp_path: Path,
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(FIRST)
    applied: asyncio.Queue[Config] = asyncio.Queue()
    watch = ConfigWatch(file, lambda: load_config(file), into(applied))
    running = asyncio.create_task(watch.run())
    try:
        file.write_text("")
        watch.reload()
        # The watch has seen the empty file by now, and waits.
        await asyncio.sleep(0)
        await asyncio.to_thread(file.stat)
        file.write_text(FIRST.replace("4001", "4002"))
        async with asyncio.timeout(10):
            assert (await applied.get()).server.wanted_port == 4002
        # One that stays empty is taken all the same.
        file.write_text("")
        watch.reload()
        async with asyncio.timeout(10):
            assert (await applied.get()).server.port == "auto"
    finally:
        running.cancel()
