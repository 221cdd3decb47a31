"""`status`: how a server and its fleet are, at a glance."""

from __future__ import annotations

import sys
from typing import Any, TypeVar

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from missioncontrol.cli.settings import ClientToken, Json, Url, read_token, read_url
from missioncontrol.client import Unreachable, call
from missioncontrol.events.decoding import read_float
from missioncontrol.events.sentences import clean

MAX_SHOWN = 1_000
"""How many agents the table shows."""

_T = TypeVar("_T")
_STATUS_COLOURS = {
    "busy": "green",
    "active": "green",
    "online": "cyan",
    "idle": "yellow",
    "offline": "dim",
    "error": "red",
}


def status(*, url: Url = None, token: ClientToken = None, json: Json = False) -> int:
    """Show a server's health, its agents, and where its log stands.

    The exit status is 1 where the server cannot be reached or is not well.

    For example:

        mission-control status
        mission-control status --url http://localhost:3002
        mission-control status --json | jq .log.head
    """
    found = ask(read_url(url), read_token(token))
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        _show(found, Console(file=sys.stdout, highlight=False, markup=False, emoji=False))
    return 0 if found["health"].get("status") == "ok" else 1


def ask(url: str, token: str | None) -> dict[str, Any]:
    """Ask a server how it is: `health`, `server`, `log`, `sources`, `gateway`, `budgets`, `agents`.

    Raises:
        Refused: the server says no.
        Unreachable: there was no answer.
    """
    system = _get(url, "/api/system/status", token)
    agents = _decode_by(_lists, call(url, "/api/agents", token=token))
    return {
        "url": url,
        "health": ask_health(url, token),
        "server": system.get("server", {}),
        "log": system.get("log", {}),
        "sources": system.get("sources", {}),
        "gateway": system.get("gateway"),
        "budgets": _get(url, "/api/tokens", token).get("budgets", {}),
        "agents": agents[:MAX_SHOWN],
        "agentCount": len(agents),
    }


def ask_health(url: str, token: str | None, timeout: float = 10.0) -> dict[str, Any]:
    """Ask for `/health`, whose answer also comes with a 503.

    Raises:
        Refused: what answers is not a Mission Control server.
        Unreachable: there was no answer.
    """
    try:
        return _decode(call(url, "/health", token=token, timeout=timeout))
    except Unreachable as error:
        if error.body:
            return _decode(error.body)
        raise


def _get(url: str, path: str, token: str | None) -> dict[str, Any]:
    return _decode(call(url, path, token=token))


_objects = msgspec.json.Decoder(dict[str, Any], float_hook=read_float)
_lists = msgspec.json.Decoder(list[dict[str, Any]], float_hook=read_float)


def _decode(body: bytes) -> dict[str, Any]:
    return _decode_by(_objects, body)


def _decode_by(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unreachable("What answers there is not a Mission Control server.") from None


def _show(found: dict[str, Any], console: Console) -> None:
    health, server, log = found["health"], found["server"], found["log"]
    well = health.get("status") == "ok"
    facts = Table.grid(padding=(0, 2))
    facts.add_row("server", f"{found['url']} ({clean(server.get('version', 'unknown version'))})")
    facts.add_row(
        "health", Text(clean(health.get("status", "unknown")), style="green" if well else "bold red")
    )
    if health.get("reason"):
        facts.add_row("reason", Text(clean(health["reason"]), style="red"))
    if health.get("simulation"):
        facts.add_row("fleet", Text("simulated", style="yellow"))
    facts.add_row("workspace", clean(server.get("workspace", "")))
    facts.add_row("up for", duration(float(server.get("uptime", 0))))
    facts.add_row("clients", f"{server.get('clients', 0):,} of {server.get('maxClients', 0):,}")
    held = max(0, int(log.get("head", 0)) - int(log.get("first", 1)) + 1)
    facts.add_row("log", f"at {clean(log.get('epoch', ''))}:{log.get('head', 0)}, {held:,} events held")
    if found["gateway"]:
        facts.add_row("gateway", clean(found["gateway"].get("status", "unknown")))
    if fleet := found["budgets"].get("fleet"):
        facts.add_row("spent today", f"${fleet['spent']:,.2f} of ${fleet['budget']:,.2f}")
    for name, source in found["sources"].items():
        facts.add_row(f"source {clean(name)}", clean(source.get("status", "unknown")))
    console.print(facts)
    if not found["agents"]:
        console.print("\nno agents")
        return
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("agent", "name", "status", "last active", "task"):
        table.add_column(heading, header_style="bold")
    for agent in found["agents"]:
        now = clean(agent.get("status") or "unknown")
        table.add_row(
            clean(agent.get("id", "")),
            clean(agent.get("name") or ""),
            Text(now, style=_STATUS_COLOURS.get(now, "default")),
            clean(agent.get("lastActive") or ""),
            clean(_task(agent.get("currentTask"))),
        )
    console.print()
    console.print(table)
    if found["agentCount"] > len(found["agents"]):
        console.print(f"and {found['agentCount'] - len(found['agents']):,} more")


def _task(task: Any) -> Any:
    """Return what a task is about, in whatever form its agent tells it."""
    if isinstance(task, dict):
        return task.get("description") or task.get("title") or task.get("id") or ""
    return task or ""


def duration(seconds: float) -> str:
    """Write seconds as people say them."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    told = [f"{value} {unit}" for value, unit in parts if value][:2]
    return " ".join(told) or "0 s"
