"""Well-behaved neighbours, one for each reader: whatever others do, what these say is counted, exactly.

Each says one thing in each round, and knows what a live client must have got of it in all.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from time import time
from typing import Any

from tests.fuzz.stage import Broken, Stage
from tests.fuzz.steps import Request, Write, enter, insertion
from tests.mcp.raw import HEADERS, begin
from tests.runtimes.hooks.payloads import payload
from tests.runtimes.telemetry import exports

TOKENS = 107
"""What each response of a canary has used."""


class Canary:
    """One well-behaved neighbour; `name` is its agent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rounds = 0

    async def sing(self, stage: Stage) -> None:
        """Say something, and see that it has come.

        Raises:
            Broken: it does not come, or comes wrong.
        """
        self.rounds += 1
        await self.say(stage)
        await stage.until(f"Round {self.rounds} of {self.name}", lambda: self.heard(stage) >= self.due)
        if self.heard(stage) != self.due:
            raise Broken(f"Of {self.name} {self.heard(stage)} was counted, not {self.due}.")

    @property
    def due(self) -> int:
        """What must have been counted by now."""
        return self.rounds

    async def say(self, stage: Stage) -> None:
        """Say something in this round."""
        raise NotImplementedError

    def heard(self, stage: Stage) -> int:
        """Return what was counted of it."""
        raise NotImplementedError


class Spender(Canary):
    """Uses tokens."""

    @property
    def due(self) -> int:
        return self.rounds * TOKENS

    def heard(self, stage: Stage) -> int:
        return sum(
            event["data"]["delta"]["tokens"]
            for event in stage.events
            if event["type"] == "token:usage" and event["data"].get("agent") == stage.id_of(self.name)
        )


class ClaudeTranscript(Spender):
    async def say(self, stage: Stage) -> None:
        cwd = str((stage.root / "workspace/agents" / self.name).resolve())
        line = {
            "type": "assistant",
            "uuid": f"{self.name}-{self.rounds}",
            "sessionId": self.name,
            "timestamp": _now(),
            "cwd": cwd,
            "message": {
                "id": f"msg_{self.name}_{self.rounds}",
                "role": "assistant",
                "model": "claude-sonnet-4-6",
                "stop_reason": "end_turn",
                "content": [],
                "usage": {"input_tokens": 100, "output_tokens": 7},
            },
        }
        await _append(stage, f"home/.claude/projects/-canary/{self.name}.jsonl", line)


class CodexRollout(Spender):
    async def say(self, stage: Stage) -> None:
        path = "home/.codex/sessions/2026/11/29/rollout-01993a5e-0000-7000-8000-00000000000c.jsonl"
        if self.rounds == 1:
            cwd = str((stage.root / "workspace/agents" / self.name).resolve())
            meta = {"id": "01993a5e-0000-7000-8000-00000000000c", "timestamp": _now(), "cwd": cwd}
            await _append(stage, path, {"type": "session_meta", "timestamp": _now(), "payload": meta})
        total = {"input_tokens": 100 * self.rounds, "output_tokens": 7 * self.rounds}
        info = {"total_token_usage": total, "last_token_usage": {"input_tokens": 100, "output_tokens": 7}}
        event = {"type": "token_count", "info": info}
        await _append(stage, path, {"type": "event_msg", "timestamp": _now(), "payload": event})


class OpenClawTranscript(Spender):
    async def say(self, stage: Stage) -> None:
        path = f"home/.openclaw/agents/{self.name}/sessions/{self.name}.jsonl"
        if self.rounds == 1:
            await _append(
                stage, path, {"type": "session", "id": self.name, "version": 3, "timestamp": _now()}
            )
        await _append(stage, path, _answer(self.name, self.rounds))


class OpenClawDatabase(Spender):
    async def say(self, stage: Stage) -> None:
        path = f"home/.openclaw/agents/{self.name}/agent/openclaw-agent.sqlite"
        key = f"agent:{self.name}:main"
        statements = []
        if self.rounds == 1:
            node = {"session_key": key, "current_session_id": self.name, "entry_json": "{}", "updated_at": 1}
            window = {"session_id": self.name, "session_key": key, "created_at": 1, "updated_at": 1}
            statements += [insertion("session_nodes", node), insertion("session_windows", window)]
        event = json.dumps(_answer(self.name, self.rounds))
        row = {"session_id": self.name, "seq": self.rounds, "event_json": event, "created_at": self.rounds}
        statements.append(insertion("transcript_events", row))
        await asyncio.to_thread(enter, stage.root / path, "agent", statements)


class Telemetry(Spender):
    async def say(self, stage: Stage) -> None:
        used = {
            "session.id": self.name,
            "agent.name": self.name,
            "model": "claude-sonnet-4-6",
            "input_tokens": 100,
            "output_tokens": 7,
            "request_id": f"{self.name}-{self.rounds}",
        }
        body = exports.logs(exports.CLAUDE, ("claude_code.api_request", used))
        headers = {"Content-Type": "application/json"}
        status, content = await stage.request(Request("/v1/logs", headers=headers, data=body))
        if status != 200:
            raise Broken(f"A good export is answered with {status}: {content[:300]!r}")


