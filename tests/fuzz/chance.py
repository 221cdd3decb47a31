"""How long and from which seed the fuzzers run, and where they leave what they find."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

SECONDS = float(os.environ.get("MISSION_CONTROL_FUZZ_SECONDS", "30"))
"""How long all fuzzers take together, about; 30 in `make test`."""

SEED = os.environ.get("MISSION_CONTROL_FUZZ_SEED", "1")
"""Where chance begins; the same in every `make test`, so that a change is what makes it fail."""

READERS_WANTED = frozenset(os.environ.get("MISSION_CONTROL_FUZZ_READERS", "").split())
"""Those that are fuzzed; all where none is named."""

FINDINGS = Path(os.environ.get("MISSION_CONTROL_FUZZ_FINDINGS", "build/fuzz"))
CORPUS = Path(__file__).parent / "corpus"

CPU_SECONDS = 5.0
"""How much CPU time a parser may take for one input; a bound against what never ends, not a measurement."""


class TooSlow(Exception):
    """A parser has not come to an end."""


def chance_of(*names: object) -> random.Random:
    """Return a source of chance that a seed and some names determine."""
    return random.Random(":".join(map(str, (SEED, *names))))


@contextmanager
def bounded(seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Raise `TooSlow` where a block takes more CPU time than this; the machine may be as busy as it likes."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooSlow(f"It has not come to an end within {seconds:g} seconds of CPU time.")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
