"""Hosts, origins and tokens: who comes in, and who does not."""

from __future__ import annotations

import base64
from contextlib import nullcontext
from hashlib import sha256
from typing import Any

import pytest
from tests.server.site import ADMIN, PUBLISHER, READER, TOKENS

from missioncontrol.config import Config, Scope, ServerConfig, TokenConfig
from missioncontrol.errors import ConfigError, Forbidden, InputError, Misdirected, Unauthorized
from missioncontrol.server.access import (
    ALL_SCOPES,
    Access,
    Owner,
    Page,
    Peer,
    check_bind,
    find_own_names,
)

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
def test_allowed_origins_may_use_it_but_not_with_a_browser_session(origin: str) -> None:
    page = access(allowed_origins=["https://fleet.example.com/"]).check_origin([OURS, ("origin", origin)])
    assert page == Page(origin, foreign=True, trusted=False, named=True)


def test_an_origin_of_another_scheme_can_be_allowed() -> None:
    guard = access(allowed_origins=["vscode-webview://abc"])
    assert guard.check_origin([OURS, ("origin", "vscode-webview://abc")]).named
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


@pytest.mark.parametrize(
    "settings", [{"trusted_proxies": ["127.0.0.1"]}, {"allowed_origins": ["https://fleet.example.com"]}]
)
def test_a_way_in_from_other_machines_needs_a_token_to_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="token is needed"):
        check_bind(Config(server=ServerConfig(**settings)))
    check_bind(Config(server=ServerConfig(**settings, tokens=TOKENS)))


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:80", "vscode-webview://abc"])
def test_an_allowed_origin_of_this_machine_needs_none(origin: str) -> None:
    check_bind(Config(server=ServerConfig(allowed_origins=[origin])))


def test_without_tokens_programs_of_this_user_may_read_and_publish_and_never_decide() -> None:
    for headers in ([OURS], [OURS, ("authorization", "Bearer whatever")]):
        caller = access().authorize(headers)
        assert caller.scopes == {"read", "publish"}
        for scope in ("answer", "admin"):
            with pytest.raises(Forbidden):
                caller.require(scope)


def test_without_tokens_a_page_of_another_port_sees_the_fleet_and_a_named_one_may_publish() -> None:
    guard = access(allowed_origins=["http://localhost:8080"])
    assert guard.authorize([OURS, ("origin", "http://localhost:5173")]).scopes == {"fleet"}
    assert guard.authorize([OURS, ("origin", "http://localhost:8080")]).scopes == {"read", "publish"}
    # An image or a script of another page has no Origin.
    assert guard.authorize([OURS, ("sec-fetch-site", "same-site")]).scopes == {"fleet"}


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://localhost:8080"])
def test_a_page_of_another_origin_never_decides_whatever_token_it_sends(origin: str) -> None:
    guard = access(tokens=TOKENS, allowed_origins=["http://localhost:8080"])
    caller = guard.authorize([OURS, ("origin", origin), ("authorization", f"Bearer {ADMIN}")])
    assert caller.scopes == {"read", "fleet", "publish"}


@pytest.mark.parametrize("scopes", [["read"], ["fleet"], ["publish"], ["read", "fleet", "publish"]])
def test_answer_is_in_no_other_scope_but_admin(scopes: list[Scope]) -> None:
    token = TokenConfig(name="one", sha256=sha256(READER.encode()).hexdigest(), scopes=scopes)
    caller = access(tokens=[token]).authorize([OURS, ("authorization", f"Bearer {READER}")])
    assert not caller.may("answer")
    assert caller.may("fleet") is (scopes != ["publish"])


