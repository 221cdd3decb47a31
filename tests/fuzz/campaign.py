"""Rounds of hostile steps, after each of which everything must hold; what does not is kept, and the rest goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from tests.fuzz.canaries import Canary, all_canaries
from tests.fuzz.chance import FINDINGS, SEED, chance_of
from tests.fuzz.mutation import Mutator
from tests.fuzz.readers import Reader
from tests.fuzz.stage import Broken, Stage
from tests.fuzz.steps import Finding, Step, encode

MAX_FINDINGS = 3
"""After how many findings a reader is left alone, for the rest of a campaign."""


class Found(NamedTuple):
    """What was found, and where it is kept."""

    reader: str
    about: str
    path: Path

    def __str__(self) -> str:
        return f"{self.reader}: {self.about}\n  kept in {self.path} (seed {SEED})"


class Campaign:
    """Some readers over one server, which is replaced after each finding."""

    def __init__(
        self, name: str, readers: Mapping[str, Reader], folder: Path, stage: Callable[[Path], Stage] = Stage
    ) -> None:
        self.rounds = 0
        self.found: list[Found] = []
        self._name = name
        self._readers = dict(readers)
        self._folder = folder
        self._stage = stage
        self._history: list[Step] = []
        self._canaries: dict[str, Canary] = {}

    def stage(self) -> Stage:
        """Return a stage in a folder of its own."""
        return self._stage(self._folder / f"stage-{len(self.found)}")

    async def run(self, seconds: float, order: Sequence[str]) -> None:
        """Fuzz the readers in turns until the time is up; each has at least one round."""
        until = monotonic() + seconds
        left = list(order)
        while left and (monotonic() < until or self.rounds < len(order)):
            left = await self._one_server(left, until, len(order))

    async def _one_server(self, left: list[str], until: float, least: int) -> list[str]:
        """Go on with one server until something is found or the time is up; returns who is left."""
        self._history = []
        self._canaries = all_canaries()
        async with self.stage() as stage:
            while left and (monotonic() < until or self.rounds < least):
                name = left.pop(0)
                self.rounds += 1
                steps = self.draw(name)
                try:
                    await self.round(stage, name, steps)
                except Exception as error:
                    # What takes the fuzzer itself by surprise is a finding, too.
                    about = str(error) if isinstance(error, Broken) else repr(error)
                    self._keep(name, steps, about)
                    if self._count(name) < MAX_FINDINGS:
                        left.append(name)
                    return left
                left.append(name)
            try:
                await stage.stop()
            except Broken as error:
                self._keep("stop", [], str(error))
        return left if monotonic() < until else []

    def draw(self, name: str) -> list[Step]:
        """Return the steps of this round."""
        reader = self._readers[name]
        mutator = Mutator(chance_of(self._name, name, self.rounds))
        return [step for _ in range(reader.steps) for step in reader.draw(mutator)]

    async def round(self, stage: Stage, name: str, steps: Sequence[Step]) -> None:
        """Do the steps of a reader, heal what it has damaged, and see that everything holds."""
        reader = self._readers[name]
        self._history += steps
        await stage.do(steps)
        await stage.do(reader.heal)
        for word in reader.canaries:
            await self._canaries[word].sing(stage)
        await stage.check()

    def _count(self, name: str) -> int:
        return sum(found.reader == name for found in self.found)

    def _keep(self, name: str, steps: Sequence[Step], about: str) -> None:
        folder = FINDINGS / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._name}-{SEED}-{self.rounds}.json"
        path.write_bytes(encode(Finding(name, list(steps), about)))
        path.with_suffix(".all.json").write_bytes(encode(Finding(name, self._history, about)))
        self.found.append(Found(name, about, path))


async def replay(finding: Finding, readers: Mapping[str, Reader], stage: Callable[[], Stage]) -> str | None:
    """Do the steps of a finding to a new server; returns what does not hold then, None where all is well."""
    reader = readers[finding.reader]
    canaries = all_canaries()
    async with stage() as server:
        try:
            await server.do(finding.steps)
            await server.do(reader.heal)
            for word in reader.canaries:
                await canaries[word].sing(server)
            await server.check()
            await server.stop()
        except Broken as error:
            return str(error)
    return None


def run(campaign: Campaign, seconds: float, order: Sequence[str]) -> list[Found]:
    """Run a campaign on a loop of its own, and return what was found."""
    asyncio.run(campaign.run(seconds, order))
    return campaign.found
