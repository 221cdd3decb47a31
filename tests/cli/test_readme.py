"""What the README shows is run as it stands there, but for the ports."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from missioncontrol.cli.entry import make_app
from missioncontrol.testing import start_server

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^\| `([a-z -]+)` \|", README, re.MULTILINE)


def run(arguments: list[str], folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def test_it_lists_the_commands_that_there_are() -> None:
    assert {command.partition(" ")[0] for command in COMMANDS} == {
        name for name in make_app() if not name.startswith("-")
    }


def test_every_file_that_it_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^):]+)\)", README)
    assert links
    assert [link for link in links if not (Path(__file__).parents[2] / link).is_file()] == []


@pytest.mark.process
def test_its_client_and_its_hook_work(tmp_path: Path) -> None:
    client, hook = (next(block for block in PYTHON if mark in block) for mark in ("async for", "a hook"))
    with start_server(tmp_path / "workspace") as server:
        for code in (client, hook):
            script = tmp_path / "script.py"
            script.write_text(code.replace("http://127.0.0.1:3001", server.url))
            output = run([str(script)], tmp_path)
            if code is client:
                assert "{'from': 'python'}" in output
                assert "go on later with since" in output


@pytest.mark.process
def test_its_embedding_works(tmp_path: Path) -> None:
    code = next(block for block in PYTHON if "MissionControl(" in block)
    script = tmp_path / "script.py"
    script.write_text(code.replace("port=3001, ws_port=3002", 'port=0, ws_port="none", data="data"'))
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    assert run([str(script)], workspace).startswith("http://127.0.0.1:")


@pytest.mark.process
def test_its_test_of_an_integration_works(tmp_path: Path) -> None:
    code = next(block for block in PYTHON if "def test_my_hook" in block)
    (tmp_path / "test_my_hook.py").write_text(code)
    assert "1 passed" in run(["-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)], tmp_path)
