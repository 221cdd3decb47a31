"""Databases of a runtime that is at work: what it commits is counted, whatever of that shows when."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.fleet.world import World
from tests.runtimes.installs import add_event, answer, begin_session, create

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.openclaw.agent_database import AgentDatabase, AgentPosition
from missioncontrol.runtimes.records import Record

pytestmark = pytest.mark.anyio


async def test_a_commit_that_shows_after_its_log_was_written_is_counted_without_another(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.config.sources = SourcesConfig(places={"openclaw": str(tmp_path), "claude": "off", "codex": "off"})
    world.kinds = [UsageTracker]
    connection = create(tmp_path / "agents/scout/agent/openclaw-agent.sqlite")
    begin_session(connection, "work")
    add_event(connection, "work", 1, answer(1))
    read, early = AgentDatabase.read, [0]

    def read_early(self: AgentDatabase, position: AgentPosition) -> tuple[list[Record], AgentPosition]:
        """Read when the log is longer already and its index does not say so yet, where that is asked for."""
        if early[0]:
            early[0] -= 1
            return [], position
        return read(self, position)

    monkeypatch.setattr(AgentDatabase, "read", read_early)
    await world.start()
    for calls in (1, 2, 3):
        await world.until(lambda: world.folded.tokens.of("scout").get("calls") == calls)  # noqa: B023
        early[0] = calls
        add_event(connection, "work", calls + 1, answer(calls + 1))
    connection.close()
