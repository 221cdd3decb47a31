"""The owner's proof: a secret file, one-time links, and codes of six digits.

Only this user can read the secret (`missioncontrol.owner_secret`), so a program that sends it runs as this user, and a
browser that was handed a link or a code was handed it by the person at the terminal.

Invariants:

- a link works once and for 15 minutes; a code works once, for 3 minutes and 5 attempts;
- of links and codes only the SHA-256 is kept, and both are compared in constant time;
- at most one code a half minute is shown, and none after 20 wrong ones within an hour.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from collections.abc import Callable
from hashlib import sha256
from time import monotonic

from missioncontrol.errors import Forbidden, Overloaded
from missioncontrol.owner_secret import new_secret

LINK_PREFIX = "mc_link_"
LINK_SECONDS = 15 * 60.0
MAX_LINKS = 20
CODE_SECONDS = 180.0
CODE_ATTEMPTS = 5
CODE_EVERY_SECONDS = 30.0
WRONG_CODES = 20
WRONG_CODES_SECONDS = 3_600.0

logger = logging.getLogger(__name__)


class Owner:
    """The owner's secret, and the links and codes that stand for it for a short time."""

    def __init__(self, secret: str | None = None) -> None:
        """Keep a secret; without one a new one is made, which no other process knows.

        `show` shows a code to the person at the terminal; by default it is logged.
        """
        self._secret = secret or new_secret()
        self._links: dict[bytes, float] = {}
        self._code: tuple[bytes, float] | None = None
        self._attempts = 0
        self._next_code = 0.0
        self._wrong: list[float] = []
        self.show: Callable[[str], None] = _log_code

    @property
    def id(self) -> str:
        """A short public name that is the same for as long as the secret is."""
        return sha256(b"mission-control owner id " + self._secret.encode()).hexdigest()[:8]

    def reveal(self) -> str:
        """Return the secret, for what is embedded in this process."""
        return self._secret

    def is_secret(self, token: bytes) -> bool:
        """Return whether a token is the owner's secret."""
        return hmac.compare_digest(sha256(token).digest(), sha256(self._secret.encode()).digest())

    def new_link(self) -> str:
        """Make what a one-time link carries."""
        now = monotonic()
        self._links = {digest: until for digest, until in self._links.items() if until > now}
        while len(self._links) >= MAX_LINKS:
            del self._links[next(iter(self._links))]
        link = LINK_PREFIX + secrets.token_urlsafe(32)
        self._links[sha256(link.encode()).digest()] = now + LINK_SECONDS
        return link

    def use_link(self, link: str) -> None:
        """Take a link, which then works no more.

        Raises:
            Forbidden: it is not known, was used, or is too old.
        """
        until = self._links.pop(sha256(link.encode("utf-8", "replace")).digest(), 0.0)
        if until <= monotonic():
            raise Forbidden(
                "The sign-in link was used or is too old; `mission-control sign-in` prints another one."
            )

    def new_code(self) -> str:
        """Make a code of six digits, in the place of the one before.

        Raises:
            Overloaded: one was made a moment ago, or there were too many wrong ones.
        """
        now = monotonic()
        self._wrong = [at for at in self._wrong if now - at < WRONG_CODES_SECONDS]
        if len(self._wrong) >= WRONG_CODES:
            raise Overloaded(
                "There were too many wrong codes; use the link that `mission-control sign-in` prints.",
                retry_after=WRONG_CODES_SECONDS - (now - self._wrong[0]),
            )
        if now < self._next_code:
            raise Overloaded(
                "A code was shown a moment ago; use that one, or wait.", retry_after=self._next_code - now
            )
        code = f"{secrets.randbelow(1_000_000):06}"
        self._code = sha256(code.encode()).digest(), now + CODE_SECONDS
        self._attempts = 0
        self._next_code = now + CODE_EVERY_SECONDS
        return code

    def use_code(self, code: str) -> None:
        """Take a code, which then works no more.

        Raises:
            Forbidden: it is wrong or too old, or there were too many attempts.
        """
        now = monotonic()
        known, self._code = self._code, None
        if known is None or known[1] <= now:
            raise Forbidden("There is no code at the moment, or it is too old; ask for another one.")
        self._attempts += 1
        if hmac.compare_digest(sha256(code.encode("utf-8", "replace")).digest(), known[0]):
            return
        self._wrong.append(now)
        if self._attempts < CODE_ATTEMPTS:
            self._code = known
            raise Forbidden("The code is wrong; it is the newest one that the terminal shows.")
        raise Forbidden("The code was wrong too often; ask for another one.")


def _log_code(code: str) -> None:
    logger.warning("access.sign_in_code", extra={"digits": code})
