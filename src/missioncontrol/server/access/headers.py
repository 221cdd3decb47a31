"""Headers as they come in: names in any case, as text or bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

RawHeaders = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]


def pick(headers: RawHeaders, *names: str) -> dict[str, list[str]]:
    """Collect the values of some headers, whose names are compared as HTTP does: without regard to case."""
    found: dict[str, list[str]] = {name: [] for name in names}
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in found:
            found[key].append(value if isinstance(value, str) else value.decode("latin-1"))
    return found


def is_forwarded(headers: RawHeaders) -> bool:
    """Return whether a proxy has passed the request on, by `Forwarded`, `Via` or an `X-Forwarded-…` header.

    Sources: RFC 7239, section 4; RFC 9110, section 7.6.3.
    """
    for name in headers if isinstance(headers, Mapping) else (name for name, _ in headers):
        key = (name if isinstance(name, str) else name.decode("latin-1")).lower()
        if key in ("forwarded", "via") or key.startswith("x-forwarded-"):
            return True
    return False
