"""The watch on the event loop finds what holds it, and nothing else."""

from __future__ import annotations

import asyncio
import json
from time import thread_time
from types import CodeType
from typing import Any

import pytest

from tests import loop_watch

pytestmark = pytest.mark.anyio

TOO_LONG = loop_watch.LIMIT_SECONDS * 1.6


def foreign(name: str) -> Any:
    """A function that uses more CPU time than is allowed, and is not a test's own."""
    made: dict[str, Any] = {"thread_time": thread_time, "TOO_LONG": TOO_LONG}
    code: CodeType = compile(
        f"def {name}(seconds=TOO_LONG):\n"
        "    until = thread_time() + seconds\n"
        "    while thread_time() < until:\n"
        "        pass\n"
        f"async def {name}_later(seconds=TOO_LONG):\n"
        f"    {name}(seconds)\n",
        "product.py",
        "exec",
    )
    exec(code, made)
    return made


@pytest.fixture
def found(loop_is_not_held: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the watch has found on a machine of the usual speed, taken off before it fails this test."""
    monkeypatch.setattr(loop_watch, "_slowness", lambda: 1.0)
    yield loop_watch._slow
    assert loop_watch._slow is not None
    loop_watch._slow.clear()


async def test_a_slow_callback_and_a_slow_step_of_a_task_are_named(found: list[str]) -> None:
    made = foreign("hold")
    asyncio.get_running_loop().call_soon(made["hold"])
    await asyncio.create_task(made["hold_later"]())
    await asyncio.sleep(0)
    assert [line.partition(" held")[0] for line in found] == ["hold", "hold_later"]


async def test_what_is_quick_or_waits_or_runs_in_a_thread_or_is_a_tests_own_is_no_finding(
    found: list[str],
) -> None:
    made = foreign("hold")
    asyncio.get_running_loop().call_soon(made["hold"], 0.001)
    await asyncio.to_thread(made["hold"])
    await asyncio.create_task(asyncio.sleep(TOO_LONG))
    made["hold"]()
    await asyncio.sleep(0)
    json.dumps(found)
    assert found == []
