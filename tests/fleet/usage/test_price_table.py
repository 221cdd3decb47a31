"""The price table answers from a process of its own, and from here where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from missioncontrol.fleet.usage import price_table
from missioncontrol.fleet.usage.price_table import PriceTable

DAY = 20_400
TOKENS = {"input_tokens": 1_000}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that are started; they end with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    original = subprocess.Popen

    def start(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        process = original(*arguments, **options)
        processes.append(process)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    yield processes
    for process in processes:
        process.kill()
        process.wait(10)


def test_one_process_answers_everybody(started: list[subprocess.Popen[bytes]]) -> None:
    table = PriceTable()
    assert table.look_up("claude-opus-4-5", "anthropic", DAY, TOKENS) == pytest.approx(0.005)
    assert table.look_up("claude-opus-4-5", "a name of its own", DAY, TOKENS) == pytest.approx(0.005)
    assert table.look_up("nobody's model", None, DAY, TOKENS) is None
    assert len(started) == 1


def test_a_process_that_has_ended_is_replaced(started: list[subprocess.Popen[bytes]]) -> None:
    table = PriceTable()
    table.look_up("claude-opus-4-5", None, DAY, TOKENS)
    started[0].kill()
    started[0].wait(10)
    assert table.look_up("claude-opus-4-5", None, DAY, TOKENS) == pytest.approx(0.005)
    assert len(started) == 2


def test_without_a_process_the_table_is_asked_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert PriceTable().look_up("claude-opus-4-5", None, DAY, TOKENS) == pytest.approx(0.005)


def test_a_process_ends_when_its_server_is_gone(started: list[subprocess.Popen[bytes]]) -> None:
    table = PriceTable()
    table.look_up("claude-opus-4-5", None, DAY, TOKENS)
    del table
    assert started[0].wait(10) == 0


def test_a_process_ends_when_nobody_asks_and_another_one_answers_then(
    started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price_table, "IDLE_SECONDS", 0.05)
    table = PriceTable()
    table.look_up("claude-opus-4-5", None, DAY, TOKENS)
    assert started[0].wait(20) == 0
    assert table.look_up("claude-opus-4-5", None, DAY, TOKENS) == pytest.approx(0.005)
