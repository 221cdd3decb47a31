"""Fifty times `kill -9` in mid-burst."""

from __future__ import annotations

import os
from pathlib import Path
from random import SystemRandom

import pytest

from missioncontrol.testing import start_server
from tests.process.killing import survive_kills

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.stress, pytest.mark.timeout(1_800)]


async def test_fifty_kills_in_mid_burst_lose_double_and_tear_nothing(tmp_path: Path) -> None:
    seed = int(os.environ.get("MISSION_CONTROL_SEED") or SystemRandom().randrange(2**32))
    print(f"repeat it with MISSION_CONTROL_SEED={seed}")
    with start_server(tmp_path / "workspace") as server:
        await survive_kills(server, rounds=50, seed=seed)
        assert "Traceback" not in server.log
