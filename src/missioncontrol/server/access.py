"""Who may come in: hosts, origins and tokens, for every shell of the server alike.

Nothing here knows ASGI or sockets: headers come in as pairs, and a refusal is an exception.

Invariants:

- a request for a host that is not ours is refused on every path, which is what stops DNS rebinding;
- a page of another origin is refused unless it is of this machine or named in the settings, which is what stops
  cross-site requests and cross-site WebSockets (RFC 6455, section 10.2);
- a token is known by its SHA-256 alone, compared in constant time with every one that is known, and is repeated
  in no error, no log line and no URL.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import monotonic
from typing import NamedTuple

import psutil

from missioncontrol.config import Config, Scope
from missioncontrol.errors import ConfigError, Forbidden, InputError, Misdirected, Unauthorized
from missioncontrol.server.forwarded import TrustedProxies

SUBPROTOCOL = "mission-control"
BEARER_SUBPROTOCOL = "mission-control.bearer."
"""What a browser, which cannot set headers on a WebSocket, puts before the base64url form of its token."""

COOKIE = "mission_control_token"
ALL_SCOPES: frozenset[Scope] = frozenset({"read", "publish", "admin"})
TOKEN_QUERY_NAMES = frozenset(
    {"token", "access_token", "auth_token", "api_key", "apikey", "authorization", COOKIE}
)
OWN_NAMES_SECONDS = 10.0

RawHeaders = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?", re.ASCII)
_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?", re.ASCII
)
_PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """An origin in normal form (RFC 6454, section 4); the port is the scheme's own where none is written."""

    scheme: str
    host: str
    port: int | None


class Page(NamedTuple):
    """The page that a request comes from; `origin` is None where no page is behind it.

    `foreign` is a page of another origin, which needs CORS headers to read the answer; `trusted` says whether a
    cookie may speak for it: cookies know no ports, so another program's page on this machine would carry it too.
    """

    origin: str | None
    foreign: bool
    trusted: bool


class Caller(NamedTuple):
    """Whoever made a request: the name that the settings give the token, and what it may do."""

    name: str | None
    scopes: frozenset[Scope]

    def require(self, scope: Scope) -> None:
        """Let the caller pass if it has this scope.

        Raises:
            Forbidden: it has not.
        """
        if scope not in self.scopes:
            raise Forbidden(f"The token {self.name!r} lacks the scope {scope!r}; use one that has it.")


