"""The state that is kept next to the log: a start folds only what came after it, and never depends on it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.app import kept_state
from missioncontrol.app.kept_state import KeptState, fold
from missioncontrol.background import BackgroundTasks
from missioncontrol.events import Draft, Record
from missioncontrol.state import FleetState
from missioncontrol.store import Retention, SqliteLog, StateCheckpoint

pytestmark = pytest.mark.anyio


async def opened(folder: Path) -> SqliteLog:
    return await SqliteLog.open(folder, retention=Retention(86_400, 1 << 20))


async def append(log: SqliteLog, count: int) -> None:
    for number in range(count):
        data = {"agentId": f"a{number}", "status": "busy"}
        await log.append([Draft("agent:statusChange", data, None, "agents")])


async def test_a_start_goes_on_from_the_state_that_was_kept(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await append(log, 3)
    state = await fold(log)
    await KeptState(log, state, BackgroundTasks()).keep()
    await append(log, 4)
    again = await fold(log)
    assert (again.id, set(again.table("agents"))) == (7, {"a0", "a1", "a2", "a3"})
    await log.close()


async def test_a_state_that_is_damaged_is_folded_from_the_events(tmp_path: Path) -> None:
    log = await opened(tmp_path)
    await append(log, 3)
    await log.save_state(StateCheckpoint(3, b"damaged"))
    assert set((await fold(log)).table("agents")) == {"a0", "a1", "a2"}
    await log.close()


async def test_it_is_kept_once_there_are_enough_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_state, "EVENTS", 3)
    log, background = await opened(tmp_path), BackgroundTasks()
    state = FleetState()
    kept = KeptState(log, state, background)
    written: list[int] = []
    done = asyncio.Event()

    async def save(checkpoint: StateCheckpoint) -> None:
        written.append(checkpoint.id)
        done.set()

    monkeypatch.setattr(log, "save_state", save)
    for id_ in (1, 2, 3, 4):
        record = Record(id_, "custom:event", 0, b"{}", {})
        state.apply([record])
        kept.committed([record])
    await done.wait()
    assert written == [3]
    await background.stop()
    await log.close()
