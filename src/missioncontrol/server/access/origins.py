"""Hosts and origins: which server a request is for, and the page behind it.

Invariants:

- a request for a host that is not ours is refused on every path, which is what stops DNS rebinding;
- a page of another origin is refused unless it is of this machine or named in the settings, which is what stops
  cross-site requests and cross-site WebSockets (RFC 6455, section 10.2);
- where there is no `Origin`, the browser's `Sec-Fetch-Site` says whether the page of another site or port has made the
  request (https://www.w3.org/TR/fetch-metadata/, section 2.3).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from time import monotonic
from typing import NamedTuple

import psutil

from missioncontrol.config import Config
from missioncontrol.errors import ConfigError, Forbidden, Misdirected
from missioncontrol.server.access.headers import RawHeaders, pick

OWN_NAMES_SECONDS = 10.0

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?", re.ASCII)
_ORIGIN = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?", re.ASCII
)
_PORTS = {"http": 80, "https": 443}
_PAGES_BELOW_API = ("/api/docs",)
SCRIPTS = "/js/"
"""Where the client's script is, which pages of other origins load."""


class Origin(NamedTuple):
    """An origin in normal form (RFC 6454, section 4); the port is the scheme's own where none is written."""

    scheme: str
    host: str
    port: int | None


class Page(NamedTuple):
    """The page that a request comes from; `origin` is None where the request names none.

    `foreign` is a page of another origin, which needs CORS headers to read the answer. `trusted` says whether a
    browser session may be used: by the server's own pages alone. `named` is a foreign page of `allowed_origins`.
    """

    origin: str | None
    foreign: bool
    trusted: bool
    named: bool = False


class HostsAndOrigins:
    """The hosts and origins that the settings let in; `bound_host` is the address that the server listens on."""

    def __init__(
        self, config: Config, bound_host: str, own_names: Callable[[], frozenset[str]] | None = None
    ) -> None:
        """Read the settings; `own_names` finds the names and addresses of this machine, for tests.

        Raises:
            ConfigError: an entry of `allowed_origins` is no origin.
        """
        server = config.server
        self._origins = frozenset(configured_origin(text) for text in server.allowed_origins)
        self._hosts = {_normal_name(server.host), _normal_name(bound_host)} | {
            origin.host for origin in self._origins if origin.scheme in _PORTS
        }
        self._ports = {port for port in (server.wanted_port, server.wanted_ws_port) if port}
        self._beyond_loopback = not is_loopback(bound_host)
        self._find_own_names = own_names or find_own_names
        self._own_names: frozenset[str] = frozenset()
        self._own_names_due = 0.0

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
        """Let a request pass if no page, or a page that may, is behind it.

        Args:
            headers: the request's headers.
            secure: whether the request came over TLS.

        Raises:
            Forbidden: the page is of another origin, which is not allowed; `null` is one of those.
        """
        given = pick(headers, "origin", "host", "sec-fetch-site")
        origins = given["origin"]
        if not origins:
            # Images, scripts and links of another page carry no `Origin`.
            elsewhere = any(site in ("same-site", "cross-site") for site in given["sec-fetch-site"])
            return Page(None, foreign=elsewhere, trusted=not elsewhere)
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
                return Page(origins[0], foreign=True, trusted=False, named=True)
            if origin.scheme in _PORTS and _is_loopback_page(origin.host):
                return Page(origins[0], foreign=True, trusted=False)
        raise Forbidden(
            "Pages of this origin may not use this server; add the origin to server.allowed_origins if they should."
        )

    def check_fetch_site(self, headers: RawHeaders, method: str, path: str) -> None:
        """Refuse what a page of another site makes a browser fetch.

        Following a link to one of our pages is allowed, and loading the client's script into a page whose origin is:
        such a request has no `Origin`, so its `Referer` counts. One with an `Origin` is judged by that instead.

        Raises:
            Forbidden: it is such a request.
        """
        given = pick(headers, "sec-fetch-site", "sec-fetch-mode", "origin", "referer")
        if "cross-site" not in given["sec-fetch-site"] or given["origin"]:
            return
        if method in ("GET", "HEAD"):
            is_page = not path.startswith("/api/") or path in _PAGES_BELOW_API
            if given["sec-fetch-mode"] == ["navigate"] and is_page:
                return
            if path.startswith(SCRIPTS) and any(map(self._is_allowed_page, given["referer"])):
                return
        raise Forbidden(
            "A page of another site has made the browser send this request; only links to pages of this server may "
            "do that."
        )

    def _is_allowed_page(self, address: str) -> bool:
        origin = read_origin("/".join(address.split("/", 3)[:3]))
        return origin is not None and (
            origin in self._origins or (origin.scheme in _PORTS and _is_loopback_page(origin.host))
        )

    def _is_own(self, name: str) -> bool:
        """Return whether a name is one of this machine's; found again at times, since addresses come and go."""
        if name in self._own_names:
            return True
        now = monotonic()
        if now < self._own_names_due:
            return False
        self._own_names_due = now + OWN_NAMES_SECONDS
        self._own_names = self._find_own_names()
        return name in self._own_names


@lru_cache(maxsize=512)
def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine alone, without asking any name server."""
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


def configured_origin(text: str) -> Origin:
    """Read an entry of `allowed_origins`.

    Raises:
        ConfigError: it is no origin.
    """
    origin = read_origin(text.removesuffix("/"))
    if origin is None:
        raise ConfigError(
            f"server.allowed_origins has {text!r}; an origin is SCHEME://HOST or SCHEME://HOST:PORT, "
            f"as in 'https://fleet.example.com', and '*' is none."
        )
    return origin


def is_local_origin(origin: Origin) -> bool:
    """Return whether an origin is a page that only this machine can have: on loopback, or of an editor's own scheme."""
    return origin.scheme not in _PORTS or is_loopback(origin.host)


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
