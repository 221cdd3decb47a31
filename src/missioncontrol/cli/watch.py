"""`watch`: follow events in the terminal, or as NDJSON in a pipe."""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from datetime import datetime
from typing import Annotated, TextIO

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from missioncontrol.cli.sentences import COLOURS, clock, describe_gap, plain_json
from missioncontrol.cli.settings import ClientToken, Json, Url, read_token, read_url
from missioncontrol.cli.signals import on_ending
from missioncontrol.cli.values import EventPatterns
from missioncontrol.client import Client, ClientState, Event, Gap, Item, Snapshot
from missioncontrol.client.route import Choice
from missioncontrol.events.sentences import clean, describe


def watch(
    *patterns: EventPatterns,
    url: Url = None,
    since: Annotated[
        str | None, Parameter(help="The cursor after which to begin, EPOCH:ID. Default: from now on.")
    ] = None,
    json: Json = False,
    token: ClientToken = None,
    transport: Annotated[Choice, Parameter(help="How the events are to come.")] = "auto",
) -> int:
    """Follow the events of a server until Ctrl-C.

    It goes on over losses of the network and restarts of the server, without missing or repeating an event; what
    can no longer be had is said. With `--json` each line is an event as the server sent it, and a gap is
    `{"type":"gap","data":{...}}`. At its end it says on standard error with which cursor to go on.

    For example:

        mission-control watch
        mission-control watch agent task:completed
        mission-control watch 'file:*' --json | jq .data.path
        mission-control watch --since k3v9x2ab:4711
    """
    client = Client(
        read_url(url),
        events=patterns or ("*",),
        since=since,
        token=read_token(token),
        transport=transport,
        on_state=_report_state,
    )
    printer = JsonPrinter(sys.stdout) if json else Printer(sys.stdout)
    return asyncio.run(_follow(client, printer))


async def _follow(client: Client, printer: Printer | JsonPrinter) -> int:
    loop = asyncio.get_running_loop()
    async with client:
        closing: set[asyncio.Task[None]] = set()
        on_ending(loop, lambda _: closing.add(loop.create_task(client.close())))
        async for item in client:
            printer.print(item)
            # In a burst the output is written in large pieces, otherwise line by line.
            if not client.waiting:
                printer.flush()
        printer.flush()
        await asyncio.gather(*closing)
    if client.cursor is not None:
        print(f"mission-control: stopped; go on with --since {client.cursor}", file=sys.stderr)
    return 0


def _report_state(state: ClientState, reason: str) -> None:
    match state:
        case ClientState.CONNECTING:
            print(f"mission-control: not connected yet, trying on. {clean(reason)}", file=sys.stderr)
        case ClientState.RECONNECTING:
            print(f"mission-control: connection lost, coming back. {clean(reason)}", file=sys.stderr)
        case ClientState.CONNECTED:
            print("mission-control: connected", file=sys.stderr)
        case ClientState.CLOSED:
            pass


class JsonPrinter:
    """NDJSON: each event as it came."""

    def __init__(self, output: TextIO) -> None:
        self._output = output

    def print(self, item: Item) -> None:
        """Write an item."""
        if isinstance(item, Event):
            line = msgspec.json.encode(item)
        else:
            name = "gap" if isinstance(item, Gap) else "snapshot"
            line = msgspec.json.encode({"type": name, "data": item})
        self._output.write(plain_json(line.decode()) + "\n")

    def flush(self) -> None:
        """Let the reader have what was written."""
        self._output.flush()


class Printer:
    """A line for each event: the time, the type, a sentence."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._console = Console(file=output, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def print(self, item: Item) -> None:
        """Write an item."""
        match item:
            case Event():
                colour = COLOURS.get(item.type.partition(":")[0], "default")
                line = Text.assemble(
                    (clock(item.time, datetime.now().astimezone()), "dim"),
                    "  ",
                    (f"{clean(item.type):<18}", colour),
                    "  ",
                    describe(item),
                )
            case Gap():
                line = Text(f"GAP: {describe_gap(item)}", style="bold red")
            case Snapshot():
                line = Text(f"the state as it stands at {clean(item.cursor)}", style="dim")
        self._console.print(line)

    def flush(self) -> None:
        """Let the reader have what was written."""
        with suppress(ValueError):
            self._output.flush()