class Access:
    """What the settings let in. Belongs to one server; `bound_host` is the address that it listens on."""

    def __init__(
        self,
        config: Config,
        bound_host: str | None = None,
        own_names: Callable[[], frozenset[str]] | None = None,
    ) -> None:
        """Read the settings.

        Args:
            config: all settings.
            bound_host: the address that the server listens on; without it `server.host`.
            own_names: finds the names and addresses of this machine; for tests.

        Raises:
            ConfigError: an entry of `allowed_origins` is no origin.
        """
        server = config.server
        host = server.host if bound_host is None else bound_host
        self._tokens = [
            (bytes.fromhex(token.sha256), Caller(token.name, _scopes(token.scopes)))
            for token in server.tokens
        ]
        self._origins = frozenset(_configured_origin(text) for text in server.allowed_origins)
        self._hosts = {_normal_name(server.host), _normal_name(host)} | {
            origin.host for origin in self._origins if origin.scheme in _PORTS
        }
        self._ports = {port for port in (server.port, server.ws_port) if isinstance(port, int) and port}
        self._beyond_loopback = not is_loopback(host)
        self._find_own_names = own_names or find_own_names
        self._own_names: frozenset[str] = frozenset()
        self._own_names_due = 0.0

    @property
    def token_required(self) -> bool:
        """Whether a request needs a token; without any in the settings everybody may do everything."""
        return bool(self._tokens)

    def check_host(self, host: str | None) -> None:
        """Let a request pass if it is meant for this server, going by its `Host` header.

        Raises:
            Misdirected: the host is missing or not ours (RFC 9110, section 15.5.20).
        """
        found = _HOST.fullmatch(host or "")
        if found is not None:
            name = _normal_name(found[1] or found[2])
            if is_loopback(name) or name in self._hosts:
                return
            if self._beyond_loopback and self._is_own(name):
                return
        raise Misdirected(
            "This server does not answer for the host that the request names; "
            "add its origin to server.allowed_origins if it should."
        )

    def check_origin(self, headers: RawHeaders, *, secure: bool = False) -> Page:
        """Let a request pass if no page, or a page that may, is behind it, going by its `Origin` header.

        Args:
            headers: the request's headers.
            secure: whether the request came over TLS.

        Raises:
            Forbidden: the page is of another origin, which is not allowed; `null` is one of those.
        """
        given = _pick(headers, "origin", "host")
        origins = given["origin"]
        if not origins:
            return Page(None, foreign=False, trusted=True)
        origin = read_origin(origins[0]) if len(origins) == 1 else None
        if origin is not None:
            hosts = given["host"]
            scheme = "https" if secure else "http"
            own = read_origin(f"{scheme}://{hosts[0]}") if len(hosts) == 1 else None
            if origin == own:
                return Page(origins[0], foreign=False, trusted=True)
            if own is not None and origin[:2] == own[:2] and {origin.port, own.port} <= self._ports:
                # The other one of the server's two ports.
                return Page(origins[0], foreign=True, trusted=True)
            if origin in self._origins:
                return Page(origins[0], foreign=True, trusted=True)
            if origin.scheme in _PORTS and _is_loopback_page(origin.host):
                return Page(origins[0], foreign=True, trusted=False)
        raise Forbidden(
            "Pages of this origin may not use this server; add the origin to server.allowed_origins if they should."
        )

    def identify(self, headers: RawHeaders, page: Page) -> Caller:
        """Find out who makes a request, by `Authorization: Bearer`, a WebSocket's subprotocol, or the cookie.

        Raises:
            Unauthorized: a token is needed and there is none, or it is not known.
        """
        if not self._tokens:
            return Caller(None, ALL_SCOPES)
        token = bearer_token(headers)
        if token is None and page.trusted:
            token = _cookie_token(headers)
        if token is None:
            raise Unauthorized("A token is needed; send it as 'Authorization: Bearer TOKEN'.")
        digest = sha256(token).digest()
        caller: Caller | None = None
        # Every one is compared, so that the time taken says nothing about which one it is.
        for known, owner in self._tokens:
            if hmac.compare_digest(digest, known):
                caller = owner
        if caller is None:
            raise Unauthorized(
                "The token is not known to this server; `mission-control token new` makes one."
            )
        return caller

    def authorize(
        self, headers: RawHeaders, *, query_names: Iterable[str] = (), secure: bool = False
    ) -> frozenset[Scope]:
        """Check query, origin and token at once, and return what the request may do.

        Args:
            headers: the request's headers.
            query_names: the names of its query parameters.
            secure: whether the request came over TLS.

        Raises:
            InputError: a token was put into the URL.
            Forbidden: the page's origin is not allowed.
            Unauthorized: a token is needed and there is none, or it is not known.
        """
        check_query_names(query_names)
        return self.identify(headers, self.check_origin(headers, secure=secure)).scopes

    def _is_own(self, name: str) -> bool:
        """Whether a name is one of this machine's; looked up anew at times, since addresses come and go."""
        if name in self._own_names:
            return True
        now = monotonic()
        if now < self._own_names_due:
            return False
        self._own_names_due = now + OWN_NAMES_SECONDS
        self._own_names = self._find_own_names()
        return name in self._own_names


def check_bind(config: Config) -> None:
    """Refuse to start where anybody could come in.

    Raises:
        ConfigError: the host can be reached from other machines and there is no token, an allowed origin is no
            origin, or a trusted proxy no address.
    """
    for text in config.server.allowed_origins:
        _configured_origin(text)
    TrustedProxies(config.server.trusted_proxies)
    if not config.server.tokens and not is_loopback(config.server.host):
        raise ConfigError(
            f"server.host is {config.server.host!r}, which other machines can reach, so a token is needed: "
            f"run `mission-control token new` and put what it prints into the config file, "
            f"or use the host 127.0.0.1."
        )


