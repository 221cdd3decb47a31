"""Transcripts and telemetry tell of the same use: whatever comes first, and however often, it counts once."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.runtimes.otel.signals import Kind
from tests.fleet.world import World
from tests.runtimes.telemetry import exports

pytestmark = pytest.mark.anyio

SESSION = "0d8a2f0e-1c7b-4a43-9c61-3c1b6f1f9d10"
MODEL = "claude-sonnet-4-5-20250929"
CALLS = [(1000, 20, 300, 40), (50, 200, 1400, 0), (7, 31, 1600, 5)]
"""Input, output, read from the cache, written into it."""

TOKENS = sum(itertools.chain.from_iterable(CALLS))
AGENT = "claude-shop"


class Machine(World):
    """A workspace on a machine where Claude Code runs, and sends what it does to us."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.claude = folder / "claude" / "projects"
        self.claude.mkdir(parents=True)
        self.config.sources = SourcesConfig(
            places={"openclaw": "off", "codex": "off", "claude": str(self.claude)}
        )
        self.kinds = [UsageTracker]

    async def start(self) -> None:
        await super().start()
        self.receiver = Receiver(self.tokens.report, self.tokens.reads)

    @property
    def tokens(self) -> UsageTracker:
        assert self.supervisor is not None
        return self.supervisor.source(UsageTracker)

    async def receive(self, kind: Kind, export: bytes) -> None:
        await self.receiver.take(kind, exports.read(kind, export))

    def told_of(self, agent: str) -> dict[str, Any]:
        return dict(self.folded.tokens.of(agent))

    def transcribe(
        self, session: str = SESSION, *, sub: bool = False, first: int = 0, last: int = 99
    ) -> None:
        """Write the lines of a session, or of a sub-agent of it."""
        folder = self.claude / "shop"
        path = (
            folder / SESSION / "subagents" / f"agent-{session}.jsonl" if sub else folder / f"{session}.jsonl"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            for number, (input_, output, read, written) in list(enumerate(CALLS))[first:last]:
                usage = {
                    "input_tokens": input_,
                    "output_tokens": output,
                    "cache_read_input_tokens": read,
                    "cache_creation_input_tokens": written,
                }
                line = {
                    "type": "assistant",
                    "sessionId": SESSION,
                    "uuid": f"{session}-{number}",
                    "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
                    "cwd": "/home/user/shop",
                    "isSidechain": sub,
                    "message": {
                        "id": f"msg-{session}-{number}",
                        "role": "assistant",
                        "model": MODEL,
                        "content": [{"type": "text", "text": "done"}],
                        "stop_reason": "end_turn",
                        "usage": usage,
                    },
                }
                file.write(json.dumps(line) + "\n")

    async def transcript(self) -> None:
        self.transcribe()
        await self.until(lambda: self.told_of(AGENT).get("tokens", 0) >= TOKENS)
        await self.silence(0.1)

    async def events(self) -> None:
        """What Claude Code exports as events, for each request of the session; twice, as after a lost answer."""
        requests = [
            (
                "claude_code.api_request",
                {
                    "session.id": SESSION,
                    "event.sequence": number,
                    "model": MODEL,
                    "input_tokens": str(input_),
                    "output_tokens": output,
                    "cache_read_tokens": read,
                    "cache_creation_tokens": written,
                    "cost_usd": 0.25,
                    "duration_ms": 1200,
                },
            )
            for number, (input_, output, read, written) in enumerate(CALLS)
        ]
        export = exports.logs(exports.CLAUDE, *requests, at=1_795_000_000.0)
        await self.receive("logs", export)
        await self.receive("logs", export)

    async def metrics(self) -> None:
        """What it exports as metrics: the same sums by kind, since the export before; twice, too."""
        points = [
            (float(sum(call[place] for call in CALLS)), {"type": kind, "session.id": SESSION, "model": MODEL})
            for place, kind in enumerate(("input", "output", "cacheRead", "cacheCreation"))
        ]
        export = exports.counters(exports.CLAUDE, "claude_code.token.usage", *points, at=1_795_000_000.0)
        await self.receive("metrics", export)
        await self.receive("metrics", export)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    machine = Machine(tmp_path)
    await machine.start()
    yield machine
    await machine.stop()


@pytest.mark.parametrize("restarts", [False, True], ids=["in one run", "with a restart after each"])
@pytest.mark.parametrize(
    "order", list(itertools.permutations(("transcript", "events", "metrics"))), ids="-".join
)
async def test_each_token_counts_once_in_whatever_order(
    machine: Machine, order: tuple[str, ...], restarts: bool
) -> None:
    known: dict[str, Callable[[], Awaitable[None]]] = {
        "transcript": machine.transcript,
        "events": machine.events,
        "metrics": machine.metrics,
    }
    for voice in order:
        if voice == "transcript" and order[0] != "transcript":
            machine.transcribe()
            await machine.silence(0.4)
        else:
            await known[voice]()
        if restarts:
            await machine.restart()
    total = machine.folded.tokens.value()["total"]
    assert total["tokens"] == TOKENS
    calls = sum(use["calls"] for use in machine.folded.tokens.value()["agents"].values())
    assert calls == len(CALLS)
    kinds = {
        kind: sum(use[kind] for use in machine.folded.tokens.value()["agents"].values())
        for kind in ("input", "output", "cacheRead", "cacheWrite")
    }
    assert list(kinds.values()) == [sum(call[place] for call in CALLS) for place in range(4)]


async def test_the_cost_that_telemetry_states_fills_what_the_price_table_lacks(machine: Machine) -> None:
    await machine.transcript()
    computed = machine.told_of(AGENT)["cost"]
    await machine.events()
    use = machine.told_of(AGENT)
    assert use["cost"] == pytest.approx(0.75)
    assert use["costs"]["prices"] == pytest.approx(computed)
    assert use["costs"]["telemetry"] == pytest.approx(0.75 - computed)


async def test_a_sub_agent_s_transcript_is_part_of_what_telemetry_tells_of_its_session(
    machine: Machine,
) -> None:
    machine.transcribe(last=2)
    machine.transcribe("a1b2c3", sub=True, first=2)
    await machine.until(lambda: machine.folded.tokens.value()["total"]["tokens"] == TOKENS)
    await machine.events()
    await machine.metrics()
    assert machine.folded.tokens.value()["total"]["tokens"] == TOKENS


async def test_a_meter_that_counts_up_counts_its_growth_and_begins_again(machine: Machine) -> None:
    async def says(value: float, start: float = 1.0) -> float:
        point = (value, {"type": "output", "session.id": "s-1", "model": MODEL})
        await machine.receive(
            "metrics",
            exports.counters(exports.CLAUDE, "claude_code.token.usage", point, cumulative=True, start=start),
        )
        return float(machine.folded.tokens.value()["total"]["tokens"])

    assert await says(100) == 100
    assert await says(100) == 100
    assert await says(130) == 130
    await machine.restart()
    assert await says(150) == 150
    assert await says(20, start=2.0) == 170
    # Two processes may count by one name; each goes on from where it was.
    assert await says(160) == 180
    assert await says(30, start=2.0) == 190


@pytest.mark.parametrize("cost_first", [False, True])
async def test_what_a_meter_of_tokens_costs_is_what_the_meter_of_costs_says(
    machine: Machine, cost_first: bool
) -> None:
    tokens = (100_000.0, {"type": "output", "session.id": "s-1", "model": MODEL})
    cost = (0.25, {"session.id": "s-1", "model": MODEL})
    meters = [("claude_code.token.usage", tokens), ("claude_code.cost.usage", cost)]
    for name, point in reversed(meters) if cost_first else meters:
        await machine.receive("metrics", exports.counters(exports.CLAUDE, name, point))
    model = machine.folded.tokens.value()["models"][MODEL]
    assert (model["tokens"], model["cost"]) == (100_000, 0.25)
    assert model["unpriced"] == {"tokens": 0, "calls": 0}


async def test_metrics_without_a_session_count_only_where_nothing_else_tells(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = {"openclaw.token": "output", "openclaw.model": "gpt-5", "openclaw.provider": "openai"}

    async def says(value: float, **resource: str) -> float:
        sender = {**exports.OPENCLAW, **resource}
        await machine.receive("metrics", exports.counters(sender, "openclaw.tokens", (value, kind)))
        return float(machine.folded.tokens.value()["total"]["tokens"])

    assert await says(10) == 0
    assert "waiting" in str(machine.receiver.senders()[0].held_back)
    monkeypatch.setattr("missioncontrol.fleet.telemetry.GRACE_SECONDS", 0.0)
    assert await says(5) == 15
    span = {
        "openclaw.sessionId": "s-9",
        "openclaw.sessionKey": "agent:scout:main",
        "openclaw.tokens.output": 7,
    }
    await machine.receive("traces", exports.spans(exports.OPENCLAW, ("openclaw.model.usage", span)))
    assert machine.told_of("scout")["tokens"] == 7
    assert await says(100) == 22
    assert "report the same" in str(machine.receiver.senders()[0].held_back)


async def test_what_telemetry_repeats_of_a_session_changes_no_status(machine: Machine) -> None:
    await machine.transcript()
    prompt = ("claude_code.user_prompt", {"session.id": SESSION})
    await machine.receive("logs", exports.logs(exports.CLAUDE, prompt))
    runtimes = machine.supervisor.runtimes if machine.supervisor else None
    assert runtimes is not None
    agent = runtimes.get(AGENT)
    assert agent is not None
    assert (agent.status, agent.evidence) == ("idle", "Claude Code transcript")
