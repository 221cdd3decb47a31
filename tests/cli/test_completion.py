"""Tab in real shells, over a real server."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from missioncontrol.cli import main
from missioncontrol.client import call, publish
from missioncontrol.testing import ServerProcess, start_server
from tests.terminal import Terminal

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("completion") / "workspace") as server:
        for agent in ("scout", "scribe@alpha", "forge"):
            publish(server.url, "agent:statusChange", {"agentId": agent, "status": "busy"})
        body = msgspec.json.encode({"description": "Read $(touch pwned) the `report`"})
        call(server.url, "/api/tasks", method="POST", body=body)
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home of one's own, with the program on the path."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mission-control"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m missioncontrol.cli "$@"\n')
    program.chmod(0o755)
    return tmp_path


def environment(home: Path, url: str = "http://127.0.0.1:9") -> dict[str, str]:
    path = f"{home / 'bin'}:{os.environ['PATH']}"
    known = {"HOME": str(home), "PATH": path, "MISSION_CONTROL_URL": url, "LC_ALL": "C.UTF-8"}
    return known | {"XDG_CONFIG_HOME": str(home / ".config"), "XDG_DATA_HOME": str(home / ".local/share")}


def run(command: list[str], home: Path, url: str) -> str:
    done = subprocess.run(
        command, env=environment(home, url), cwd=home, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def find(shell: str) -> str:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"There is no {shell} here.")
    return program


# As readline does it: the line is taken apart at the characters of COMP_WORDBREAKS, each sign a word of its own.
BASH = r"""
mission-control completion bash > script; source ./script
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:@'
mapfile -t COMP_WORDS < <(grep -oE '[^ :@=]+|[:@=]+' <<< "$COMP_LINE")
[[ "$COMP_LINE" == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$(complete -p mission-control | sed 's/.*-F \([^ ]*\).*/\1/')
printf '%s\n' "${COMPREPLY[@]}"
"""

CASES = [
    ("mission-control wat", ["watch"]),
    ("mission-control tasks as", ["assign"]),
    ("mission-control export --form", ["--format"]),
    ("mission-control export events --format ", ["ndjson", "csv", "parquet"]),
    ("mission-control tasks show ", ["TASK-0001"]),
    ("mission-control tasks assign TASK-0001 sco", ["scout"]),
    ("mission-control watch lead:s", ["lead:scored"]),
]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        *CASES[:-1],
        # What stands before the colon is on the line already.
        ("mission-control watch lead:s", ["scored"]),
        ("mission-control watch lead:", ["added", "updated", "scored", "removed"]),
        ("mission-control tasks assign TASK-0001 scribe@", ["alpha"]),
    ],
)
def test_bash_completes(server: ServerProcess, home: Path, typed: str, offered: list[str]) -> None:
    found = run(["bash", "--norc", "-c", BASH, "bash", typed], home, server.url).split()
    assert sorted(found) == sorted(offered)
    assert not (home / "pwned").exists()


@pytest.mark.parametrize(("typed", "offered"), CASES)
def test_fish_completes(server: ServerProcess, home: Path, typed: str, offered: list[str]) -> None:
    fish = find("fish")
    code = f"mission-control completion fish | source; complete -C {shlex.quote(typed)}"
    found = run([fish, "--no-config", "-c", code], home, server.url).splitlines()
    assert set(offered) <= {line.partition("\t")[0] for line in found}
    assert not (home / "pwned").exists()


def test_zsh_completes(server: ServerProcess, home: Path) -> None:
    zsh = find("zsh")
    (home / "_mission-control").write_text(run(["mission-control", "completion", "zsh"], home, server.url))
    terminal = Terminal(home, 100, 30, shell=f"{zsh} -f", env=environment(home, server.url))
    try:
        terminal.type(f"fpath=({home} $fpath); autoload -Uz compinit; compinit -u -D; echo $((40 + 2))")
        terminal.press("Enter")
        terminal.wait_for("\n42")
        terminal.type("mission-control tasks show ")
        terminal.press("Tab")
        terminal.wait_for("tasks show TASK-0001")
        terminal.press("C-u")
        terminal.type("mission-control watch lead:sc")
        terminal.press("Tab")
        terminal.wait_for("watch lead:scored")
    finally:
        terminal.close()
    assert not (home / "pwned").exists()


@pytest.mark.parametrize(
    ("shell", "written", "named"),
    [
        ("bash", ".local/share/bash-completion/completions/mission-control", ".bashrc"),
        ("zsh", ".zsh/completions/_mission-control", ".zshrc"),
        ("fish", ".config/fish/completions/mission-control.fish", None),
    ],
)
def test_it_is_installed_where_the_shell_finds_it(
    home: Path, shell: str, written: str, named: str | None
) -> None:
    for _ in range(2):
        run(["mission-control", "completion", shell, "--install"], home, "http://127.0.0.1:9")
    found = [
        path
        for path in home.rglob("*")
        if path.is_file() and "mission" in path.name and "bin" not in path.parts
    ]
    assert len(found) == 1, found
    assert found[0].parent == (home / written).parent
    assert found[0].read_text() == run(["mission-control", "completion", shell], home, "http://127.0.0.1:9")
    if named is not None:
        assert (home / named).read_text().count(str(found[0].parent)) >= 1


def test_a_server_that_is_not_there_offers_nothing_and_says_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSION_CONTROL_URL", "http://127.0.0.1:9")
    assert main(["__complete", "tasks", "show", ""]) == 0
    out, err = capsys.readouterr()
    assert "TASK" not in out
    assert err == ""
