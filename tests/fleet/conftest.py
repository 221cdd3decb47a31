"""The fixture of the sources' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.fleet.openclaw_folder import Runtime
from tests.fleet.world import World

from missioncontrol.config import SourcesConfig


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A workspace of real files, with sources to be started over it that hold back files for half the time."""
    monkeypatch.setattr("missioncontrol.fleet.files.QUIET_SECONDS", 0.15)
    world = World(tmp_path)
    yield world
    await world.stop()


@pytest.fixture
def runtime(world: World, tmp_path: Path) -> Runtime:
    """An OpenClaw state folder that the world's sources read."""
    runtime = Runtime(tmp_path / "openclaw")
    world.config.sources = SourcesConfig(
        places={"openclaw": str(runtime.folder), "claude": "off", "codex": "off"}
    )
    return runtime
