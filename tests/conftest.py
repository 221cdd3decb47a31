"""What all tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.loop_watch import loop_is_not_held
from tests.nats_process import NatsProcess

__all__ = ["loop_is_not_held"]


def pytest_configure() -> None:
    """Take no signal as ignored: what is started inherits that, from `nohup` or a shell without job control."""
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# How long an example takes is the machine's business.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


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
