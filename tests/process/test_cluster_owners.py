"""With several hosts, too, what sessions have used is on their agents, at every node and after a node was killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.nats_process import NatsProcess
from tests.process.first_starts import AGENTS, SESSIONS, TOKENS, make_installation
from tests.process.nodes import Campus, get
from tests.process.server_probe import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.nats, pytest.mark.timeout(300)]

EACH = SESSIONS // AGENTS * TOKENS
PATIENCE = 60.0


@pytest.fixture
async def campus(nats: NatsProcess, tmp_path: Path) -> AsyncIterator[Campus]:
    campus = Campus(tmp_path, nats.url)
    yield campus
    await asyncio.to_thread(campus.close)


async def used(campus: Campus) -> list[dict[str, int]]:
    """What each agent has used, as each node has it."""
    found: list[dict[str, int]] = []
    for node in campus.nodes.values():
        tokens = (await get(node.url, "/api/snapshot"))["state"]["tokens"]
        assert sum(day["tokens"] for day in tokens["days"].values()) == tokens["total"]["tokens"]
        found.append({agent: use["tokens"] for agent, use in tokens["agents"].items() if use["tokens"]})
    return found


async def until(campus: Campus, right: dict[str, int]) -> None:
    async def there() -> bool:
        return await used(campus) == [right] * len(campus.nodes)

    await eventually(there, PATIENCE)


async def test_sessions_move_under_their_hosts_ids_once_at_all_nodes(campus: Campus, tmp_path: Path) -> None:
    workspace = make_installation(tmp_path)
    alpha = campus.add("alpha", workspace=workspace)
    campus.add("beta")
    right = {f"a{number:02}@alpha": EACH for number in range(AGENTS)}
    await until(campus, right)
    soul = workspace / "agents" / "a00" / "SOUL.md"
    written = soul.read_text(encoding="utf-8")
    soul.write_text(written.replace("Nova00", "Vega"), encoding="utf-8")
    moved = {agent: tokens for agent, tokens in right.items() if agent != "a00@alpha"} | {"main@alpha": EACH}
    await until(campus, moved)
    await asyncio.to_thread(alpha.kill)
    soul.write_text(written, encoding="utf-8")
    await asyncio.to_thread(alpha.start, timeout=PATIENCE)
    await until(campus, right)
    sessions = (await get(campus.nodes["beta"].url, "/api/snapshot"))["state"]["tokens"]["sessions"]
    assert "main@alpha" not in {session["agent"] for session in sessions}
