"""No callback of the event loop may hold it: a test fails in which one takes more than 50 ms of the loop's CPU time.

CPU time and not the clock on the wall, so that a loaded machine fails nothing; a slow machine has more of it, by what
a piece of work takes there; collections of garbage are taken off, since they fall on whatever runs at the moment.
What a test does itself is not measured, only what runs in tasks and callbacks of its own.
`MISSION_CONTROL_LOOP_LIMIT_MS` sets another limit, 0 none; under a tracer (coverage) nothing is measured. Where the
server is another process (tests marked `process` or `browser`), only the test's own clients would be.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from asyncio import events
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from threading import get_ident
from time import thread_time
from typing import Any

import pytest

USUAL_SECONDS = 0.01
"""What `_piece_of_work` takes on a machine on which the limit is meant."""


def _piece_of_work() -> None:
    for number in range(2_000):
        json.loads(
            json.dumps({"type": "custom:work", "data": {"number": number, "text": "x" * 100, "list": [1, 2]}})
        )


def _slowness() -> float:
    """Return how many times as long as usual this machine takes; 1 where it is faster."""
    times = []
    for _ in range(5):
        began = thread_time()
        _piece_of_work()
        times.append(thread_time() - began)
    return max(1.0, median(times) / USUAL_SECONDS)


BASE_SECONDS = float(os.environ.get("MISSION_CONTROL_LOOP_LIMIT_MS", "50")) / 1000
LIMIT_SECONDS = BASE_SECONDS * _slowness()

ALLOWED: dict[str, str] = {
    "RequestHandler.": "aiohttp's server is another party in tests; the product does not use it",
    "TestRunner.": "the task in which anyio's plugin runs the tests and fixtures themselves",
}
"""Callbacks that may hold the loop, by the beginning of their qualified name, and why."""

_TESTS = str(Path(__file__).parent)

_run = events.Handle._run
_slow: list[str] | None = None
_collecting = 0.0
_collected = 0.0
_loop_thread = 0


def _watched(handle: Any) -> None:
    global _loop_thread
    if _slow is None:
        _run(handle)
        return
    callback = handle._callback
    _loop_thread = get_ident()
    began, collected = thread_time(), _collected
    _run(handle)
    took = thread_time() - began - (_collected - collected)
    # Asked again now: what else runs on the machine slows it down.
    if took > LIMIT_SECONDS and took > BASE_SECONDS * _slowness() and (name := _name(callback)) is not None:
        _slow.append(f"{name} held the event loop for {took * 1000:.0f} ms of CPU time")


def _name(callback: Any) -> str | None:
    """Return what a callback is; None where it is a test's own, or allowed."""
    task = getattr(callback, "__self__", None)
    if isinstance(task, asyncio.Task):
        coroutine: Any = task.get_coro()
        code, name = getattr(coroutine, "cr_code", None), getattr(coroutine, "__qualname__", repr(coroutine))
        inner = coroutine
        while (awaited := getattr(inner, "cr_await", None)) is not None and hasattr(awaited, "cr_code"):
            inner = awaited
        if inner is not coroutine:
            name = f"{name} (now in {inner.__qualname__})"
    else:
        function = getattr(callback, "func", callback)
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        name = getattr(function, "__qualname__", repr(function))
    tests_own = code is not None and code.co_filename.startswith(_TESTS)
    return None if tests_own or name.startswith(tuple(ALLOWED)) else name


def _note_collection(phase: str, _: dict[str, Any]) -> None:
    global _collecting, _collected
    if get_ident() != _loop_thread:
        return
    if phase == "start":
        _collecting = thread_time()
    else:
        _collected += thread_time() - _collecting


@pytest.fixture(autouse=True)
def loop_is_not_held(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test in which a callback holds the event loop."""
    global _slow
    elsewhere = any(request.node.get_closest_marker(name) for name in ("process", "browser"))
    if LIMIT_SECONDS <= 0 or elsewhere or sys.gettrace() is not None:
        yield
        return
    found: list[str] = []
    _slow = found
    gc.callbacks.append(_note_collection)
    events.Handle._run = _watched  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        events.Handle._run = _run  # type: ignore[method-assign]
        gc.callbacks.remove(_note_collection)
        _slow = None
    if found:
        pytest.fail("\n".join(found), pytrace=False)
