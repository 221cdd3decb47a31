"""The parts of access on their own: headers, the kernel's word on a peer, open connections, tokens, slashes in ids."""

from __future__ import annotations

import os
import socket
from hashlib import sha256
from typing import Any, cast

import pytest

from missioncontrol.config import TokenConfig
from missioncontrol.errors import Unauthorized
from missioncontrol.server.access.headers import is_forwarded, pick
from missioncontrol.server.access.loopback import is_loopback_connection, peer_user
from missioncontrol.server.access.peers import Peers
from missioncontrol.server.access.tokens import Tokens, WrongTokens
from missioncontrol.server.segments import keep_slashes, shown_path


def test_headers_are_found_in_any_case_as_text_or_bytes() -> None:
    given: list[tuple[str | bytes, str | bytes]] = [(b"HOST", b"a"), ("Host", "b"), ("other", "c")]
    assert pick(given, "host", "origin") == {"host": ["a", "b"], "origin": []}


@pytest.mark.parametrize("name", ["Forwarded", "VIA", "x-forwarded-for"])
def test_what_a_proxy_adds_is_known(name: str) -> None:
    assert is_forwarded({name: "x"})
    assert not is_forwarded({"x-forwards": "x"})


def test_the_kernel_names_the_user_at_the_other_end() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as client,
        listening.accept()[0] as server,
    ):
        ends = client.getsockname(), server.getsockname()
        assert is_loopback_connection(*ends)
        assert peer_user(*ends) == os.geteuid()
        peer = Peers().add(server.getpeername(), server.getsockname(), print)
        assert not peer.is_other_user
        assert peer.may_be_owner
    assert not is_loopback_connection(("192.0.2.1", 5), ("192.0.2.2", 6))


def test_connections_of_a_caller_that_is_no_longer_valid_are_closed() -> None:
    peers, closed = Peers(), list[str]()
    tokens = Tokens([token("a", "x" * 20), token("b", "y" * 20)], beyond_loopback=False)
    first, second = (peers.add(None, None, closed.append) for _ in range(2))
    first.caller, second.caller = tokens.find(b"x" * 20), tokens.find(b"y" * 20)
    assert peers.close_unless(lambda caller: caller.name == "b", "revoked") == 1
    assert closed == ["revoked"]


def token(name: str, text: str) -> TokenConfig:
    return TokenConfig(name=name, sha256=sha256(text.encode()).hexdigest(), scopes=["read"])


def test_a_short_token_is_refused_where_other_machines_can_reach_the_server() -> None:
    assert Tokens([token("a", "short")], beyond_loopback=False).find(b"short") is not None
    with pytest.raises(Unauthorized, match="fewer than 16"):
        Tokens([token("a", "short")], beyond_loopback=True).find(b"short")
    assert Tokens([token("a", "short")], beyond_loopback=True).find(b"other") is None


def test_a_server_that_has_had_a_token_needs_one_though_the_file_has_none_any_more() -> None:
    tokens = Tokens([], beyond_loopback=False)
    assert not tokens
    tokens.replace([token("a", "x" * 20)])
    tokens.replace([])
    assert tokens
    assert tokens.find(b"x" * 20) is None


def test_wrong_tokens_of_an_address_are_slowed_after_some() -> None:
    wrong = WrongTokens()
    delays = [wrong.seen("192.0.2.1") for _ in range(30)]
    assert delays[0] == 0
    assert delays[-1] > 0
    assert wrong.seen("192.0.2.2") == 0
    assert wrong.count == 31


def test_a_slash_within_a_tasks_id_does_not_divide_the_path() -> None:
    scope = cast("Any", {"path": "/api/tasks/a/b", "raw_path": b"/api/tasks/a%2Fb"})
    kept = keep_slashes(scope)["path"]
    assert kept.count("/") == 3
    assert shown_path(kept) == "/api/tasks/a%2Fb"
    other = cast("Any", {"path": "/api/agents/a/b", "raw_path": b"/api/agents/a%2Fb"})
    assert keep_slashes(other)["path"] == "/api/agents/a/b"
