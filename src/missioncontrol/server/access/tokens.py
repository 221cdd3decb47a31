"""Tokens: where a request carries one, whose it is, and what happens to wrong ones.

Invariant: a token is known by its SHA-256 alone, compared in constant time with every one that is known, and is
repeated in no error, no log line and no URL.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
from collections import OrderedDict
from collections.abc import Iterable
from hashlib import sha256
from itertools import islice
from time import monotonic

from missioncontrol.config import TokenConfig
from missioncontrol.errors import InputError, Unauthorized
from missioncontrol.server.access.headers import RawHeaders, pick
from missioncontrol.server.access.scopes import Caller, expand

SUBPROTOCOL = "mission-control"
BEARER_SUBPROTOCOL = "mission-control.bearer."
"""What a browser, which cannot set headers on a WebSocket, puts before the base64url form of its token."""

TOKEN_QUERY_NAMES = frozenset(
    {"token", "access_token", "auth_token", "api_key", "apikey", "authorization", "mission_control_token"}
)
MAX_PARAMETERS = 256

MIN_TOKEN_LENGTH = 16
"""The least number of characters of a token that is taken from other machines."""

FREE_FAILURES = 5
"""How many wrong tokens a minute an address may send before their refusals are slowed."""

FAILURE_WINDOW_SECONDS = 60.0
FAILURE_DELAY_SECONDS = 1.0
MAX_ADDRESSES = 1_000
MAX_DELAYED = 100

logger = logging.getLogger(__name__)


class Tokens:
    """The tokens of the settings."""

    def __init__(
        self, tokens: Iterable[TokenConfig], *, beyond_loopback: bool, home: str | None = None
    ) -> None:
        """Read the settings; with `beyond_loopback` tokens shorter than 16 characters are refused.

        `home` is what this host is called in a fleet of several: whose agents tokens are bound to.
        """
        self._home = home
        self._beyond_loopback = beyond_loopback
        self._known: dict[str, tuple[bytes, Caller]] = {}
        self._needed = False
        self.replace(tokens)

    def __bool__(self) -> bool:
        return self._needed

    def replace(self, tokens: Iterable[TokenConfig]) -> None:
        """Take these tokens in the place of those before.

        Once there was any, one is needed: a config file that is empty while it is written must not open the server.
        """
        self._known = {
            token.sha256: (
                bytes.fromhex(token.sha256),
                Caller(token.name, expand(token.scopes), token.agent, "token", token.sha256, self._home),
            )
            for token in tokens
        }
        self._needed = self._needed or bool(self._known)

    def get(self, digest: str) -> Caller | None:
        """Return the caller of a token by the token's hex digest."""
        known = self._known.get(digest)
        return None if known is None else known[1]

    def find(self, token: bytes) -> Caller | None:
        """Return the caller that has a token; None where it is not known.

        Raises:
            Unauthorized: the token is too short for a server that other machines can reach.
        """
        digest = sha256(token).digest()
        caller: Caller | None = None
        # Every one is compared, so that the time taken says nothing about which one it is.
        for known, owner in self._known.values():
            if hmac.compare_digest(digest, known):
                caller = owner
        if caller is not None and self._beyond_loopback and len(token) < MIN_TOKEN_LENGTH:
            raise Unauthorized(
                f"The token {caller.name!r} has fewer than {MIN_TOKEN_LENGTH} characters, which is too short for a "
                f"server that other machines can reach; `mission-control token new` makes one."
            )
        return caller


class WrongTokens:
    """Counts and logs wrong tokens, and says how long their refusal is to wait."""

    def __init__(self) -> None:
        self.count = 0
        self.delayed = 0
        self._recent: OrderedDict[str, list[float]] = OrderedDict()

    def seen(self, address: str | None) -> float:
        """Note a wrong token of an address, and return the seconds to wait before it is refused."""
        self.count += 1
        key, now = address or "unknown", monotonic()
        recent = [at for at in self._recent.pop(key, []) if now - at < FAILURE_WINDOW_SECONDS]
        recent.append(now)
        self._recent[key] = recent[-FREE_FAILURES - 1 :]
        while len(self._recent) > MAX_ADDRESSES:
            self._recent.popitem(last=False)
        slow = len(recent) > FREE_FAILURES
        if len(recent) <= FREE_FAILURES + 1:
            logger.warning("access.wrong_token", extra={"address": key, "slowed": slow})
        # Bounded, so that waiting refusals hold no memory: beyond that they are immediate.
        return FAILURE_DELAY_SECONDS if slow and self.delayed < MAX_DELAYED else 0.0


def check_query_names(names: Iterable[str]) -> None:
    """Refuse a token in a URL, where it ends up in histories and logs.

    Raises:
        InputError: one of the names is one that tokens are put under, or there are too many.
    """
    names = list(islice(names, MAX_PARAMETERS + 1))
    if len(names) > MAX_PARAMETERS:
        raise InputError(f"The URL has more than {MAX_PARAMETERS} parameters; leave some out.")
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
    given = pick(headers, "authorization", "sec-websocket-protocol")
    tokens = []
    for value in given["authorization"]:
        scheme, _, token = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip().encode("latin-1", "replace"))
    tokens += [
        _from_base64url(offer) for offer in subprotocols(given["sec-websocket-protocol"], BEARER_SUBPROTOCOL)
    ]
    if len(tokens) > 1:
        raise Unauthorized("More than one token was given; send one.")
    return tokens[0] if tokens else None


def subprotocols(offers: Iterable[str], prefix: str) -> list[str]:
    """Return what follows this prefix in the subprotocols that begin with it."""
    return [
        offer.strip().removeprefix(prefix)
        for value in offers
        for offer in value.split(",")
        if offer.strip().startswith(prefix)
    ]


def _from_base64url(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise Unauthorized(
            f"What follows {BEARER_SUBPROTOCOL!r} must be the base64url form of the token."
        ) from None
