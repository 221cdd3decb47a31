"""What a proxy says of the request that it passes on: who asked, over what, and under which name.

Only a proxy that the settings name is believed; from anybody else these headers mean nothing. Of several proxies in a
row each adds itself at the end, so that the right end is read and the left one, which a client can invent, is not.

Sources: RFC 7239 (`Forwarded`); the `X-Forwarded-…` headers as nginx, Caddy and HAProxy write them.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from missioncontrol.errors import ConfigError

RawHeaders = Iterable[tuple[str | bytes, str | bytes]]

_NAMES = ("forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host")


class Forwarded(NamedTuple):
    """What is to be believed; None where nothing is said, or whoever says it is not trusted."""

    address: str | None = None
    scheme: str | None = None
    host: str | None = None


NOTHING_SAID = Forwarded()


class TrustedProxies:
    """The proxies that are believed, by address."""

    def __init__(self, networks: Iterable[str]) -> None:
        """Read the settings.

        Args:
            networks: addresses and networks, as in `127.0.0.1` and `10.0.0.0/8`.

        Raises:
            ConfigError: one of them is neither.
        """
        self._networks: list[IPv4Network | IPv6Network] = []
        for text in networks:
            try:
                self._networks.append(ip_network(text))
            except ValueError as error:
                raise ConfigError(
                    f"server.trusted_proxies has {text!r}, which is no address or network: {error}. "
                    f"Write it as in '127.0.0.1' or '10.0.0.0/8'."
                ) from None

    def read(self, peer: str | None, headers: RawHeaders) -> Forwarded:
        """Find out what a request was before it was passed on.

        Args:
            peer: the address that the connection comes from.
            headers: the request's headers.
        """
        if not self._networks or peer is None or not self._trusts(peer):
            return Forwarded()
        given = _pick(headers)
        if given["forwarded"]:
            hops = [_pairs(hop) for hop in given["forwarded"]]
            addresses = [hop["for"] for hop in hops if "for" in hop]
            last = hops[-1]
            return Forwarded(self._client(addresses), last.get("proto", "").lower() or None, last.get("host"))
        schemes, hosts = given["x-forwarded-proto"], given["x-forwarded-host"]
        return Forwarded(
            self._client(given["x-forwarded-for"]),
            schemes[-1].lower() if schemes else None,
            hosts[-1] if hosts else None,
        )

    def _client(self, addresses: list[str]) -> str | None:
        """Return the last address that is no proxy of ours; the first one where all are."""
        client = None
        for text in reversed(addresses):
            address = _address(text)
            if address is None:
                break
            client = address
            if not self._trusts(address):
                break
        return client

    def _trusts(self, text: str) -> bool:
        address = _address(text)
        return address is not None and any(ip_address(address) in network for network in self._networks)


def _pick(headers: RawHeaders) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {name: [] for name in _NAMES}
    for name, value in headers:
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in found:
            text = value if isinstance(value, str) else value.decode("latin-1")
            found[key] += [part.strip() for part in text.split(",") if part.strip()]
    return found


def _pairs(hop: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in hop.split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def _address(text: str) -> str | None:
    """Return an address without its port; None where it is none, such as `unknown` (RFC 7239, section 6)."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
