"""At a first start everything is new at once: what sessions have used is on their agents all the same."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx
import pytest

from missioncontrol.testing import start_server
from tests.process.first_starts import PATIENCE, SESSIONS, TOKENS, make_installation, start_first

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]


def test_at_a_first_start_under_load_each_token_is_on_its_agent(tmp_path: Path) -> None:
    start_first(tmp_path, 5)


def test_each_of_many_sessions_has_its_cost_and_is_counted_on_its_day(tmp_path: Path) -> None:
    with start_server(make_installation(tmp_path)) as server:
        until = monotonic() + PATIENCE
        totals: dict[str, Any] = {}
        while totals.get("totalTokens") != SESSIONS * TOKENS and monotonic() < until:
            sleep(0.1)
            totals = httpx.get(f"{server.url}/api/tokens").json()
        (day,) = totals["dailyUsage"]
        assert (day["date"], day["sessions"]) == ("2026-11-23", SESSIONS)
        assert {session["timestamp"] for session in totals["recentSessions"]} == {"2026-11-23T10:15:00.000Z"}
        address: str | None = f"{server.url}/api/sessions?limit=150"
        sessions: list[dict[str, Any]] = []
        while address is not None:
            page = httpx.get(address)
            sessions += page.json()
            following = page.links.get("next")
            address = None if following is None else str(page.url.join(following["url"]))
        assert len({session["id"] for session in sessions}) == len(sessions) == SESSIONS
        assert {(session["tokens"], session["cost"]) for session in sessions} == {(TOKENS, 0.25)}
        assert {session["updated"] for session in sessions} == {"2026-11-23T10:15:00.000Z"}
