"""What only a server asks, brought about as in life: a hook of Claude Code asks for permission, an agent spends."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from threading import Thread
from typing import Any

import httpx

from missioncontrol.testing import ServerProcess

PATIENCE = 20.0


def ask_permission(
    server: ServerProcess, tool: str, given: dict[str, Any], *, agent: str = "scout", held: bool = True
) -> str:
    """Have Claude Code ask in the folder of `claude-AGENT` whether it may use a tool; returns the question's id.

    With `held` its hook waits for the answer for as long as the server runs; without, the terminal alone gives it.
    """
    session = f"session-{secrets.token_hex(4)}"
    hook = {
        "hook_event_name": "PermissionRequest",
        "session_id": session,
        "cwd": f"/home/anna/{agent}",
        "tool_name": tool,
        "tool_input": given,
    }
    query = "?answer=1&wait=3600" if held else ""

    def send() -> None:
        try:
            httpx.post(f"{server.url}/api/hooks/claude{query}", json=hook, timeout=3_600)
        except httpx.TransportError:
            # The server has ended first.
            return

    Thread(target=send, daemon=True).start()

    def of_session(one: dict[str, Any]) -> bool:
        return bool((one.get("details") or {}).get("session") == session)

    return until_asked(server, of_session)["id"]  # type: ignore[no-any-return]


def budgets_of(folder: Path, *agents: str) -> list[str]:
    """Return the options of a server whose agents of these names may spend a dollar a day, and are then asked about."""
    path = folder / "budgets.toml"
    budgets = "\n".join(f'"{agent}" = 1.0' for agent in agents)
    path.write_text(f'[budgets]\non_exceed = "ask"\n[budgets.agents]\n{budgets}\n', encoding="utf-8")
    return ["--config", str(path)]


def spend(server: ServerProcess, agent: str) -> dict[str, Any]:
    """Have an agent of `budgets_of` spend it all; returns the question whether it may go on."""
    at = time.time_ns()
    text = {"gen_ai.agent.name": agent, "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    attributes: list[dict[str, Any]] = [
        {"key": name, "value": {"stringValue": value}} for name, value in text.items()
    ]
    attributes.append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": "900000"}})
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "chat gpt-4o",
        "startTimeUnixNano": str(at - 1_000_000_000),
        "endTimeUnixNano": str(at),
        "attributes": attributes,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": agent}}]}
    traces = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}
    httpx.post(f"{server.url}/v1/traces", json=traces).raise_for_status()
    return until_asked(server, lambda one: one["kind"] == "budget" and one["agentId"] == agent)


def until_asked(server: ServerProcess, wanted: Any) -> dict[str, Any]:
    """Wait until a question is open that is the wanted one, and return it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        asked = httpx.get(f"{server.url}/api/questions", params={"status": "open"}).json()["questions"]
        for one in asked:
            if wanted(one):
                found: dict[str, Any] = one
                return found
        time.sleep(0.02)
    raise AssertionError("Nothing was asked.")
