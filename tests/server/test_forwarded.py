"""Whom a request comes from, as trusted proxies tell it."""

from __future__ import annotations

import pytest

from missioncontrol.errors import ConfigError
from missioncontrol.server.forwarded import NOTHING_SAID, Forwarded, TrustedProxies

PROXIES = TrustedProxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


def said(peer: str | None, **headers: str) -> Forwarded:
    return PROXIES.read(peer, [(name.replace("_", "-"), value) for name, value in headers.items()])


def test_whoever_is_not_trusted_says_nothing() -> None:
    for peer in ("192.0.2.1", "::1", "local", "", None):
        assert said(peer, x_forwarded_for="198.51.100.7", x_forwarded_proto="https") == NOTHING_SAID
    assert TrustedProxies([]).read("127.0.0.1", [("x-forwarded-for", "198.51.100.7")]) == NOTHING_SAID


def test_the_usual_headers_are_read() -> None:
    found = said(
        "127.0.0.1",
        x_forwarded_for="198.51.100.7",
        x_forwarded_proto="HTTPS",
        x_forwarded_host="fleet.example",
    )
    assert found == Forwarded("198.51.100.7", "https", "fleet.example")
    assert PROXIES.read("127.0.0.1", [(b"X-Forwarded-For", b"2001:db8::1")]).address == "2001:db8::1"


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
        ("203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("10.1.1.1, 10.1.2.3", "10.1.1.1"),
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("unknown", None),
        ("198.51.100.7, unknown", None),
        ("::ffff:10.0.0.1, ::ffff:10.0.0.2", "10.0.0.1"),
        ("", None),
    ],
)
def test_the_client_is_the_last_one_that_is_no_proxy_of_ours(chain: str, client: str | None) -> None:
    assert said("127.0.0.1", x_forwarded_for=chain).address == client


def test_what_a_client_invents_stands_on_the_left_and_is_not_believed() -> None:
    found = said("127.0.0.1", x_forwarded_proto="https, http", x_forwarded_host="evil.example, fleet.example")
    assert found == Forwarded(None, "http", "fleet.example")


def test_the_standard_s_own_header_is_read_before_the_others() -> None:
    found = said(
        "::ffff:127.0.0.1",
        forwarded='for=203.0.113.9;proto=http, for="[2001:db8::1]:4711";proto=https;host="fleet.example"',
        x_forwarded_for="192.0.2.1",
    )
    assert found == Forwarded("2001:db8::1", "https", "fleet.example")


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "300.1.1.1", ""])
def test_what_is_no_network_is_refused_with_a_word_about_it(text: str) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        TrustedProxies([text])
