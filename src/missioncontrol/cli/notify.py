"""`notify`: what people are told outside the dashboard, and a message to try it."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime
from pathlib import Path
from time import time
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from missioncontrol.cli.sentences import clock
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url, read_config
from missioncontrol.client import Unreachable
from missioncontrol.config import NotifyConfig, NotifyRule
from missioncontrol.errors import ConfigError
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean

TEST_SECONDS = 45.0

notify = App(name="notify", help="Try the notifications of a server, and see what was sent.")

OwnConfig = Annotated[
    Path | None,
    Parameter(
        name="--config",
        help="Read the rules from this file, and ask no server. Where none runs, the one of the environment is read. "
        "[env: `MISSION_CONTROL_CONFIG`]",
    ),
]


@notify.command(name="test")
def send_test(
    *,
    rule: Annotated[str | None, Parameter(help="Only the destinations of this rule.")] = None,
    to: Annotated[
        str | None,
        Parameter(
            help="An apprise URL to try, from here: it is neither in the settings, nor sent to the server."
        ),
    ] = None,
    config: OwnConfig = None,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Send a real test message, through the running server, else straight from the config file.

    The exit status is 1 where it has not arrived everywhere.

    For example:

        mission-control notify test
        mission-control notify test --rule ops
        mission-control notify test --to ntfys://ntfy.example.com/fleet
    """
    if to is not None:
        results = _send(NotifyConfig(rules=[NotifyRule(name="--to", urls=[to])]), None)
    else:
        body = {} if rule is None else {"rule": rule}
        answer = None if config is not None else _ask(url, token, "/api/notifications/test", "POST", body)
        results = answer["results"] if answer is not None else _send(_own(config), rule)
    if json:
        print_json(results)
    else:
        for result in results:
            verdict = "sent" if result["ok"] else "failed"
            why = "" if result["ok"] else f": {clean(result['error'])}"
            print(f"{verdict}  {clean(result['rule'])}  {clean(result['destination'])}{why}")
    return 0 if all(result["ok"] for result in results) else 1


