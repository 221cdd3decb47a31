"""The config file of a running server is followed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.cli.config_watch import ConfigWatch
from missioncontrol.config import Config, load_config
from missioncontrol.errors import ConfigError

pytestmark = pytest.mark.anyio

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
