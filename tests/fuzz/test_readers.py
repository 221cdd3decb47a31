"""Whatever others write, say and send: the server lives, answers, stays small, stops, and counts what the others do."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from tests.fuzz.campaign import Campaign, Found, replay, run
from tests.fuzz.chance import CORPUS, READERS_WANTED, SECONDS
from tests.fuzz.readers import READERS, STREAM
from tests.fuzz.stage import ClusterStage, Stage
from tests.fuzz.steps import decode
from tests.nats_process import NatsProcess

GROUPS: dict[str, tuple[str, ...]] = {
    "runtimes": ("claude-transcripts", "codex-rollouts", "openclaw-transcripts", "settings"),
    "databases": ("agent-databases", "state-database"),
    "workspace": ("tasks", "agents", "leads"),
    "network": ("hooks", "telemetry", "mcp", "websocket", "events", "requests"),
}
SHARE = 0.14
"""How much of the time each group has."""


@pytest.mark.fuzz
@pytest.mark.process
@pytest.mark.timeout(120 + SECONDS)
@pytest.mark.parametrize("group", GROUPS)
def test_hostile_neighbours_cost_nobody_anything(group: str, tmp_path: Path) -> None:
    wanted = [name for name in GROUPS[group] if not READERS_WANTED or name in READERS_WANTED]
    if not wanted:
        pytest.skip("none of the wanted readers is in this group")
    campaign = Campaign(group, READERS, tmp_path)
    judge(run(campaign, SECONDS * SHARE, wanted))
    assert campaign.rounds >= len(wanted)


@pytest.mark.fuzz
@pytest.mark.nats
@pytest.mark.timeout(120 + SECONDS)
def test_hostile_messages_in_the_stream_cost_no_node_anything(nats: NatsProcess, tmp_path: Path) -> None:
    if READERS_WANTED and "stream" not in READERS_WANTED:
        pytest.skip("it is not wanted")
    name = f"F{uuid4().hex[:12]}"
    campaign = Campaign(
        "stream", STREAM, tmp_path, lambda folder: ClusterStage(folder, nats.url, f"{name}{folder.name[-1]}")
    )
    judge(run(campaign, SECONDS * SHARE, ["stream"]))
    assert campaign.rounds


def judge(found: list[Found]) -> None:
    """Fail for what was found."""
    if found:
        pytest.fail("\n".join(map(str, found)), pytrace=False)


STEPS = sorted((CORPUS / "steps").glob("*.json"))


@pytest.mark.process
@pytest.mark.parametrize("path", STEPS, ids=lambda path: path.stem)
def test_what_broke_a_server_once_breaks_it_no_more(path: Path, tmp_path: Path) -> None:
    assert asyncio.run(replay(decode(path.read_bytes()), READERS, lambda: Stage(tmp_path))) is None
