"""The reference page of the commands is what the commands say of themselves."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from missioncontrol.cli.entry import COMMANDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
HOW_TO = (ROOT / "docs" / "how-to" / "terminal.md").read_text(encoding="utf-8")


def test_the_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    # Cyclopts writes lines of usage after how the program was started.
    monkeypatch.setattr("sys.argv", ["mission-control"])
    made = runpy.run_path(str(ROOT / "scripts" / "commands.py"))["page"]()
    assert made == PAGE, "Run `make commands`."


def test_every_command_is_on_it() -> None:
    assert {name for name in COMMANDS if f"\n## mission-control {name}\n" not in PAGE} == set()


def test_every_option_that_the_guide_shows_is_one_of_its_command() -> None:
    for line in re.findall(r"^(?:\S+=\S+ )?mission-control .+$", HOW_TO, re.MULTILINE):
        command = line.partition("mission-control ")[2].partition("|")[0]
        name = command.split()[0]
        section = PAGE.partition(f"\n## mission-control {name}\n")[2].partition("\n## mission-control ")[0]
        assert section, line
        for option in re.findall(r"(?<!\S)--?[a-z][a-z-]*", command):
            assert f"`{option}" in section or f", {option}" in section, f"{option} in {line}"
