"""What a proxy says of the request that it passes on: who asked, over what, and under which name.

Invariants:

- only a proxy that the settings name is believed; from anybody else these headers mean nothing;
- of several proxies in a row each adds itself at the end, so that the right end is read and the left one, which a
  client can invent, is not;
- a proxy writes one kind of header and passes the other one on as a client has invented it: where both kinds are
  there, only what both say is believed.

Sources: RFC 7239 (`Forwarded`; sections 4, 6 and 8.1); the `X-Forwarded-…` headers as nginx, Caddy and HAProxy write
them.
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
        standard = self._standard([_pairs(hop) for hop in given["forwarded"]])
        usual = self._usual(given["x-forwarded-for"], given["x-forwarded-proto"], given["x-forwarded-host"])
        if not any(given[name] for name in _NAMES[1:]):
            return standard
        if not given["forwarded"]:
            return usual
        return Forwarded(*(one if one == other else None for one, other in zip(standard, usual, strict=True)))

    def _standard(self, hops: list[dict[str, str]]) -> Forwarded:
        """Read `Forwarded`: whoever spoke to the outermost of our proxies, and what that proxy was asked for."""
        place, client = self._client([hop.get("for", "") for hop in hops])
        ours = hops[place:]
        scheme = next((hop["proto"].lower() for hop in ours if hop.get("proto")), None)
        return Forwarded(client, scheme, next((hop["host"] for hop in ours if hop.get("host")), None))

    def _usual(self, addresses: list[str], schemes: list[str], hosts: list[str]) -> Forwarded:
        """Read `X-Forwarded-…`: where each proxy adds to all of them, they are read at the same place."""
        place, client = self._client(addresses)

        def value(values: list[str]) -> str | None:
            if not values:
                return None
            return values[place] if len(values) == len(addresses) else values[-1]

        scheme = value(schemes)
        return Forwarded(client, scheme and scheme.lower(), value(hosts))

    def _client(self, addresses: list[str]) -> tuple[int, str | None]:
        """Return the last address that is no proxy of ours, the first one where all are, and its place."""
        place, client = max(0, len(addresses) - 1), None
        for index in range(len(addresses) - 1, -1, -1):
            address = _address(addresses[index])
            if address is None:
                break
            place, client = index, address
            if not self._trusts(address):
                break
        return place, client

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
