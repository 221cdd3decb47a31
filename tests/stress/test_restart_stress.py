"""Two hundred starts and stops while OpenClaw's databases are read and written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process.restarts import survive_restarts

pytestmark = [pytest.mark.process, pytest.mark.stress, pytest.mark.timeout(3_600)]

BUSY = "while True: pass"


def test_two_hundred_starts_and_stops_under_load_end_well(tmp_path: Path) -> None:
    rounds = int(os.environ.get("MISSION_CONTROL_ROUNDS") or 200)
    load = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        survive_restarts(tmp_path, rounds)
    finally:
        for busy in load:
            busy.kill()
            busy.wait()
