"""The fixture of the sources' tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.sources.world import World


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A workspace of real files, with sources to be started over it that hold back files for half the time."""
    monkeypatch.setattr("missioncontrol.sources.files.QUIET_SECONDS", 0.15)
    world = World(tmp_path)
    yield world
    await world.stop()
