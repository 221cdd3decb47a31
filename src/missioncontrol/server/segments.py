"""Slashes within a segment of a task's path: `/api/tasks/a%2Fb` is the task `a/b` (RFC 3986, section 2.2).

A router goes by the decoded path, in which such a slash would divide. So it is kept apart until the route is found.
"""

from __future__ import annotations

import re
from typing import Any, cast
from urllib.parse import quote, unquote

from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

_SLASH = "\ue02f"
"""In place of a slash within a segment; of Unicode's private use."""

_ENCODED = re.compile(rb"%2f", re.IGNORECASE)
_PREFIX = b"/api/tasks/"
"""Where ids may have slashes: that of an agent names a folder, and must never be a path."""


def keep_slashes(http: HTTPScope) -> HTTPScope:
    """Return a request with the encoded slashes of its path kept apart from those that divide it."""
    raw = http.get("raw_path") or b""
    if not raw.startswith(_PREFIX) or _ENCODED.search(raw) is None:
        return http
    path = unquote(_ENCODED.sub(quote(_SLASH).encode(), raw).decode("latin-1"))
    return cast("HTTPScope", {**http, "path": path})


def shown_path(path: str) -> str:
    """Return a path of `keep_slashes`, percent-encoded."""
    return quote(path, safe="/:@!$&'()*+,;=~-._").replace(quote(_SLASH), "%2F")


class RestoreSlashes:
    """Middleware that gives the handler its parameters with the slashes that were kept."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass."""
        if _SLASH in scope["path"]:
            given: dict[str, Any] = scope["path_params"]
            # A new one, because the router keeps its own for the next request.
            scope["path_params"] = {
                name: value.replace(_SLASH, "/") if isinstance(value, str) else value
                for name, value in given.items()
            }
        await self._app(scope, receive, send)
