"""Where agents of OpenClaw have their workspaces, and what of them is watched."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.config import SourcesConfig
from missioncontrol.fleet.agent_workspaces import AgentWorkspaces, FoundWorkspaces
from missioncontrol.fleet.workspace_finder import WorkspaceFinder
from missioncontrol.watch.ignore import Ignore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / ".openclaw/workspace"
    root.mkdir(parents=True)
    return root.resolve()


def configure(root: Path, **agents: Any) -> None:
    (root.parent / "openclaw.json").write_text(json.dumps({"agents": agents}))


def sources(setting: str) -> SourcesConfig:
    return SourcesConfig(places={"openclaw": setting})


def found(root: Path, setting: str = "auto") -> FoundWorkspaces:
    return WorkspaceFinder(root, sources(setting), root.parent / "workspace-data").find()


def owners(root: Path, setting: str = "auto") -> dict[str, str]:
    return {path: owned.agent for path, owned in found(root, setting).owned.items()}


def known(root: Path, *patterns: str, own: tuple[str, ...] = ()) -> AgentWorkspaces:
    workspaces = AgentWorkspaces(root, Ignore(patterns, own))
    workspaces.replace(found(root))
    return workspaces


def make(root: Path, *folders: str) -> None:
    for folder in folders:
        (root / folder).mkdir(parents=True)


def test_workspaces_are_where_openclaw_says_and_where_it_puts_them_by_itself(root: Path) -> None:
    configure(
        root,
        list=[
            {"id": "main", "default": True, "workspace": str(root)},
            {"id": "scout"},
            {"id": "forge", "workspace": str(root.parents[1] / "elsewhere/forge")},
            {"id": "quill", "workspace": "relative"},
            {"id": "ghost", "workspace": str(root.parent / "not-there")},
        ],
    )
    make(root, "../workspace-scout", "../workspace-left", "../../elsewhere/forge")
    assert owners(root) == {
        "../../elsewhere/forge": "forge",
        "../workspace-left": "left",
        "../workspace-scout": "scout",
    }
    assert found(root).of_root == "main"
    assert owners(root, "off") == {}


def test_below_the_default_workspace_each_other_agent_has_a_folder_of_its_name(root: Path) -> None:
    configure(
        root,
        defaults={"workspace": str(root.parents[1] / "fleet")},
        entries={"main": {}, "scout": {}, "forge": None},
    )
    make(root, "../../fleet/scout", "../../fleet/forge")
    assert owners(root) == {
        "../../fleet": "main",
        "../../fleet/forge": "forge",
        "../../fleet/scout": "scout",
    }
    workspaces = known(root)
    assert workspaces.tops == ("../../fleet",)
    assert workspaces.agent_of("../../fleet/scout/a.md") == "scout"
    assert workspaces.agent_of("../../fleet/a.md") == "main"


def test_without_openclaw_a_neighbour_counts_if_it_has_a_file_of_an_agent(root: Path) -> None:
    make(root, "../workspace-scout", "../workspace-backup")
    (root / "../workspace-scout/IDENTITY.md").write_text("- **Name:** Scout")
    assert owners(root) == {"../workspace-scout": "scout"}


def test_links_and_folders_with_secrets_are_no_workspaces(root: Path, tmp_path: Path) -> None:
    make(root, "../agents/scout/agent", "../agents/quill/workspace", "../credentials", "../workspace-data")
    (root.parent / "workspace-linked").symlink_to(tmp_path)
    configure(
        root,
        entries={
            "above": {"workspace": str(root.parents[1])},
            "state": {"workspace": str(root.parent)},
            "auth": {"workspace": str(root.parent / "agents/scout/agent")},
            "keys": {"workspace": str(root.parent / "credentials")},
            "quill": {"workspace": str(root.parent / "agents/quill/workspace")},
            "whole": {"workspace": "/"},
            "linked": {},
        },
    )
    assert owners(root) == {"../agents/quill/workspace": "quill"}


def test_a_workspace_in_the_watched_one_is_not_watched_twice(root: Path) -> None:
    make(root, "scout", ".hidden/forge", "../workspace-main/quill", "../workspace-main/.deep/ranger")
    configure(
        root,
        entries={
            "scout": {"workspace": str(root / "scout")},
            "forge": {"workspace": str(root / ".hidden/forge")},
            "quill": {"workspace": str(root.parent / "workspace-main/quill")},
            "ranger": {"workspace": str(root.parent / "workspace-main/.deep/ranger")},
        },
    )
    workspaces = known(root, "/build/", own=("data",))
    assert workspaces.tops == ("../workspace-main", "../workspace-main/.deep/ranger", ".hidden/forge")
    for path, agent in {
        "scout/a": "scout",
        ".hidden/forge/a": "forge",
        "../workspace-main/quill/a": "quill",
        "../workspace-main/.deep/ranger/a": "ranger",
        "../workspace-main/a": "main",
        "agents/scout/a": "scout",
        "a": None,
        "../other/a": None,
    }.items():
        assert workspaces.agent_of(path) == agent, path


def test_the_rules_hold_in_each_workspace_and_nothing_else_outside_is_watched(root: Path) -> None:
    make(root, "../workspace-scout")
    configure(root, entries={"scout": {}})
    workspaces = known(root, "/build/", "*.log", own=("../workspace-scout/own", "data"))
    top = "../workspace-scout"
    assert workspaces.tops == (top,)
    assert not workspaces.folder(top)
    assert not workspaces.file(f"{top}/a.md")
    assert not workspaces.file(f"{top}/data/a.md")
    for path in ("build/a.md", "x/a.log", ".git/HEAD", "node_modules/a.js", "own/events.sqlite"):
        assert workspaces.file(f"{top}/{path}"), path
    assert workspaces.folder(f"{top}/own")
    for path in ("..", "../a", "../openclaw.json", "../../b", "../workspace-scouts/a", "data/a"):
        assert workspaces.file(path), path


def test_what_came_and_went_is_named_and_a_folder_that_is_gone_keeps_its_owner(root: Path) -> None:
    make(root, "../workspace-scout")
    configure(root, entries={"main": {}, "scout": {}})
    workspaces = AgentWorkspaces(root, Ignore())
    first = found(root)
    assert workspaces.replace(first) == ["../workspace-scout"]
    assert workspaces.replace(found(root)) == []
    assert workspaces.new_since("../workspace-scout") is None
    assert workspaces.home_of("scout") == "../workspace-scout"
    assert workspaces.named_by("../workspace-scout/IDENTITY.md") == "scout"
    (root / "../workspace-scout").rmdir()
    make(root, "../workspace-forge")
    assert workspaces.replace(found(root)) == ["../workspace-forge", "../workspace-scout"]
    assert workspaces.tops == ("../workspace-forge",)
    assert (workspaces.new_since("../workspace-forge") or 0) > first.at
    assert workspaces.home_of("scout") is None
    assert workspaces.agent_of("../workspace-scout/a.md") == "scout"
    assert workspaces.file("../workspace-scout/a.md")


@pytest.mark.parametrize(
    "agents",
    [
        {"entries": {"scout": {"workspace": "~nobody-has-this-name/scout"}}},
        {"entries": {"main": {}, "scout": {"workspace": "/a\0b"}, "../forge": {}, "..": {}, "a\0b": {}}},
        {"entries": {"main": {}, "/etc": {}}, "defaults": {"workspace": "~nobody-has-this-name"}},
        {"entries": {"main": {}, "/etc": {}}, "defaults": {"workspace": "/"}},
        {"list": [{"id": "main", "default": "yes"}, {"id": "scout", "workspace": "  "}], "defaults": 7},
        {"list": [{"id": "x" * 5_000}]},
        7,
    ],
    ids=range(7),
)
def test_odd_settings_name_no_workspace(root: Path, agents: Any) -> None:
    (root.parent / "openclaw.json").write_text(json.dumps({"agents": agents}))
    make(root, "../forge")
    assert owners(root) == {}


def test_settings_that_are_half_written_change_nothing(root: Path) -> None:
    make(root, "../../fleet/forge")
    configure(root, entries={"forge": {"workspace": str(root.parents[1] / "fleet/forge")}})
    finder = WorkspaceFinder(root, sources("auto"), root / "data")
    before = finder.find().owned
    (root.parent / "openclaw.json").write_text('{"agents": {"entr')
    assert finder.find().owned == before != {}
    configure(root, entries={})
    assert finder.find().owned == {}


def test_a_name_that_is_not_utf8_names_no_agent(root: Path) -> None:
    configure(root, entries={"main": {}})
    os.mkdir(os.fsencode(root.parent) + b"/workspace-caf\xe9")  # noqa: PTH102
    assert owners(root) == {}


def test_what_may_not_be_read_ends_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> bool:
        raise PermissionError(13, "Permission denied")

    make(root, "../workspace-scout")
    monkeypatch.setattr("missioncontrol.runtimes.registry.find", refused)
    assert owners(root) == {}
    (root / "../workspace-scout/SOUL.md").write_text("")
    assert owners(root) == {"../workspace-scout": "scout"}
