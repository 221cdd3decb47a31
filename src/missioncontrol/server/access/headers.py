"""Headers as they come in: names in any case, as text or bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

RawHeaders = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


_OF_PROXIES = frozenset(
    {
        "forwarded",
        "via",
        "cdn-loop",
        "x-real-ip",
        "true-client-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "fastly-client-ip",
        "x-original-forwarded-for",
        "x-original-host",
        "x-azure-clientip",
        "x-appengine-user-ip",
        "x-proxyuser-ip",
    }
)
_BEGIN_OF_PROXIES = ("x-forwarded-", "cf-", "fly-", "tailscale-", "x-envoy-")


_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)")


def host_in_target(target: bytes) -> bytes | None:
    """Return the host that the target of a request names, which then counts instead of the header `Host`.

    Source: RFC 9112, section 3.2.2.

    Args:
        target: what stands between method and version, in most requests a path alone.
    """
    found = _ABSOLUTE.match(target)
    return None if found is None else found[1]


def pick(headers: RawHeaders, *names: str) -> dict[str, list[str]]:
    """Collect the values of some headers, whose names are compared as HTTP does: without regard to case."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in found:
            found[key].append(value if isinstance(value, str) else value.decode("latin-1"))
    return found


def is_forwarded(headers: RawHeaders) -> bool:
    """Return whether a proxy has passed the request on, by one of the headers in which proxies say for whom.

    Sources: RFC 7239, section 4; RFC 9110, section 7.6.3; RFC 8586; the manuals of nginx, Cloudflare, Akamai, Fastly,
    Fly, Envoy, Azure, Google App Engine, and Tailscale Serve.
    """
    for name in headers if isinstance(headers, Mapping) else (name for name, _ in headers):
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in _OF_PROXIES or key.startswith(_BEGIN_OF_PROXIES):
            return True
    return False
