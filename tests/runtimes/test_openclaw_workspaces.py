"""Which folders are OpenClaw's workspaces of other agents, and which of its own are private."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.runtimes.base import Place
from missioncontrol.runtimes.openclaw.workspaces import is_private, unnamed_workspaces


def _place(folder: Path) -> Place:
    return Place("openclaw", folder, ())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / ".openclaw"
    for name in ("workspace", "workspace-scout", "workspace-", "workspaces", "agents/main/sessions"):
        (state / name).mkdir(parents=True)
    (state / "workspace-notes.md").touch()
    return state


def test_folders_of_the_state_folder_are_workspaces_by_their_names(state: Path) -> None:
    found = unnamed_workspaces(_place(state), state / "workspace")
    assert found == [("scout", state / "workspace-scout")]


def test_elsewhere_a_folder_is_a_workspace_by_the_files_in_it(tmp_path: Path) -> None:
    for name in ("workspace", "workspace-scout", "workspace-backup"):
        (tmp_path / name).mkdir()
    (tmp_path / "workspace-scout" / "SOUL.md").touch()
    assert unnamed_workspaces(None, tmp_path / "workspace") == [("scout", tmp_path / "workspace-scout")]
    # Next to a workspace of another name nothing is said of OpenClaw.
    assert unnamed_workspaces(None, tmp_path / "project") == []


def test_a_state_folder_that_cannot_be_read_has_no_workspaces(tmp_path: Path) -> None:
    (tmp_path / ".openclaw").touch()
    assert unnamed_workspaces(_place(tmp_path / ".openclaw"), tmp_path / "work") == []


@pytest.mark.parametrize(
    ("path", "private"),
    [
        (".openclaw", True),
        (".", True),
        (".openclaw/credentials", True),
        (".openclaw/agents/main", True),
        (".openclaw/agents/main/workspace", False),
        (".openclaw/workspace-scout", False),
        (".openclaw/skills", False),
        ("project", False),
    ],
)
def test_a_folder_with_secrets_is_private_and_a_workspace_in_it_is_not(
    state: Path, path: str, private: bool
) -> None:
    assert is_private(_place(state), (state.parent / path).resolve()) is private
