"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nats_process import NatsProcess


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def nobodys_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the sources look for agents' runtimes where there are none, and not with whoever runs the tests."""
    nowhere = tmp_path_factory.getbasetemp() / "no-such-folder"
    for name in ("OPENCLAW_STATE_DIR", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.setenv(name, str(nowhere))
    return nowhere


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsProcess]:
    """A NATS server with JetStream that nobody kills; each test has a stream of its own in it."""
    with NatsProcess(tmp_path_factory.mktemp("nats")) as server:
        server.start()
        yield server
