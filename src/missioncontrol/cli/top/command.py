"""The command `top`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from time import time
from typing import Annotated

from cyclopts import Parameter

from missioncontrol.cli.settings import ClientToken, Url, owner_secret, read_token, read_url
from missioncontrol.cli.top.choices import ConnectionStatus, View
from missioncontrol.cli.top.fleet import Fleet, read_budget, read_newest, read_state
from missioncontrol.cli.top.lines import Styles, as_text
from missioncontrol.cli.top.live import LiveScreen
from missioncontrol.cli.top.view import lay_out
from missioncontrol.client import Client, call

LEAST_COLUMNS = 80
RECENT_EVENTS = 10


def top(
    *,
    once: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Print the fleet once as text; so it is, too, in a pipe."
        ),
    ] = False,
    url: Url = None,
    token: ClientToken = None,
) -> int:
    """Show the fleet live in the terminal: who works on what, what it costs, and what needs you.

    Keys: `q` quits, arrows or `j` and `k` select, Enter opens the agent's sheet, `a` answers a question, `s` sorts,
    `f` filters, `/` searches, `p` pauses, `?` helps. While the connection is lost it says so, and afterwards
    everything is caught up. `NO_COLOR` is honoured.

    For example:

        mission-control top
        mission-control top --url http://build-host:3001
        mission-control top --once | head -30
    """
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    where = read_url(url)
    # With the owner's secret questions can be answered here.
    secret = read_token(token) or owner_secret(where)
    if once or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return _print_once(where, secret, Styles(colour=colour, plain=not sys.stdout.isatty()))

    async def run() -> None:
        screen = LiveScreen(Styles(colour=colour))
        client = Client(where, snapshot=True, token=secret, on_state=screen.connection)
        await screen.run(client)

    asyncio.run(run())
    return 0


def _print_once(url: str, token: str | None, styles: Styles) -> int:
    fleet = Fleet()
    fleet.take(read_state(call(url, "/api/snapshot", token=token, timeout=30.0)))
    fleet.recall(read_newest(call(url, f"/api/system/events?limit={RECENT_EVENTS}", token=token)))
    fleet.budget = read_budget(call(url, "/api/tokens", token=token))
    now = time()
    picture = fleet.picture(now)
    # Whoever reads a file wants all of it: as many lines as there is to say.
    needs = len(picture.questions) + len(picture.alerts)
    height = 4 * (len(picture.agents) + needs + RECENT_EVENTS)
    width = max(LEAST_COLUMNS, shutil.get_terminal_size((LEAST_COLUMNS, 24)).columns)
    lamp = ConnectionStatus("●", "Live", stale=False, heard=fleet.heard)
    lines = [
        as_text(line, styles)
        for line in lay_out(picture, View(selecting=False), lamp, (width, height), now)[:-1]
    ]
    while lines and not lines[-1]:
        lines.pop()
    print("\n".join(lines))
    return 0
