"""Several nodes over one stream, each a real server process with a workspace of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from missioncontrol.testing import ServerProcess, start_server
from tests.process.server_probe import eventually


class Campus:
    """The nodes; each host is called as its node is."""

    def __init__(self, folder: Path, nats: str, *options: str, **environment: str) -> None:
        self.folder = folder
        self.nats = nats
        self._options = options
        self.nodes: dict[str, ServerProcess] = {}
        self._environment = {"MISSION_CONTROL_CLUSTER_STREAM": f"T{uuid4().hex[:12]}", **environment}

    def workspace(self, name: str) -> Path:
        """Return a host's workspace; made where it is missing."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def add(self, name: str, *, workspace: Path | None = None, **environment: str) -> ServerProcess:
        """Start a node; without a `workspace` it watches its own."""
        node = start_server(
            workspace or self.workspace(name),
            self.folder / f"{name}-data",
            options=["--log", self.nats, *self._options],
            env={"MISSION_CONTROL_CLUSTER_HOST": name, **self._environment, **environment},
        )
        self.nodes[name] = node
        return node

    def put_state(self, host: str, agent: str, **state: Any) -> None:
        """Write an agent's state as its runtime does."""
        folder = self.workspace(host) / "agents" / agent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state.json").write_text(json.dumps(state))

    async def in_step(self) -> int:
        """Wait until all nodes stand at the same id, and return it."""
        heads: set[int] = set()

        async def same() -> bool:
            nonlocal heads
            heads = {await head(node.url) for node in self.nodes.values()}
            return len(heads) == 1

        await eventually(same, 30.0)
        return heads.pop()

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes.values():
            node.close()


async def get(url: str, path: str) -> Any:
    """Return what a node answers, decoded."""
    async with aiohttp.ClientSession(url) as session, session.get(path) as answer:
        return await answer.json()


async def head(url: str) -> int:
    """Return the id at which a node's log ends."""
    found: int = (await get(url, "/api/system/status"))["log"]["head"]
    return found
