"""`kill -9` in mid-burst loses nothing that was acknowledged, doubles nothing, and tears nothing apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.testing import start_server
from tests.process.killing import survive_kills

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]


async def test_five_kills_in_mid_burst_lose_double_and_tear_nothing(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace") as server:
        history = await survive_kills(server, rounds=5, seed=1)
        assert "Traceback" not in server.log
    assert history.acknowledged > 1_000
    assert any(publication.ids is None for publication in history.publications)