@pytest.mark.parametrize(
    "header",
    [
        ("forwarded", "for=10.0.0.1"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("via", "1.1 proxy"),
        ("X-Real-IP", "127.0.0.1"),
        ("CF-Connecting-IP", "127.0.0.1"),
        ("True-Client-IP", "127.0.0.1"),
        ("Tailscale-User-Login", "anna@example.com"),
        ("Fly-Client-IP", "127.0.0.1"),
        ("CDN-Loop", "cloudflare"),
    ],
)
def test_what_a_proxy_has_passed_on_needs_a_token(header: tuple[str, str]) -> None:
    owner = Owner()
    guard = Access(Config(), owner=owner)
    with pytest.raises(Unauthorized, match="proxy"):
        guard.authorize([OURS, header])
    with pytest.raises(Unauthorized):
        guard.authorize([OURS, header, ("authorization", f"Bearer {owner.reveal()}")])
    assert (
        access(tokens=TOKENS).authorize([OURS, header, ("authorization", f"Bearer {READER}")]).name
        == "reader"
    )


def test_the_owners_secret_may_do_everything_also_where_tokens_are_asked_for() -> None:
    owner = Owner()
    for tokens in ([], TOKENS):
        guard = Access(Config(server=ServerConfig(tokens=tokens)), owner=owner)
        caller = guard.authorize([OURS, ("authorization", f"Bearer {owner.reveal()}")])
        assert (caller.by, caller.scopes) == ("operator", ALL_SCOPES)


def test_a_short_token_is_refused_beyond_loopback() -> None:
    short = TokenConfig(name="short", sha256=sha256(b"fifteen letters").hexdigest(), scopes=["read"])
    bearer = ("authorization", "Bearer fifteen letters")
    with pytest.raises(Unauthorized, match="16 characters"):
        access(host="0.0.0.0", tokens=[short]).authorize([OURS, bearer])
    assert access(tokens=[short]).authorize([OURS, bearer]).name == "short"


def test_the_refusal_of_many_wrong_tokens_is_slowed_for_their_address_alone() -> None:
    guard = access(tokens=TOKENS)
    delays = []
    for address in [*["10.0.0.1"] * 7, "10.0.0.2"]:
        with pytest.raises(Unauthorized) as refused:
            guard.authorize([OURS, ("authorization", "Bearer wrong")], address=address)
        delays.append(refused.value.delay)
    assert delays == [0.0] * 5 + [1.0] * 2 + [0.0]
    assert guard.wrong_tokens.count == 8


def test_a_token_that_is_bound_to_an_agent_speaks_for_that_one_alone() -> None:
    token = TokenConfig(
        name="s", sha256=sha256(READER.encode()).hexdigest(), scopes=["publish"], agent="scout"
    )
    caller = access(tokens=[token]).authorize([OURS, ("authorization", f"Bearer {READER}")])
    assert [caller.agent_for(given) for given in (None, "scout", "scout@alpha")] == [
        "scout",
        "scout",
        "scout@alpha",
    ]
    for other in ("writer", "scout2", "", "@alpha"):
        with pytest.raises(Forbidden, match="scout"):
            caller.agent_for(other)


def test_in_a_fleet_a_bound_token_speaks_for_the_agent_of_this_host_alone() -> None:
    token = TokenConfig(
        name="s", sha256=sha256(READER.encode()).hexdigest(), scopes=["publish"], agent="scout"
    )
    guard = Access(Config(server=ServerConfig(tokens=[token])), host_name="alpha")
    caller = guard.authorize([OURS, ("authorization", f"Bearer {READER}")])
    assert caller.agent_for("scout@alpha") == "scout@alpha"
    with pytest.raises(Forbidden, match="scout"):
        caller.agent_for("scout@beta")


@pytest.mark.parametrize(
    ("method", "path", "mode", "passes"),
    [
        ("GET", "/", "navigate", True),
        ("GET", "/api/docs", "navigate", True),
        ("GET", "/", "no-cors", False),
        ("POST", "/", "navigate", False),
        ("GET", "/api/snapshot", "navigate", False),
        ("GET", "/api/snapshot", "no-cors", False),
        ("GET", "/api/ws", "websocket", False),
    ],
)
def test_another_site_may_link_to_pages_and_nothing_else(
    method: str, path: str, mode: str, passes: bool
) -> None:
    headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", mode)]
    with nullcontext() if passes else pytest.raises(Forbidden):
        access().check_fetch_site(headers, method, path)
    access().check_fetch_site([("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Mode", mode)], method, path)


@pytest.mark.parametrize(
    ("referer", "passes"),
    [
        ("http://localhost:8080/", True),
        ("https://fleet.example.com/page?x=1", True),
        ("https://elsewhere.example/http://localhost/", False),
        ("null", False),
        (None, False),
    ],
)
def test_the_clients_script_is_loaded_by_pages_whose_origin_may_use_the_server(
    referer: str | None, passes: bool
) -> None:
    guard = access(allowed_origins=["https://fleet.example.com"])
    headers = [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors")]
    headers += [] if referer is None else [("Referer", referer)]
    with nullcontext() if passes else pytest.raises(Forbidden):
        guard.check_fetch_site(headers, "GET", "/js/realtime.js")
    with pytest.raises(Forbidden):
        guard.check_fetch_site(headers, "GET", "/api/snapshot")


@pytest.mark.parametrize(
    ("token", "scopes"), [(READER, {"read"}), (PUBLISHER, {"publish"}), (ADMIN, ALL_SCOPES)]
)
def test_a_token_has_its_scopes_and_admin_has_all(token: str, scopes: set[str]) -> None:
    assert access(tokens=TOKENS).authorize([OURS, ("Authorization", f"Bearer {token}")]).scopes == scopes


def test_headers_may_be_a_mapping_or_bytes() -> None:
    guard = access(tokens=TOKENS)
    assert guard.authorize({"host": "localhost", "AUTHORIZATION": f"bearer  {READER} "}).scopes == {"read"}
    assert guard.authorize([(b"authorization", f"Bearer {READER}".encode())]).scopes == {"read"}


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
    return ("Sec-WebSocket-Protocol", f"mission-control, mission-control.bearer.{base64url(token)}")


def base64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_a_websocket_may_offer_its_token_as_a_subprotocol() -> None:
    assert access(tokens=TOKENS).authorize([OURS, offer(PUBLISHER)]).scopes == {"publish"}
    with pytest.raises(Unauthorized):
        access(tokens=TOKENS).authorize([OURS, offer("wrong")])
    with pytest.raises(Unauthorized, match="base64url"):
        access(tokens=TOKENS).authorize([OURS, ("sec-websocket-protocol", "mission-control.bearer.%%%")])


def signed_in(guard: Access, token: str | None = None) -> tuple[tuple[str, str], tuple[str, str]]:
    made = guard.sessions.open(token, "127.0.0.1", "a browser")
    return ("cookie", f"theme=dark; {guard.cookie}={made.cookie}; other=1"), (
        "x-session-key",
        made.key,
    )


def test_a_browser_session_needs_the_cookie_and_the_key() -> None:
    guard = access(tokens=TOKENS)
    cookie, key = signed_in(guard)
    for headers in ([OURS, cookie, key], [OURS, ("origin", "http://localhost:3001"), cookie, key]):
        assert guard.authorize(headers).by == "operator"
    other_cookie, other_key = signed_in(guard)
    for headers in ([OURS, cookie], [OURS, key], [OURS, cookie, other_key], [OURS, other_cookie, key]):
        with pytest.raises(Unauthorized):
            guard.authorize(headers)


def test_a_websocket_offers_the_key_as_a_subprotocol() -> None:
    guard = access(tokens=TOKENS)
    cookie, (_, key) = signed_in(guard)
    offered = ("sec-websocket-protocol", f"mission-control, mission-control.key.{key}")
    assert guard.authorize([OURS, cookie, offered]).may("answer")


def test_neither_of_the_two_secrets_is_a_token() -> None:
    guard = access(tokens=TOKENS)
    cookie, (_, key) = signed_in(guard)
    for secret in (key, cookie[1].partition(f"{guard.cookie}=")[2].partition(";")[0]):
        with pytest.raises(Unauthorized):
            guard.authorize([OURS, cookie, ("authorization", f"Bearer {secret}")])


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://localhost:8080"])
def test_a_browser_session_does_not_speak_for_a_page_of_another_origin(origin: str) -> None:
    guard = access(tokens=TOKENS, allowed_origins=["http://localhost:8080"])
    with pytest.raises(Unauthorized):
        guard.authorize([OURS, ("origin", origin), *signed_in(guard)])


def elsewhere() -> Peer:
    """Return a connection whose other end no program of this user holds."""
    return Peer(("127.0.0.1", 1), ("127.0.0.1", 2), lambda reason: None)


@pytest.mark.parametrize(
    ("more", "peer"),
    [
        ([("X-Forwarded-For", "127.0.0.1")], None),
        ([("Forwarded", "for=127.0.0.1")], None),
        ([], elsewhere()),
    ],
)
@pytest.mark.parametrize("tokens", [[], TOKENS])
def test_a_session_of_the_owner_counts_where_a_link_would_alone(
    tokens: list[TokenConfig], more: list[tuple[str, str]], peer: Peer | None
) -> None:
    guard = access(tokens=tokens)
    with pytest.raises(Unauthorized):
        guard.authorize([OURS, *signed_in(guard), *more], peer=peer)


@pytest.mark.parametrize("more", [[], [("X-Forwarded-For", "127.0.0.1")]])
def test_a_session_of_a_token_counts_where_the_token_would(more: list[tuple[str, str]]) -> None:
    guard = access(tokens=TOKENS)
    session = signed_in(guard, TOKENS[0].sha256)
    for peer in (None, elsewhere()):
        assert guard.authorize([OURS, *session, *more], peer=peer).by == "reader"


def test_a_wrong_header_is_not_made_good_by_a_session() -> None:
    guard = access(tokens=TOKENS)
    with pytest.raises(Unauthorized):
        guard.authorize([OURS, ("authorization", "Bearer wrong"), *signed_in(guard)])


@pytest.mark.parametrize("name", ["token", "access_token", "TOKEN", "api_key", "mission_control_token"])
def test_a_token_in_a_url_is_refused_whatever_it_is(name: str) -> None:
    with pytest.raises(InputError, match="Authorization"):
        access().authorize([OURS], query_names=["since", name])


def test_a_forbidden_page_is_refused_before_its_token_is_looked_at() -> None:
    with pytest.raises(Forbidden):
        access(tokens=TOKENS).authorize(
            [OURS, ("origin", "https://evil.example"), ("authorization", f"Bearer {ADMIN}")]
        )
