"""Delays between attempts, which grow while nothing works."""

from __future__ import annotations

import random


class Backoff:
    """Delays that double from attempt to attempt, spread at random.

    The spread keeps those that failed for one reason from all coming back at one moment.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        *,
        spread: tuple[float, float] = (0.75, 1.25),
        least: float = 0.0,
        attempts: int = 0,
        chance: random.Random | None = None,
    ) -> None:
        """Begin with short delays.

        Args:
            first: the first delay in seconds, before it is spread.
            longest: what no delay grows beyond, in seconds, before it is spread.
            spread: each delay is multiplied by a random number between these two.
            least: no delay is shorter than this, in seconds.
            attempts: how many there were before.
            chance: where random numbers come from; for tests.
        """
        self._first = first
        self._longest = longest
        self._spread = spread
        self._least = least
        self._chance = chance or random.Random()  # noqa: S311 - spreading load is no secret
        self._attempts = attempts

    def next(self, retry_after: float | None = None) -> float:
        """Return the next delay in seconds, never less than the server asked for with `retry_after`."""
        # Twice as long 64 times is longer than any `longest`, and a float still.
        ceiling = min(self._longest, self._first * 2.0 ** min(self._attempts, 64))
        self._attempts += 1
        low, high = self._spread
        delay = self._chance.uniform(max(self._least, low * ceiling), high * ceiling)
        return delay if retry_after is None else max(0.0, retry_after) + min(delay, 1.0)

    def reset(self) -> None:
        """Start again from the first delay, as something has worked."""
        self._attempts = 0

    def skip_to_longest(self) -> None:
        """Make the delays the longest at once, as trying again soon is of no use."""
        self._attempts = 64
