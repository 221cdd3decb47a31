"""A server on a machine whose clock is wrong for a moment."""

from __future__ import annotations

import json
import os
import urllib.request
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from missioncontrol.testing import ServerProcess, start_server

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

DAY = 86_400
MOVED_CLOCK = '''
"""Move the time of day of this process by the seconds in a file; loaded by Python at its start."""
import os, time
_time_ns = time.time_ns
def _moved():
    with open(os.environ["MOVED_BY"]) as file:
        return _time_ns() + int(file.read()) * 1_000_000_000
time.time_ns = _moved
'''


def get(server: ServerProcess, path: str) -> Any:
    with urllib.request.urlopen(server.url + path, timeout=20) as answer:
        return json.load(answer)


def publish(server: ServerProcess, count: int) -> list[int]:
    events = [{"type": "custom:step", "data": {"n": n}} for n in range(count)]
    request = urllib.request.Request(
        server.url + "/api/events", json.dumps(events).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        ids: list[int] = json.load(answer)["ids"]
    return ids


def test_a_clock_that_was_ten_days_ahead_takes_no_history_and_leaves_no_wrong_time(tmp_path: Path) -> None:
    moved, patch = tmp_path / "moved", tmp_path / "patch"
    patch.mkdir()
    (patch / "sitecustomize.py").write_text(MOVED_CLOCK)

    def move(seconds: int) -> None:
        (tmp_path / "next").write_text(str(seconds))
        (tmp_path / "next").replace(moved)

    move(0)
    env = {
        "PYTHONPATH": os.pathsep.join([str(patch), os.environ.get("PYTHONPATH", "")]),
        "MOVED_BY": str(moved),
    }
    with start_server(tmp_path / "workspace", tmp_path / "data", env=env) as server:
        first = publish(server, 1_000)[0]
        move(10 * DAY)
        publish(server, 10)
        # Long enough for the writer to have trimmed all that seems ten days old.
        deadline = monotonic() + 12
        while monotonic() < deadline:
            assert get(server, "/api/system/status")["log"]["first"] == 1
            sleep(0.5)
        move(0)
        after = publish(server, 10)
        epoch = get(server, "/api/snapshot")["cursor"].partition(":")[0]
        page = get(server, f"/api/events?since={epoch}:{first - 1}&limit=1000")
        assert page["events"][0]["id"] == first
        newest = get(server, "/api/system/events?limit=30")
        today = page["events"][0]["time"][:10]
        assert all(event["time"][:10] == today for event in newest if event["id"] in after)
        messages = [event["data"]["message"] for event in newest if event["type"] == "system:alert"]
        assert len([message for message in messages if "clock has jumped" in message]) == 2
        now = page["events"][0]["time"][:11] + "23:59:59.999Z"
        state = get(server, f"/api/snapshot?at={now}")
        assert int(state["cursor"].partition(":")[2]) >= after[-1]
        status = server.stop()
        assert status == 0
        assert "clock.jumped" in server.log
