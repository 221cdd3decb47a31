"""The server's fold and the browser's give the same state for whatever a log may hold."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.events import read_record
from missioncontrol.state import FleetState
from tests.state.histories import Histories

FOLD = Path(__file__).parent / "fold.mjs"
BUILT = Path(__file__).parents[2] / "src/missioncontrol/server/web/js/realtime-state.mjs"


def bodies_of(history: list[tuple[str, Any, str | None]]) -> list[bytes]:
    events = [
        {"type": type_, "id": id_, "time": "2026-11-23T10:15:00.123Z", "source": "test"}
        | ({} if host is None else {"host": host})
        | {"data": data}
        for id_, (type_, data, host) in enumerate(history, 1)
    ]
    return [json.dumps(event, separators=(",", ":")).encode() for event in events]


def read_state(text: bytes) -> Any:
    # All numbers are the same kind in the browser, which writes those beyond 2^53 as if they were exact.
    return json.loads(text, parse_int=float)


def in_the_browser(histories: list[list[bytes]]) -> list[Any]:
    node = shutil.which("node")
    assert node is not None
    lines = b"\n".join(b"[%b]" % b",".join(bodies) for bodies in histories)
    done = subprocess.run(
        [node, str(FOLD), BUILT.as_uri()], input=lines, capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
    return [read_state(line) for line in done.stdout.split(b"\n") if line]


@pytest.mark.skipif(not BUILT.exists(), reason="the browser's fold is not built: run `make web`")
def test_generated_histories_give_the_same_state_in_both_languages() -> None:
    histories = Histories(20261123, exact=True)
    made = [bodies_of(histories.history(hosts=True)) for _ in range(1_500)]
    for bodies, theirs in zip(made, in_the_browser(made), strict=True):
        state = FleetState()
        state.apply(map(read_record, bodies))
        assert state.faults == 0, state.fault
        ours = read_state(state.encoded())
        assert ours == theirs, "\n".join([*(body.decode() for body in bodies), str(ours), str(theirs)])


def usage(agent: str = "a", **use: Any) -> tuple[str, Any, str | None]:
    return "token:usage", {"agent": agent, "tokens": 1, "cost": 1, "delta": {"uses": [use]}}, None


LARGE = "é" * 40_000
BEYOND_THE_BOUNDS: dict[str, list[tuple[str, Any, str | None]]] = {
    "models": [usage(model=f"m{number}", tokens=1, cost=0.1) for number in range(510)],
    "days": [usage(day=f"2025-{number:03}", tokens=1) for number in range(420)],
    "sessions": [usage(session=f"s{number}", tokens=1) for number in range(220)],
    "hosts": [
        ("state:baseline", {"tokens": {"days": {"2026-11-23": {"tokens": 1, "cost": 1}}}}, f"host{number:03}")
        for number in range(260)
    ],
    "gateways": [("system:status", {"status": "running"}, f"host{number:03}") for number in range(260)],
    "agents": [
        ("state:baseline", {"agents": [{"id": f"a{number}"} for number in range(20_001)]}, None),
        ("agent:statusChange", {"agentId": "one more", "status": "idle"}, None),
        ("agent:statusChange", {"agentId": "a7", "status": "busy"}, None),
    ],
    "token agents": [
        (
            "state:baseline",
            {"tokens": {"agents": {f"a{number}": {"tokens": 1, "cost": 1} for number in range(20_001)}}},
            None,
        ),
        usage("one more", model="m"),
    ],
    "open questions": [
        ("question:asked", {"question": {"id": f"q{number}", "text": "?"}}, None) for number in range(4_010)
    ],
    "a large record": [
        ("task:created", {"task": {"id": "a", "notes": LARGE}}, None),
        ("task:created", {"task": {"id": "b", "notes": LARGE[:30_000]}}, None),
        ("task:updated", {"taskId": "b", "updates": {"more": LARGE[:30_000]}}, None),
        ("task:updated", {"taskId": "b", "updates": {"status": "review"}}, None),
        ("agent:statusChange", {"agentId": "a", "status": LARGE}, None),
    ],
    "large alerts": [
        ("system:alert", {"message": "full", "details": {"a": LARGE}}, None),
        ("system:alert", {"message": "𝄞" + LARGE, "details": {}}, None),
        ("system:status", {"status": LARGE, "details": {}}, None),
    ],
    "large words": [
        ("token:usage", {"agent": "a" * 2_049, "tokens": 1, "cost": 1}, None),
        ("token:usage", {"agent": "a", "tokens": 1, "cost": 1, "session": LARGE, "timestamp": LARGE}, None),
        ("token:threshold", {"agent": "a", "alert": "info", "period": LARGE}, None),
    ],
    "many standups": [("standup:held", {"standup": {"id": f"S-{n}"}}, None) for n in range(120)],
    "large standups": [
        ("standup:held", {"standup": {"id": f"S-{n}", "agents": [LARGE[:size]]}}, None)
        for n, size in enumerate([30_000, 40_000] * 12)
    ],
    "sums": [usage(model="m", tokens=1e15, cost=-1e15, costSource="prices") for _ in range(3)],
    "depth": [
        ("system:alert", json.loads('{"message":"a","details":' + "[" * depth + "]" * depth + "}"), None)
        for depth in (62, 63, 64, 65)
    ],
}


@pytest.mark.skipif(not BUILT.exists(), reason="the browser's fold is not built: run `make web`")
def test_what_is_beyond_the_bounds_is_left_out_alike_in_both_languages() -> None:
    made = [bodies_of(history) for history in BEYOND_THE_BOUNDS.values()]
    folded = {}
    for name, bodies, theirs in zip(BEYOND_THE_BOUNDS, made, in_the_browser(made), strict=True):
        state = FleetState()
        state.apply(map(read_record, bodies))
        ours = read_state(state.encoded())
        assert ours == theirs, name
        assert read_state(FleetState.load(state.dump()).encoded()) == ours, name
        folded[name] = ours
    assert len(folded["models"]["tokens"]["models"]) == 501
    assert folded["models"]["tokens"]["models"]["other"]["tokens"] == 10
    assert len(folded["agents"]["agents"]) == len(folded["token agents"]["tokens"]["agents"]) == 20_000
    assert len(folded["open questions"]["questions"]) == 4_000
    assert [(task["id"], task["status"]) for task in folded["a large record"]["tasks"]] == [("b", "review")]
    assert "more" not in folded["a large record"]["tasks"][0]
    assert folded["a large record"]["agents"] == []
    assert len(folded["large alerts"]["system"]["alerts"][0]["message"].encode()) <= 4_096
    assert [one["id"] for one in folded["many standups"]["standups"]] == [
        f"S-{n}" for n in range(119, 19, -1)
    ]
    # Those of 80,000 bytes are too large for a record, and eight of 60,000 are all that there is room for.
    assert [one["id"] for one in folded["large standups"]["standups"]] == [f"S-{n}" for n in range(22, 6, -2)]
    assert len(folded["depth"]["system"]["alerts"]) == 2
