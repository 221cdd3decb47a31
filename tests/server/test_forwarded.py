"""Whom a request comes from, as trusted proxies tell it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_the_standard_s_own_header_is_read() -> None:
    found = said(
        "::ffff:127.0.0.1",
        forwarded='for=203.0.113.9;proto=http, for="[2001:db8::1]:4711";proto=HTTPS;host="fleet.example"',
    )
    assert found == Forwarded("2001:db8::1", "https", "fleet.example")


def test_scheme_and_host_are_those_that_the_outermost_proxy_was_asked_for() -> None:
    outer, inner = "for=198.51.100.7;proto=https;host=fleet.example", "for=10.1.2.3;proto=http;host=inside"
    invented = "for=203.0.113.9;proto=ftp;host=evil.example"
    expected = Forwarded("198.51.100.7", "https", "fleet.example")
    assert said("127.0.0.1", forwarded=f"{invented}, {outer}, {inner}") == expected
    assert said("127.0.0.1", forwarded=f"{invented}, for=198.51.100.7, {inner}") == Forwarded(
        "198.51.100.7", "http", "inside"
    )
    found = said(
        "127.0.0.1",
        x_forwarded_for="203.0.113.9, 198.51.100.7, 10.1.2.3",
        x_forwarded_proto="ftp, https, http",
        x_forwarded_host="evil.example, fleet.example, inside",
    )
    assert found == expected


def test_what_a_client_invents_in_the_header_that_the_proxy_does_not_write_is_not_believed() -> None:
    written = {
        "x_forwarded_for": "198.51.100.7",
        "x_forwarded_proto": "http",
        "x_forwarded_host": "fleet.example",
    }
    invented = "for=203.0.113.9;proto=https;host=localhost"
    assert said("127.0.0.1", **written, forwarded=invented) == NOTHING_SAID
    assert said("127.0.0.1", x_forwarded_for="198.51.100.7", forwarded="host=localhost") == NOTHING_SAID
    agreed = said("127.0.0.1", **written, forwarded="for=198.51.100.7;proto=http;host=fleet.example")
    assert agreed == Forwarded("198.51.100.7", "http", "fleet.example")


@pytest.mark.parametrize(
    ("text", "client"),
    [
        ("for=_hidden", None),
        ("for=unknown, for=10.1.2.3", "10.1.2.3"),
        ('for="198.51.100.7', "198.51.100.7"),
        ('for="203.0.113.9, for=198.51.100.7', "198.51.100.7"),
        (";;=;for", None),
        ("by=10.0.0.1", None),
    ],
)
def test_a_header_that_is_odd_or_broken_breaks_nothing(text: str, client: str | None) -> None:
    assert said("127.0.0.1", forwarded=text).address == client


@given(
    invented=st.lists(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")), max_size=4),
    name=st.sampled_from(["Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"]),
)
def test_nothing_that_a_client_sends_along_is_ever_believed(invented: list[str], name: str) -> None:
    # As nginx does with the example: it adds to the first one, and writes the others again.
    before = ", ".join(invented)
    proxied = {
        "X-Forwarded-For": "198.51.100.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "fleet.example",
    }
    honest = PROXIES.read("127.0.0.1", list(proxied.items()))
    if name == "Forwarded":
        proxied[name] = before
    elif name == "X-Forwarded-For":
        proxied[name] = f"{before}, 198.51.100.7"
    found = PROXIES.read("127.0.0.1", list(proxied.items()))
    assert all(one in (None, other) for one, other in zip(found, honest, strict=True))


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "300.1.1.1", ""])
def test_what_is_no_network_is_refused_with_a_word_about_it(text: str) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        TrustedProxies([text])
