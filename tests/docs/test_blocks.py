"""Every command and example of the documentation runs, as it stands there but for the address of the server.

A block that cannot run here stands below a comment `<!-- not run: REASON -->`; so that they stay few, they are counted.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from missioncontrol.cli.entry import COMMANDS, make_app
from missioncontrol.config import Config, load_config
from missioncontrol.testing import ServerProcess, start_server

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
MOST_NOT_RUN = 20

_BLOCK = re.compile(r"(?:<!-- not run: (.+?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"http://(?:127\.0\.0\.1|localhost):3001")

CURL = """#!/bin/sh
exec {curl} --fail-with-body --silent --show-error --max-time 20 "$@"
"""


class Block(NamedTuple):
    """A block of a page: where it stands, its language, and why it is not run, if it is not."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[2], match[3], match[1])
        for match in _BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def of(*languages: str) -> list[Block]:
    return [block for block in BLOCKS if block.language in languages and block.not_run is None]


def programs() -> list[Block]:
    # The page of the Python client has a test of its own, in which its pieces are one program.
    return [block for block in of("python") if block.page.name != "python.md"]


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    not_run = [block for block in BLOCKS if block.not_run is not None]
    assert len(not_run) <= MOST_NOT_RUN, [str(block) for block in not_run]
    assert {block.language for block in BLOCKS} <= {
        *("sh", "console", "python", "js", "json", "toml"),
        # Shown, and held by tests of their own.
        *("html", "text"),
    }


@pytest.mark.parametrize("block", of("json"), ids=str)
def test_json_is_json(block: Block) -> None:
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        for line in block.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_settings_are_settings(block: Block, tmp_path: Path) -> None:
    told = tomllib.loads(block.text)
    if told.keys() <= {field.name for field in msgspec.structs.fields(Config)}:
        file = tmp_path / "mission-control.toml"
        file.write_text(block.text, encoding="utf-8")
        load_config(file)


@pytest.mark.parametrize("block", of("console"), ids=str)
def test_examples_of_commands_are_understood(block: Block) -> None:
    app = make_app()
    for line in commands_of(block.text):
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0].partition(" && ")[0], comments=True)
        if words[:1] != ["mission-control"]:
            continue
        if "[OPTIONS]" in words or block.page.name == "commands.md":
            # How it is called in general, and not an example.
            assert words[1] in COMMANDS
        else:
            app.parse_args(words[1:], exit_on_error=False, print_error=False)


def commands_of(text: str) -> list[str]:
    """Return the lines that are typed: all, or those behind a prompt; what is continued is one line."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    typed = [line[2:] for line in lines if line.startswith("$ ")]
    return typed or [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("docs")
    with start_server(folder / "workspace") as server:
        yield server


@pytest.fixture
def environment(server: ServerProcess, tmp_path: Path) -> dict[str, str]:
    """A user of their own, who has the program, and a curl that fails where the server says no."""
    programs = tmp_path / "bin"
    programs.mkdir()
    curl = programs / "curl"
    real = subprocess.run(["which", "curl"], capture_output=True, text=True, check=True).stdout.strip()
    curl.write_text(CURL.format(curl=real))
    curl.chmod(0o755)
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MISSION_", "OTEL_"))}
    return {
        **kept,
        "HOME": str(home),
        "PATH": os.pathsep.join((str(programs), str(Path(sys.executable).parent), os.environ["PATH"])),
        "MISSION_CONTROL_URL": server.url,
        "MISSION_CONTROL_TOKEN": "example",
    }


def run(command: list[str], text: str, server: ServerProcess, environment: dict[str, str]) -> None:
    text = _ADDRESS.sub(server.url, text)
    done = subprocess.run(
        [*command, text],
        cwd=environment["HOME"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"


SHELL_PAGES = [page for page in PAGES if any(block.page == page for block in of("sh"))]


@pytest.mark.process
@pytest.mark.parametrize("page", SHELL_PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, environment: dict[str, str], tmp_path: Path) -> None:
    # A page is a story: what one block does the next one builds on, and another page begins again.
    with start_server(tmp_path / "workspace") as server:
        environment["MISSION_CONTROL_URL"] = server.url
        environment["MISSION_CONTROL_DATA"] = str(server.data)
        for block in of("sh"):
            if block.page == page:
                run(["bash", "-euo", "pipefail", "-c"], block.text, server, environment)


@pytest.mark.process
@pytest.mark.parametrize("block", programs(), ids=str)
def test_programs_run(block: Block, server: ServerProcess, environment: dict[str, str]) -> None:
    run([sys.executable, "-c"], block.text, server, environment)


@pytest.mark.process
@pytest.mark.parametrize("block", of("js"), ids=str)
def test_scripts_run(block: Block, server: ServerProcess, environment: dict[str, str]) -> None:
    run(["node", "--input-type=module", "-e"], block.text, server, environment)
