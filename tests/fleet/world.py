"""A workspace of real files with the sources running over it, and a log that keeps what they tell."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from missioncontrol.config import Config, SourcesConfig
from missioncontrol.events import Draft, Record
from missioncontrol.fleet.source import Source, Workspace
from missioncontrol.fleet.supervisor import SOURCES, Supervisor
from missioncontrol.state import FleetState
from missioncontrol.store.log import Checkpoint
from missioncontrol.store.memory import MemoryLog

PATIENCE = 10.0


class TroubledLog(MemoryLog):
    """Says when something was tried while it was in trouble."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = asyncio.Event()

    async def append(
        self, drafts: Sequence[Draft], checkpoint: Checkpoint | None = None, *, after: int | None = None
    ) -> list[int]:
        if self.trouble is not None:
            self.tried.set()
        return await super().append(drafts, checkpoint, after=after)


class World:
    """The workspace, the log, and the sources between them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "workspace"
        self.root.mkdir()
        self.log = TroubledLog()
        self.records: list[Record] = []
        self.config = Config(data=str(folder / "data"), sources=SourcesConfig())
        self.kinds: Sequence[Callable[[Workspace], Source]] = SOURCES
        self.supervisor: Supervisor | None = None
        self.folded = FleetState()
        self._heard = asyncio.Event()
        self.log.listen(self._listen)

    def _listen(self, records: Sequence[Record]) -> None:
        self.folded.apply(records)
        self.records.extend(records)
        self._heard.set()

    async def start(self) -> None:
        self.supervisor = Supervisor(self.root, self.log, self.config, self.folded, self.kinds)
        self.log.listen(self.supervisor.committed)
        await self.supervisor.start()

    async def stop(self) -> None:
        if self.supervisor is not None:
            await self.supervisor.stop()
            self.supervisor = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    def write(self, path: str, content: str | bytes | dict[str, Any] | list[Any]) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(as_bytes(content))

    def replace(self, path: str, content: str | bytes | dict[str, Any]) -> None:
        target = self.root / path
        beside = target.with_name(f"{target.name}.tmp")
        beside.write_bytes(as_bytes(content))
        os.replace(beside, target)  # noqa: PTH105

    def told(self, type_: str | None = None) -> list[dict[str, Any]]:
        """What was told, without the times."""
        return [
            {key: value for key, value in record.data.items() if key != "timestamp"}
            for record in self.records
            if type_ is None or record.type == type_
        ]

    def files(self) -> list[tuple[str, str]]:
        return [(data["action"], data["path"]) for data in self.told("file:change")]

    def alerts(self) -> list[str]:
        return [data["message"] for data in self.told("system:alert")]

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the condition holds; looked at after everything that is told."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def eventually(self, condition: Callable[[], object]) -> None:
        """Wait until something holds that nobody tells of."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def silence(self, seconds: float = 0.25) -> None:
        """Give what must not come the time to come: longer than these tests let a source hold anything back."""
        await asyncio.sleep(seconds)

    async def state(self) -> dict[str, Any]:
        return self.folded.snapshot()

    async def agent(self, id_: str) -> dict[str, Any]:
        return next(agent for agent in (await self.state())["agents"] if agent["id"] == id_)


def as_bytes(content: str | bytes | dict[str, Any] | list[Any]) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode()