class AgentFile(Canary):
    """Writes its `state.json`."""

    async def say(self, stage: Stage) -> None:
        state = {"status": ("busy", "idle")[self.rounds % 2], "name": self.name}
        path = f"workspace/agents/{self.name}/state.json"
        await stage.do([Write(path, json.dumps(state), how="rename")])

    def heard(self, stage: Stage) -> int:
        return sum(
            event["type"] == "agent:statusChange" and event["data"].get("agentId") == stage.id_of(self.name)
            for event in stage.events
        )


class Hook(Canary):
    """Sends hooks, which make it busy and idle in turns."""

    async def say(self, stage: Stage) -> None:
        name = ("UserPromptSubmit", "Stop")[self.rounds % 2]
        cwd = str((stage.root / "workspace/agents" / self.name).resolve())
        body = json.dumps(payload(name, session_id=self.name, cwd=cwd))
        status, content = await stage.request(Request("/api/hooks/claude", text=body))
        if status not in (200, 204):
            raise Broken(f"A good hook is answered with {status}: {content[:300]!r}")

    def heard(self, stage: Stage) -> int:
        return sum(
            event["type"] == "agent:statusChange" and event["data"].get("agentId") == stage.id_of(self.name)
            for event in stage.events
        )


class Tool(Canary):
    """Reports its status over MCP, each time as it was not."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._session: str | None = None

    async def say(self, stage: Stage) -> None:
        if self._session is None:
            status, self._session = await begin(stage.http, stage.server.url)
            if self._session is None:
                raise Broken(f"A handshake of MCP is answered with {status}.")
        arguments = {"status": ("busy", "idle")[self.rounds % 2], "agent": self.name}
        call = {"name": "report_status", "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": self.rounds, "method": "tools/call", "params": call}
        headers = {**HEADERS, "Content-Type": "application/json", "Mcp-Session-Id": self._session}
        status, content = await stage.request(Request("/mcp", headers=headers, text=json.dumps(body)))
        if status != 200 or b'"error"' in content:
            raise Broken(f"A good call is answered with {status}: {content[:300]!r}")

    @property
    def due(self) -> int:
        return 1 if self.rounds else 0

    def heard(self, stage: Stage) -> int:
        status = ("busy", "idle")[self.rounds % 2]
        told = [
            event["data"]["status"]
            for event in stage.events
            if event["type"] == "agent:statusChange"
            and event["data"].get("agentId") == stage.id_of(self.name)
        ]
        return int(bool(told) and told[-1] == status)


class Publisher(Canary):
    """Publishes events over HTTP."""

    async def say(self, stage: Stage) -> None:
        body = json.dumps({"type": "custom:canary", "data": {"name": self.name, "round": self.rounds}})
        status, content = await stage.request(Request("/api/events", text=body))
        if status != 201:
            raise Broken(f"A good event is answered with {status}: {content[:300]!r}")

    def heard(self, stage: Stage) -> int:
        return sum(
            event["type"] == "custom:canary" and event["data"].get("name") == self.name
            for event in stage.events
        )


class Tasks(Canary):
    """Puts a whole file of tasks in the place of what is there, with one more task each time."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._ids: list[str] = []

    async def say(self, stage: Stage) -> None:
        self._ids.append(f"{self.name}-{self.rounds}")
        tasks = [
            {"id": id_, "description": "Look", "status": "pending", "priority": "P2"} for id_ in self._ids
        ]
        path = "workspace/mission-control/TASK_QUEUE.json"
        await stage.do([Write(path, json.dumps({"tasks": tasks, "history": []}, indent=2), how="rename")])

    def heard(self, stage: Stage) -> int:
        created = {event["data"]["task"]["id"] for event in stage.events if event["type"] == "task:created"}
        return len(created.intersection(self._ids))


class Leads(Canary):
    """Puts a whole file of leads in the place of what is there, with one more lead each time."""

    async def say(self, stage: Stage) -> None:
        leads = [{"id": f"{self.name}-{number}", "score": number} for number in range(self.rounds)]
        path = "workspace/mission-control/data/leads.json"
        await stage.do([Write(path, json.dumps({"leads": leads}), how="rename")])

    def heard(self, stage: Stage) -> int:
        added = {event["data"]["lead"]["id"] for event in stage.events if event["type"] == "lead:added"}
        return sum(id_.startswith(f"{self.name}-") for id_ in added)


def all_canaries() -> dict[str, Canary]:
    """Return one of each kind, by a word for what it watches over."""
    makers: dict[str, Callable[[str], Canary]] = {
        "claude": ClaudeTranscript,
        "codex": CodexRollout,
        "openclaw": OpenClawTranscript,
        "database": OpenClawDatabase,
        "telemetry": Telemetry,
        "agent": AgentFile,
        "hook": Hook,
        "mcp": Tool,
        "events": Publisher,
        "tasks": Tasks,
        "leads": Leads,
    }
    return {word: make(f"canary-{word}") for word, make in makers.items()}


def _now() -> str:
    return datetime.fromtimestamp(time(), UTC).isoformat()


def _answer(name: str, number: int) -> dict[str, Any]:
    return {
        "type": "message",
        "id": f"{name}-{number}",
        "timestamp": round(time() * 1000),
        "message": {
            "role": "assistant",
            "content": [],
            "provider": "fake",
            "model": "fake-1",
            "usage": {"input": 100, "output": 7, "cost": {"total": 0.01}},
            "stopReason": "stop",
        },
    }


async def _append(stage: Stage, path: str, line: dict[str, Any]) -> None:
    await stage.do([Write(path, json.dumps(line) + "\n", how="append")])
