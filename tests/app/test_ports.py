"""Which ports a server opens: those that are named, or free ones near the usual."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from missioncontrol.app import ports
from missioncontrol.config import Config, ServerConfig
from missioncontrol.errors import ConfigError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def opened(**server: int | str) -> list[int]:
    with ExitStack() as stack:
        found = ports.bind(Config(server=ServerConfig(**server)))  # type: ignore[arg-type]
        return [stack.enter_context(sock).getsockname()[1] for sock in found]


def test_one_port_or_two_are_opened() -> None:
    assert len(opened(port=0, ws_port="none")) == 1
    assert len(set(opened(port=0, ws_port=0))) == 2


def test_a_port_that_was_named_and_is_taken_is_an_error_that_names_its_flag(taken: int) -> None:
    with pytest.raises(ports.PortTaken, match="--port"):
        opened(port=taken, ws_port="none")
    with pytest.raises(ports.PortTaken, match="--ws-port"):
        opened(port=0, ws_port=taken)


def test_a_default_that_is_taken_gives_way(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "DEFAULT_PORT", taken)
    monkeypatch.setattr(ports, "NEAR_PORTS", (taken,))
    (port,) = opened(port="auto", ws_port="none")
    assert port != taken


def test_a_host_that_is_none_is_an_error() -> None:
    with pytest.raises(ConfigError, match="cannot be listened on"):
        opened(host="no host", port=0)


def test_an_address_is_written_as_in_a_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert ports.address(one) == f"127.0.0.1:{one.getsockname()[1]}"
    if socket.has_ipv6:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as other:
            assert ports.address(other) == f"[::1]:{other.getsockname()[1]}"
