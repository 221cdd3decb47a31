"""Hosts, origins and tokens: who comes in, and who does not."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.server.site import ADMIN, PUBLISHER, READER, TOKENS

from missioncontrol.config import Config, ServerConfig
from missioncontrol.errors import ConfigError, Forbidden, InputError, Misdirected, Unauthorized
from missioncontrol.server.access import ALL_SCOPES, Access, Page, check_bind, find_own_names

OURS = ("Host", "localhost:3001")


def access(bound_host: str | None = None, **server: Any) -> Access:
    return Access(
        Config(server=ServerConfig(**server)), bound_host, own_names=lambda: frozenset({"fleet", "10.0.0.7"})
    )


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:3001",
        "LOCALHOST:3001",
        "localhost.:3001",
        "mc.localhost:80",
        "127.0.0.1:3001",
        "127.9.8.7",
        "[::1]:3001",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]:3001",
    ],
)
def test_loopback_names_are_answered_for(host: str) -> None:
    access().check_host(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "notlocalhost",
        "10.0.0.7:3001",
        "fleet",
        "2130706433",
        "0x7f.1",
        "localhost:port",
        "localhost:3001:3002",
        "user@localhost",
        "localhost/path",
        "[::1",
        "::1",
        "локалхост",
        "localhost\x00",
        " localhost",
        "a" * 300,
    ],
)
def test_any_other_host_is_misdirected(host: str | None) -> None:
    with pytest.raises(Misdirected):
        access().check_host(host)


@pytest.mark.parametrize("host", ["fleet:3001", "FLEET", "10.0.0.7", "0.0.0.0:3001", "127.0.0.1"])
def test_beyond_loopback_the_names_of_this_machine_are_answered_for(host: str) -> None:
    access(host="0.0.0.0", tokens=TOKENS).check_host(host)


def test_beyond_loopback_a_foreign_name_is_still_misdirected() -> None:
    with pytest.raises(Misdirected):
        access(host="0.0.0.0", tokens=TOKENS).check_host("evil.example")


def test_the_machine_is_not_asked_for_its_names_with_every_wrong_host() -> None:
    asked = 0

    def own_names() -> frozenset[str]:
        nonlocal asked
        asked += 1
        return frozenset()

    guard = Access(Config(server=ServerConfig(host="0.0.0.0", tokens=TOKENS)), own_names=own_names)
    for number in range(50):
        with pytest.raises(Misdirected):
            guard.check_host(f"evil{number}.example")
    assert asked == 1


def test_the_configured_host_and_those_of_allowed_origins_are_answered_for() -> None:
    guard = access(host="192.168.1.5", tokens=TOKENS, allowed_origins=["https://fleet.example.com"])
    guard.check_host("192.168.1.5:3001")
    guard.check_host("fleet.example.com")


def test_this_machine_knows_its_own_loopback_address() -> None:
    assert "127.0.0.1" in find_own_names()


def test_a_request_without_an_origin_comes_from_no_page() -> None:
    assert access().check_origin([OURS]) == Page(None, foreign=False, trusted=True)


@pytest.mark.parametrize(
    ("origin", "host", "secure"),
    [
        ("http://localhost:3001", "localhost:3001", False),
        ("http://localhost:3001", "LocalHost:3001", False),
        ("http://[::1]:3001", "[::1]:3001", False),
        ("http://mc.localhost", "mc.localhost", False),
        ("http://mc.localhost:80", "mc.localhost", False),
        ("https://mc.localhost", "mc.localhost:443", True),
    ],
)
def test_the_servers_own_pages_may_use_it(origin: str, host: str, secure: bool) -> None:
    page = access().check_origin([("host", host), ("origin", origin)], secure=secure)
    assert page == Page(origin, foreign=False, trusted=True)


@pytest.mark.parametrize("host", ["10.0.0.7", "localhost"])
def test_a_page_of_one_of_the_two_ports_may_use_the_other_one(host: str) -> None:
    guard = access(host="0.0.0.0", tokens=TOKENS)
    origin = f"http://{host}:3001"
    page = guard.check_origin([("host", f"{host}:3002"), ("origin", origin)])
    assert page == Page(origin, foreign=True, trusted=True)
    for other in (f"http://{host}.evil.example:3001", "https://10.0.0.7:3001", "http://10.0.0.8:3001"):
        with pytest.raises(Forbidden):
            guard.check_origin([("host", f"{host}:3002"), ("origin", other)])
    with pytest.raises(Forbidden):
        guard.check_origin([("host", "10.0.0.7:3002"), ("origin", "http://10.0.0.7:8080")])


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost:5173",
        "https://localhost",
        "http://127.0.0.1:8080",
        "http://127.1.2.3",
        "http://[::1]:5173",
        "http://[::ffff:127.0.0.1]",
    ],
)
def test_pages_of_this_machine_may_use_it_but_not_with_a_cookie(origin: str) -> None:
    page = access().check_origin([OURS, ("origin", origin)])
    assert page == Page(origin, foreign=True, trusted=False)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "*",
        "file://",
        "http://",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://evil.localhost:5000",
        "http://127.0.0.1.evil.example",
        "ftp://localhost",
        "chrome-extension://abcdefgh",
        "http://localhost:3001/",
        "http://localhost:3001/path",
        "http://user@localhost:3001",
        "http://localhost:3001 http://localhost:3001",
        "http://localhost\x00:3001",
        "localhost:3001",
        "https://fleet.example.com:8443",
        "http://fleet.example.com",
    ],
)
def test_a_page_of_any_other_origin_is_forbidden(origin: str) -> None:
    with pytest.raises(Forbidden):
        access(allowed_origins=["https://fleet.example.com"]).check_origin([OURS, ("origin", origin)])


def test_two_origins_are_none() -> None:
    with pytest.raises(Forbidden):
        access().check_origin([OURS, ("origin", "http://localhost"), ("origin", "http://localhost")])


def test_the_same_host_over_another_scheme_is_another_origin() -> None:
    with pytest.raises(Forbidden):
        access(host="fleet.example.com", tokens=TOKENS).check_origin(
            [("host", "fleet.example.com"), ("origin", "http://fleet.example.com")], secure=True
        )


@pytest.mark.parametrize("origin", ["https://fleet.example.com", "https://FLEET.example.com:443"])
def test_allowed_origins_may_use_it_with_a_cookie(origin: str) -> None:
    page = access(allowed_origins=["https://fleet.example.com/"]).check_origin([OURS, ("origin", origin)])
    assert page == Page(origin, foreign=True, trusted=True)


def test_an_origin_of_another_scheme_can_be_allowed() -> None:
    guard = access(allowed_origins=["vscode-webview://abc"])
    assert guard.check_origin([OURS, ("origin", "vscode-webview://abc")]).trusted
    with pytest.raises(Misdirected):
        guard.check_host("abc")


@pytest.mark.parametrize(
    "origin", ["*", "fleet.example.com", "https://a.example/path", "https://*.example", ""]
)
def test_what_is_no_origin_cannot_be_allowed(origin: str) -> None:
    with pytest.raises(ConfigError, match="allowed_origins"):
        access(allowed_origins=[origin])
    with pytest.raises(ConfigError, match="allowed_origins"):
        check_bind(Config(server=ServerConfig(allowed_origins=[origin])))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "::1", "[::1]", "mc.localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    check_bind(Config(server=ServerConfig(host=host)))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "fleet.example.com", "10.1.2.3"])
def test_beyond_loopback_a_token_is_needed_to_start(host: str) -> None:
    with pytest.raises(ConfigError, match="token"):
        check_bind(Config(server=ServerConfig(host=host)))
    check_bind(Config(server=ServerConfig(host=host, tokens=TOKENS)))


def test_without_tokens_everybody_may_do_everything() -> None:
    assert access().authorize([OURS]) == ALL_SCOPES
    assert access().authorize([OURS, ("authorization", "Bearer whatever")]) == ALL_SCOPES


@pytest.mark.parametrize(
    ("token", "scopes"), [(READER, {"read"}), (PUBLISHER, {"publish"}), (ADMIN, {"read", "publish", "admin"})]
)
def test_a_token_has_its_scopes_and_admin_has_all(token: str, scopes: set[str]) -> None:
    assert access(tokens=TOKENS).authorize([OURS, ("Authorization", f"Bearer {token}")]) == scopes


def test_headers_may_be_a_mapping_or_bytes() -> None:
    guard = access(tokens=TOKENS)
    assert guard.authorize({"host": "localhost", "AUTHORIZATION": f"bearer  {READER} "}) == {"read"}
    assert guard.authorize([(b"authorization", f"Bearer {READER}".encode())]) == {"read"}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {READER}x",
        f"Bearer {READER[:-1]}",
        f"Bearer {READER} {READER}",
        f"Token {READER}",
        READER,
        f"Basic {base64.b64encode(READER.encode()).decode()}",
        "Bearer \x00",
        "Bearer " + "é" * 10_000,
    ],
)
def test_without_a_known_token_nobody_comes_in_and_it_is_not_repeated(authorization: str) -> None:
    with pytest.raises(Unauthorized) as refused:
        access(tokens=TOKENS).authorize([OURS, ("authorization", authorization)])
    assert READER not in str(refused.value)


def test_two_tokens_are_none() -> None:
    with pytest.raises(Unauthorized, match="More than one"):
        access(tokens=TOKENS).authorize(
            [OURS, ("authorization", f"Bearer {READER}"), ("authorization", f"Bearer {ADMIN}")]
        )


def offer(token: str) -> tuple[str, str]:
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return ("Sec-WebSocket-Protocol", f"mission-control, mission-control.bearer.{encoded}")


def test_a_websocket_may_offer_its_token_as_a_subprotocol() -> None:
    assert access(tokens=TOKENS).authorize([OURS, offer(PUBLISHER)]) == {"publish"}
    with pytest.raises(Unauthorized):
        access(tokens=TOKENS).authorize([OURS, offer("wrong")])
    with pytest.raises(Unauthorized, match="base64url"):
        access(tokens=TOKENS).authorize([OURS, ("sec-websocket-protocol", "mission-control.bearer.%%%")])


def cookie(token: str) -> tuple[str, str]:
    return ("cookie", f"theme=dark; mission_control_token={token}; other=1")


def test_a_cookie_speaks_for_the_servers_own_pages() -> None:
    guard = access(tokens=TOKENS)
    assert guard.authorize([OURS, cookie(READER)]) == {"read"}
    assert guard.authorize([OURS, ("origin", "http://localhost:3001"), cookie(READER)]) == {"read"}


def test_a_cookie_does_not_speak_for_another_programs_page_on_this_machine() -> None:
    with pytest.raises(Unauthorized):
        access(tokens=TOKENS).authorize([OURS, ("origin", "http://localhost:5173"), cookie(ADMIN)])


def test_a_wrong_header_is_not_made_good_by_a_cookie() -> None:
    with pytest.raises(Unauthorized):
        access(tokens=TOKENS).authorize([OURS, ("authorization", "Bearer wrong"), cookie(ADMIN)])


@pytest.mark.parametrize("name", ["token", "access_token", "TOKEN", "api_key", "mission_control_token"])
def test_a_token_in_a_url_is_refused_whatever_it_is(name: str) -> None:
    with pytest.raises(InputError, match="Authorization"):
        access().authorize([OURS], query_names=["since", name])


def test_a_forbidden_page_is_refused_before_its_token_is_looked_at() -> None:
    with pytest.raises(Forbidden):
        access(tokens=TOKENS).authorize(
            [OURS, ("origin", "https://evil.example"), ("authorization", f"Bearer {ADMIN}")]
        )
