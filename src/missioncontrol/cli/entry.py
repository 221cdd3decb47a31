"""Where every command begins and ends.

Exit status: 0 when all went well, 2 for a wrong use or setting, 1 for any other failure; a failure is one clear
line on standard error. Standard output carries results and nothing else.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from cyclopts import App, CycloptsError, Group, UnusedCliTokensError

from missioncontrol.errors import ConfigError, InputError, MissionControlError

GROUPS = {
    "Run the server": ("serve", "demo", "status", "sign-in", "doctor", "token", "notify", "completion"),
    "See the fleet": ("top", "watch", "search", "replay", "export"),
    "Work with the fleet": ("tasks", "ask", "answer", "publish"),
    "Let agents join": ("connect", "disconnect", "mcp"),
}
"""The commands as the help lists them: under a heading, in this order."""

COMPLETE = "__complete"
"""What the scripts of `completion` call for the values of an argument."""

COMMANDS = tuple(name for names in GROUPS.values() for name in names)


def make_app(wanted: str | None = None) -> App:
    """Put the program together.

    Args:
        wanted: the one command that will be used, where that is known: a server needs nothing of what a client needs,
            and what is not imported takes no memory.
    """
    app = App(
        name="mission-control",
        help="Watch a fleet of AI agents: one durable event log, live to every browser and program.",
        version=lambda: version("mission-control"),
        help_format="markdown",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].group = app["--version"].group = Group("About", sort_key=len(GROUPS))
    for place, (heading, names) in enumerate(GROUPS.items()):
        group = Group(heading, sort_key=place)
        for order, name in enumerate(names):
            if wanted is None or wanted == name:
                word = name.replace("-", "_")
                command = getattr(import_module(f"missioncontrol.cli.{word}"), word)
                if isinstance(command, App):
                    command.group, command.sort_key = group, order
                    app.command(command)
                else:
                    app.command(command, group=group, sort_key=order)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; without arguments those of the process."""
    _open_standard_streams()
    _ensure_home()
    given = sys.argv[1:] if arguments is None else list(arguments)
    # Of what is being completed, the word after `__complete` is the command.
    named = next((word for word in given[:2] if word != COMPLETE), None)
    app = make_app(named if named in COMMANDS else None)
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value", backend="asyncio"
        )
    except UnusedCliTokensError as error:
        words = ", ".join(repr(word) for word in error.unused_tokens or ())
        return _complain(f"There is no place for {words} here; --help has what there is.", 2)
    except CycloptsError as error:
        return _complain(str(error), 2)
    except (ConfigError, InputError) as error:
        return _complain(str(error), 2)
    except MissionControlError as error:
        return _complain(str(error), 1)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read the output has had enough; the interpreter's own last flush must not fail over it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        # The terminal was closed.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 1
    return result if isinstance(result, int) else 0


def _open_standard_streams() -> None:
    """Give a process that was started without a standard stream an empty one.

    Else the next file that is opened gets its number, and what a library writes to standard error ends up in the log's
    database; and what Python is to print there it prints to standard output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def _ensure_home() -> None:
    """Give a user without a home folder, as in some containers, one that does not exist instead of errors."""
    if not os.environ.get("HOME"):
        try:
            Path.home()
        except RuntimeError:
            os.environ["HOME"] = "/nonexistent"


def _complain(message: str, status: int) -> int:
    # Here, because a command that goes well does not need it, and each import makes all commands slower.
    from missioncontrol.events.sentences import clean

    # A server repeats what others have said, and a terminal must not act on it.
    print(f"mission-control: {clean(message)}", file=sys.stderr)
    return status
