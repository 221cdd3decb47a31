"""`ask`: a question to a person, and its answer on standard output."""

from __future__ import annotations

import secrets
import sys
from contextlib import suppress
from time import monotonic, sleep
from typing import Annotated
from urllib.parse import quote

from cyclopts import Parameter

from missioncontrol.cli.sentences import write_text
from missioncontrol.cli.server import Server, print_json
from missioncontrol.cli.settings import ClientToken, Json, Url
from missioncontrol.cli.signals import as_keyboard_interrupt, ignore_further
from missioncontrol.cli.values import agent_ids, task_ids
from missioncontrol.client import ClientError, Unreachable
from missioncontrol.events import Data
from missioncontrol.events.sentences import clean

POLL_SECONDS = 50.0
PAUSE_SECONDS = 1.0


def ask(
    text: Annotated[str, Parameter(name="TEXT", help="What is asked.")],
    /,
    *,
    agent: Annotated[str | None, Parameter(help="Who asks.", completer=agent_ids)] = None,
    option: Annotated[
        list[str] | None,
        Parameter(help="An answer that may be given; repeat it. Without any, any text will do.", negative=""),
    ] = None,
    task: Annotated[str | None, Parameter(help="The task that it is about.", completer=task_ids)] = None,
    timeout: Annotated[
        float | None, Parameter(help="Seconds after which no answer is needed any more. Default: for ever.")
    ] = None,
    key: Annotated[
        str | None, Parameter(help="Asked again under the same key, it is the same question.")
    ] = None,
    wait: Annotated[bool, Parameter(help="Wait for the answer, or print the question's id at once.")] = True,
    url: Url = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Ask a person, and print the answer once there is one.

    The exit status is 1 where the question was withdrawn, or its time was up. While the server is away this goes on
    waiting; ended by Ctrl-C, SIGTERM or a closed terminal it withdraws the question.

    For example:

        mission-control ask "Deploy to production?" --agent scout --option yes --option no --timeout 600
    """
    server = Server(url, token)
    given = {
        "text": text,
        "agentId": agent,
        "options": option,
        "taskId": task,
        "expiresIn": timeout,
        # Whether the first attempt has arrived or not, a second one asks nothing twice.
        "key": key or secrets.token_hex(16),
    }
    body = {name: value for name, value in given.items() if value is not None}
    asked: Data | None = None
    # `timeout`, a closed terminal and whatever else ends programs withdraw the question, too.
    with as_keyboard_interrupt():
        try:
            asked = server.ask("/api/questions", "POST", body)
            if not wait:
                print(asked["id"])
                return 0
            asked = _wait(server, asked)
        except KeyboardInterrupt:
            ignore_further()
            _withdraw(server, asked, body)
            raise
    if json:
        print_json(asked)
    elif asked["status"] == "answered":
        write_text(f"{asked['answer']}\n")
    else:
        print(f"mission-control: nobody has answered ({clean(asked['reason'])})", file=sys.stderr)
    return 0 if asked["status"] == "answered" else 1


def _wait(server: Server, asked: Data) -> Data:
    path = f"/api/questions/{quote(asked['id'], safe='')}?wait={POLL_SECONDS:g}"
    while asked["status"] == "open":
        began = monotonic()
        try:
            asked = server.ask(path, timeout=POLL_SECONDS + 10)
        except Unreachable as error:
            sleep(max(0.0, (error.retry_after or PAUSE_SECONDS) - (monotonic() - began)))
    return asked


def _withdraw(server: Server, asked: Data | None, body: Data) -> None:
    try:
        if asked is None:
            # Its id has not come back yet; the same key finds it.
            asked = server.ask("/api/questions", "POST", body)
        server.ask(f"/api/questions/{quote(asked['id'], safe='')}", "DELETE", {"key": body["key"]})
    except ClientError as error:
        name = "the question" if asked is None else asked["id"]
        # The terminal may be gone.
        with suppress(OSError):
            print(f"mission-control: {name} could not be withdrawn: {clean(error)}", file=sys.stderr)