@notify.command(name="log")
def show_log(
    *,
    limit: Annotated[int, Parameter(help="How many at most, up to 500.")] = 20,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Show the messages that were sent last, or given up, the newest first.

    For example:

        mission-control notify log
        mission-control notify log --limit 500 --json
    """
    found = Server(url, token).ask(f"/api/notifications?limit={limit}")["notifications"]
    if json:
        print_json(found)
        return 0
    console = _console()
    if not found:
        console.print("nothing was sent")
        return 0
    now = datetime.now().astimezone()
    table = Table(box=None, padding=(0, 2), pad_edge=False)
    for heading in ("time", "", "rule", "destination", "tries", "message"):
        table.add_column(heading, header_style="bold")
    for one in found:
        data = one["data"]
        failed = one["type"] == "notification:failed"
        said = clean(data["title"]) + (f" ({clean(data['error'])})" if failed else "")
        table.add_row(
            clock(one["time"], now),
            Text("failed", style="red") if failed else Text("test" if data.get("test") else "sent"),
            clean(data["rule"]),
            clean(data["destination"]),
            str(data["attempts"]),
            said,
        )
    console.print(table)
    return 0


@notify.command(name="rules")
def show_rules(
    *, config: OwnConfig = None, url: Url = None, token: ClientToken = None, json: Json = False
) -> int:
    """Show the rules, and what each would do now; of the running server, else of the config file.

    For example:

        mission-control notify rules
        mission-control notify rules --config mission-control.toml
    """
    page = None if config is not None else _ask(url, token, "/api/notifications?limit=1")
    if page is None:
        page = {"rules": _describe(_own(config)), "destinations": [], "active": True}
    if json:
        print_json({"rules": page["rules"], "destinations": page["destinations"]})
        return 0
    console = _console()
    if not page["rules"]:
        console.print("no rules: the settings name nobody to be told")
    elif not page["active"]:
        console.print("another node sends; it knows what waits")
    for one in page["rules"]:
        _show(one, page["destinations"], console)
    return 0


def _ask(url: str | None, token: str | None, path: str, method: str = "GET", body: Data | None = None) -> Any:
    """Ask the server; None where none runs."""
    try:
        return Server(url, token, owner=True).ask(path, method, body, timeout=TEST_SECONDS)
    except Unreachable as error:
        if error.body or url is not None:
            raise
        return None


def _own(file: Path | None) -> NotifyConfig:
    return read_config({}, file=file).notify


def _describe(config: NotifyConfig) -> Any:
    # Here, as below, so that other commands start quickly: the notifier stands on the log.
    from missioncontrol.notify import describe_rule, prepare
    from missioncontrol.notify.planner import Planner

    routes = asyncio.run(prepare(config))
    if routes is None:
        return []
    planner = Planner([route.rule for route in routes.routes])
    return msgspec.to_builtins([describe_rule(route, planner, time()) for route in routes.routes])


def _send(config: NotifyConfig, rule: str | None) -> list[Data]:
    return asyncio.run(_send_from_here(config, rule))


async def _send_from_here(config: NotifyConfig, rule: str | None) -> list[Data]:
    from missioncontrol.notify import TEST_BODY, TEST_TITLE, prepare

    prepared = await prepare(config)
    if prepared is None:
        raise ConfigError(
            "The settings name nobody to be told: put apprise URLs into notify.urls. Where no server runs, name the "
            "file with --config."
        )
    routes, destinations = prepared
    pairs = [
        (route.rule.name, label)
        for route in routes
        if rule is None or route.rule.name == rule
        for label in route.labels
    ]
    if not pairs:
        raise ConfigError(f"There is no rule {str(rule)[:60]!r} in the settings.")
    errors = await asyncio.gather(
        *(destinations[label].send(TEST_TITLE, TEST_BODY, None) for _, label in pairs)
    )
    return [
        {"rule": name, "destination": label, "ok": error is None, "error": error}
        for (name, label), error in zip(pairs, errors, strict=True)
    ]


def _show(rule: Data, destinations: list[Data], console: Console) -> None:
    facts = Table.grid(padding=(0, 2))
    facts.add_row("", "events", clean(", ".join(rule["events"])))
    facts.add_row("", "levels", clean(", ".join(rule["levels"])))
    if rule["agents"]:
        facts.add_row("", "agents", clean(", ".join(rule["agents"])))
    states = {one["destination"]: one for one in destinations}
    for label in rule["destinations"]:
        facts.add_row("", "to", clean(label) + _trouble(states.get(label, {})))
    if rule.get("quietHours"):
        but = ", but for what is critical" if rule.get("quietExcept") else ""
        facts.add_row("", "quiet", f"{clean(rule['quietHours'])}{but}")
    facts.add_row("", "now", clean(_now(rule)))
    if rule.get("waiting"):
        facts.add_row("", "waiting", f"{clean(rule['waiting'])}, until {_time(rule['due'])}")
    console.print(Text(clean(rule["name"]), style="bold"))
    console.print(facts)


def _now(rule: Data) -> str:
    if rule.get("quietUntil"):
        return f"holds what comes until {_time(rule['quietUntil'])}"
    if rule.get("lastHour", 0) >= rule["perHour"]:
        return f"holds what comes: {rule['perHour']} messages were sent in the last hour"
    seconds = rule["stormSeconds"]
    return f"tells what comes within {seconds:g} s" if seconds else "tells what comes at once"


def _trouble(state: Data) -> str:
    queued = f", {state['queued']} waiting" if state.get("queued") else ""
    if state.get("status") == "failing":
        why = clean(state.get("lastError") or "")
        return f" (failing since {_time(state.get('failingSince'))}{queued}: {why})"
    return ""


def _time(text: str | None) -> str:
    return clock(text or "", datetime.now().astimezone())


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
