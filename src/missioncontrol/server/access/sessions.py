"""Sessions of browsers: who has signed in, and until when.

A session needs two secrets. The first is in a cookie that no script can read. Cookies know no ports, so programs on
other ports of the same host are sent it, too: the second one, the key, is kept by the page in its own origin and sent
as a header, or as a subprotocol of a WebSocket. One without the other is worth nothing.

Invariants:

- of both only the SHA-256 is kept;
- a session ends 30 days after it began, when it is signed out, or when the token that it was opened with is revoked;
- one of the owner's also ends with the process where the kernel does not say which user connects: whoever takes the
  port of a server that has stopped is sent both secrets by a tab that is still open, and could use them there.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from time import time
from typing import NamedTuple

import msgspec

from missioncontrol.server.access.headers import RawHeaders, pick
from missioncontrol.server.access.tokens import subprotocols
from missioncontrol.temporary import replace_file

FILE_NAME = "browsers.json"
KEY_HEADER = "x-session-key"
KEY_SUBPROTOCOL = "mission-control.key."
COOKIE_PREFIX = "mission_control_"
SESSION_SECONDS = 30 * 86_400.0
MAX_SESSIONS = 100
MAX_FILE_BYTES = 1024 * 1024
MAX_USER_AGENT = 200
USED_EVERY_SECONDS = 60.0

logger = logging.getLogger(__name__)


class BrowserSession(msgspec.Struct, kw_only=True):
    """One signed-in browser; times are in seconds since 1970.

    `id` is public, `digest` and `key_digest` are of the two secrets. `token` is the hex digest of the token that it
    was opened with; None for the owner's.
    """

    id: str
    digest: str
    key_digest: str
    token: str | None
    began: float
    used: float
    expires: float
    address: str | None
    user_agent: str | None


class Secrets(NamedTuple):
    """What the browser keeps: the cookie's value and the page's key."""

    cookie: str
    key: str


class BrowserSessions:
    """All sessions, kept in a file of the data folder."""

    def __init__(self, path: Path | None = None, *, keep_owners: bool = True) -> None:
        """Read the file; without a path the sessions end with the process, without `keep_owners` the owner's do."""
        self._path = path
        self._by_digest: dict[str, BrowserSession] = {}
        if path is not None:
            now = time()
            self._by_digest = {
                one.digest: one
                for one in _read(path)
                if one.expires > now and (keep_owners or one.token is not None)
            }

    def open(self, token: str | None, address: str | None, user_agent: str | None) -> Secrets:
        """Begin a session; `token` is the hex digest of the token that opens it, None for the owner."""
        made = Secrets(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        now = time()
        session = BrowserSession(
            id=secrets.token_hex(8),
            digest=_digest(made.cookie),
            key_digest=_digest(made.key),
            token=token,
            began=now,
            used=now,
            expires=now + SESSION_SECONDS,
            address=address,
            user_agent=None if user_agent is None else user_agent[:MAX_USER_AGENT],
        )
        while len(self._by_digest) >= MAX_SESSIONS:
            oldest = min(self._by_digest.values(), key=lambda one: one.used)
            del self._by_digest[oldest.digest]
        self._by_digest[session.digest] = session
        return made

    def find(self, cookie: str, key: bytes) -> BrowserSession | None:
        """Return the session that both secrets belong to, if there is one."""
        session = self._by_digest.get(_digest(cookie))
        if session is None or not hmac.compare_digest(session.key_digest, sha256(key).hexdigest()):
            return None
        now = time()
        if session.expires <= now:
            return None
        if now - session.used >= USED_EVERY_SECONDS:
            session.used = now
        return session

    def get(self, id_: str) -> BrowserSession | None:
        """Return a session by its public id; None where it has ended."""
        now = time()
        return next((one for one in self._by_digest.values() if one.id == id_ and one.expires > now), None)

    def listed(self) -> list[BrowserSession]:
        """Return the sessions, the last used first."""
        now = time()
        return sorted(
            (one for one in self._by_digest.values() if one.expires > now), key=lambda one: -one.used
        )

    def end(self, id_: str) -> bool:
        """End a session by its public id; return whether there was one."""
        return self.end_where(lambda one: one.id == id_) > 0

    def end_where(self, ends: Callable[[BrowserSession], bool]) -> int:
        """End some sessions, and return their number."""
        ended = [one.digest for one in self._by_digest.values() if ends(one)]
        for digest in ended:
            del self._by_digest[digest]
        return len(ended)

    def save(self) -> None:
        """Write the file; blocks. Where it cannot be written the sessions end with the process."""
        if self._path is None:
            return
        content = msgspec.json.encode(list(self._by_digest.values()))
        try:
            replace_file(self._path, content, 0o600)
        except OSError as error:
            logger.warning("access.sessions_not_saved", extra={"reason": error.strerror or str(error)})


def session_cookie(headers: RawHeaders, name: str) -> str | None:
    """Return the value of the session's cookie."""
    for value in pick(headers, "cookie")["cookie"]:
        for pair in value.split(";"):
            key, _, found = pair.strip().partition("=")
            if key == name and found:
                return found
    return None


def session_key(headers: RawHeaders) -> bytes | None:
    """Return the page's key, from the header or the subprotocol; None unless there is exactly one."""
    given = pick(headers, KEY_HEADER, "sec-websocket-protocol")
    keys = [value.strip().encode("latin-1", "replace") for value in given[KEY_HEADER]]
    # It is a token of HTTP as it is (RFC 9110, section 5.6.2), so that it needs no other form.
    keys += [
        offer.encode("latin-1", "replace")
        for offer in subprotocols(given["sec-websocket-protocol"], KEY_SUBPROTOCOL)
    ]
    return keys[0] if len(keys) == 1 else None


_decoder = msgspec.json.Decoder(list[BrowserSession])


def _read(path: Path) -> list[BrowserSession]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                raise PermissionError(1, "it belongs to another user")
            return _decoder.decode(os.read(descriptor, MAX_FILE_BYTES))
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return []
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        # All browsers have to sign in again, which is better than no start.
        logger.warning("access.sessions_not_read", extra={"reason": str(error)})
        return []


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "replace")).hexdigest()
