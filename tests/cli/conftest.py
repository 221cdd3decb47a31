"""A fake server next to the test, in a thread with a loop of its own: the commands have loops of theirs."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from missioncontrol.config import ENVIRONMENT
from tests.client.fake_server import FakeServer

T = TypeVar("T")


class BesideServer:
    """The fake server, and a way to run coroutines where it lives."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.fake = self.run(self._start())

    @property
    def url(self) -> str:
        return self.fake.url

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def close(self) -> None:
        self.run(self.fake.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> FakeServer:
        fake = FakeServer()
        await fake.start()
        return fake


@pytest.fixture
def beside() -> Iterator[BesideServer]:
    server = BesideServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever runs the tests may have settings, and a running server, of their own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data-home")))
    for name in os.environ:
        if name.startswith("MISSION_CONTROL_") or name in ENVIRONMENT:
            monkeypatch.delenv(name)