def check_query_names(names: Iterable[str]) -> None:
    """Refuse a token in a URL, where it ends up in histories and logs.

    Raises:
        InputError: one of the names is one that tokens are put under.
    """
    if not TOKEN_QUERY_NAMES.isdisjoint(name.lower() for name in names):
        raise InputError(
            "A token does not belong into a URL; send it as 'Authorization: Bearer TOKEN', and make a new one, "
            "since this one may have been recorded on its way."
        )


def bearer_token(headers: RawHeaders) -> bytes | None:
    """Find the token that a request's headers carry, but for cookies; None where there is none.

    Raises:
        Unauthorized: there is more than one, or it cannot be read.
    """
    given = _pick(headers, "authorization", "sec-websocket-protocol")
    tokens = []
    for value in given["authorization"]:
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip().encode("latin-1", "replace"))
    for value in given["sec-websocket-protocol"]:
        tokens += [
            _from_base64url(offer.strip().removeprefix(BEARER_SUBPROTOCOL))
            for offer in value.split(",")
            if offer.strip().startswith(BEARER_SUBPROTOCOL)
        ]
    if len(tokens) > 1:
        raise Unauthorized("More than one token was given; send one.")
    return tokens[0] if tokens else None


@lru_cache(maxsize=512)
def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this machine alone, without asking any name server."""
    name = _normal_name(host)
    return name == "localhost" or name.endswith(".localhost") or _is_loopback_address(name)


def read_origin(text: str) -> Origin | None:
    """Read SCHEME://HOST:PORT; None where the text is anything else, such as `null`."""
    found = _ORIGIN.fullmatch(text)
    if found is None:
        return None
    scheme = found[1].lower()
    port = int(found[3]) if found[3] else _PORTS.get(scheme)
    return Origin(scheme, _normal_name(found[2]), port)


def find_own_names() -> frozenset[str]:
    """Return the names and addresses of this machine, in normal form."""
    hostname = socket.gethostname().lower()
    names = {hostname, hostname.partition(".")[0]}
    names |= {f"{name}.local" for name in tuple(names)}
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in (socket.AF_INET, socket.AF_INET6):
                names.add(_normal_name(address.address.partition("%")[0]))
    return frozenset(names)


def _scopes(scopes: Iterable[Scope]) -> frozenset[Scope]:
    found = frozenset(scopes)
    return ALL_SCOPES if "admin" in found else found


def _configured_origin(text: str) -> Origin:
    origin = read_origin(text.removesuffix("/"))
    if origin is None:
        raise ConfigError(
            f"server.allowed_origins has {text!r}; an origin is SCHEME://HOST or SCHEME://HOST:PORT, "
            f"as in 'https://fleet.example.com', and '*' is none."
        )
    return origin


def _pick(headers: RawHeaders, *names: str) -> dict[str, list[str]]:
    """Collect the values of some headers, whose names are compared as HTTP does: without regard to case."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in found:
            found[key].append(value if isinstance(value, str) else value.decode("latin-1"))
    return found


@lru_cache(maxsize=512)
def _normal_name(name: str) -> str:
    """Write a host name or address in the one form in which it is compared."""
    name = name.lower().removeprefix("[").removesuffix("]").removesuffix(".")
    try:
        return str(_address(name))
    except ValueError:
        return name


def _address(name: str) -> IPv4Address | IPv6Address:
    address = ip_address(name)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_loopback_address(name: str) -> bool:
    try:
        return _address(name).is_loopback
    except ValueError:
        return False


def _is_loopback_page(host: str) -> bool:
    return host == "localhost" or _is_loopback_address(host)


def _from_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unauthorized(
            f"What follows {BEARER_SUBPROTOCOL!r} must be the base64url form of the token."
        ) from None


def _cookie_token(headers: RawHeaders) -> bytes | None:
    for value in _pick(headers, "cookie")["cookie"]:
        for pair in value.split(";"):
            name, _, token = pair.strip().partition("=")
            if name == COOKIE and token:
                return token.encode("latin-1", "replace")
    return None
