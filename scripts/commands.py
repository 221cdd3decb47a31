"""Write `docs/reference/commands.md`: every command with every option, from the commands themselves.

Run by `make commands`; a test holds the page to what this would write.
"""

from __future__ import annotations

from pathlib import Path

from missioncontrol.cli.entry import make_app

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "commands.md"

HEAD = """\
<!-- Made by `make commands` from the commands' own help; not to be edited. -->

# Commands

`mission-control COMMAND --help` says the same in the terminal. Results go to standard output, everything else to
standard error. Exit status: 0 when all went well, 2 for a wrong use or setting, 1 for any other failure.
[How to watch the fleet from a terminal](../how-to/terminal.md) shows them at work.
"""


def page() -> str:
    """Return the whole page."""
    made = make_app().generate_docs(output_format="markdown", heading_level=1)
    _, _, commands = made.partition("**Run the server**")
    return f"{HEAD}\n**Run the server**{commands.rstrip()}\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
