"""Where the runtimes are, and which of their files are transcripts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from missioncontrol.runtimes.base import Place
from missioncontrol.runtimes.claude.runtime import ClaudeCode
from missioncontrol.runtimes.codex.runtime import Codex
from missioncontrol.runtimes.openclaw.places import find_openclaw, roster
from missioncontrol.runtimes.records import UnreadableError
from missioncontrol.runtimes.registry import links, transcript_of, transcripts
from tests.runtimes.installs import install


def find_claude(setting: str, environment: Mapping[str, str] = os.environ) -> Place | None:
    return ClaudeCode().find(setting, Path(), environment)


def find_codex(setting: str, environment: Mapping[str, str] = os.environ) -> Place | None:
    return Codex().find(setting, Path(), environment)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_openclaw_is_where_the_workspace_lies(tmp_path: Path) -> None:
    state = install(tmp_path, "2026.9.6-sqlite")
    (state / "workspace").mkdir()
    place = find_openclaw("auto", state / "workspace", {})
    assert place == Place("openclaw", state, (state / "agents", state / "state"))
    assert find_openclaw("auto", tmp_path / "elsewhere/workspace", {}) is None
    assert (
        find_openclaw("auto", tmp_path / "elsewhere/workspace", {"OPENCLAW_STATE_DIR": str(state)}) == place
    )
    assert find_openclaw(str(state), tmp_path, {}) == place
    assert find_openclaw("off", state / "workspace", {}) is None


@pytest.mark.parametrize(
    ("there", "workspace", "environment", "found"),
    [
        # What the environment says goes before where the workspace is.
        (
            [".openclaw", ".openclaw-dev"],
            ".openclaw/workspace",
            {"OPENCLAW_STATE_DIR": "~/.openclaw-dev"},
            ".openclaw-dev",
        ),
        ([".openclaw", ".openclaw-dev"], ".openclaw/workspace", {"OPENCLAW_PROFILE": "dev"}, ".openclaw-dev"),
        # Before 2026.8 a profile's workspace was in the usual state folder.
        ([".openclaw", ".openclaw-dev"], ".openclaw/workspace-dev", {}, ".openclaw-dev"),
        ([".openclaw"], ".openclaw/workspace-dev", {}, ".openclaw"),
        ([".openclaw-dev"], ".openclaw-dev/workspace", {}, ".openclaw-dev"),
        # The workspace may be set elsewhere.
        ([".openclaw"], "team", {}, ".openclaw"),
        ([".clawdbot"], "team", {}, ".clawdbot"),
        ([], "team", {}, None),
    ],
)
def test_openclaw_is_where_the_environment_the_workspace_or_habit_says(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    there: list[str],
    workspace: str,
    environment: dict[str, str],
    found: str | None,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in there:
        (tmp_path / name / "agents").mkdir(parents=True)
    place = find_openclaw("auto", tmp_path / workspace, {"HOME": str(tmp_path), **environment})
    assert (None if place is None else place.folder) == (None if found is None else tmp_path / found)


def test_the_settings_have_their_former_name_in_a_former_place(tmp_path: Path) -> None:
    (tmp_path / "clawdbot.json").write_text('{"agents": {"list": [{"id": "old"}]}}')
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    assert roster(place) == {"old": None}


@pytest.mark.parametrize("which", ["projects", "projects/-home-dev-app"])
def test_a_folder_of_transcripts_may_be_a_link_to_elsewhere(tmp_path: Path, which: str) -> None:
    session = "projects/-home-dev-app/d48e37bc.jsonl"
    real, home = tmp_path / "real", tmp_path / "home/.claude"
    (real / session).parent.mkdir(parents=True)
    (real / session).touch()
    (home / which).parent.mkdir(parents=True)
    (home / which).symlink_to(real / which)
    place = find_claude(str(home), {})
    assert place is not None
    assert [one.path for one in transcripts(place)] == [home / session]
    assert links(place) == {real / which: home / which}


def test_links_that_lead_nowhere_or_back_are_not_followed(tmp_path: Path) -> None:
    projects = tmp_path / "projects"
    (projects / "p").mkdir(parents=True)
    (projects / "p/s.jsonl").touch()
    for name, target in (("loop", projects / "loop"), ("up", tmp_path), ("gone", tmp_path / "nothing")):
        (projects / name).symlink_to(target)
    (projects / "file").symlink_to(projects / "p/s.jsonl")
    place = find_claude(str(tmp_path), {})
    assert place is not None
    assert [one.path for one in transcripts(place)] == [projects / "p/s.jsonl"]


def test_rollouts_below_an_agent_are_the_agents(tmp_path: Path) -> None:
    below = tmp_path / "agents/main/agent"
    for folder in ("codex-home", "cli-auth/codex/ab12cd"):
        day = below / folder / "sessions/2026/11/28"
        day.mkdir(parents=True)
        (day / "rollout-2026-11-28T09-00-01-01a22162-0268-7bad-8281-8b370d99001b.jsonl").touch()
        (below / folder / "history.jsonl").touch()
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    assert [(one.kind, one.agent) for one in transcripts(place)] == [("codex", "main")] * 2


def test_the_other_runtimes_are_where_the_environment_says(tmp_path: Path) -> None:
    (tmp_path / "c/projects").mkdir(parents=True)
    (tmp_path / "x/sessions").mkdir(parents=True)
    claude = find_claude("auto", {"CLAUDE_CONFIG_DIR": str(tmp_path / "c")})
    codex = find_codex("auto", {"CODEX_HOME": str(tmp_path / "x")})
    assert claude == Place("claude", tmp_path / "c", (tmp_path / "c/projects", tmp_path / "c/sessions"))
    assert codex == Place(
        "codex", tmp_path / "x", (tmp_path / "x/sessions", tmp_path / "x/archived_sessions")
    )
    assert find_claude("auto", {"CLAUDE_CONFIG_DIR": str(tmp_path)}) is None
    assert find_codex("off", {"CODEX_HOME": str(tmp_path / "x")}) is None


@pytest.mark.parametrize("setting", ["", "projects"])
def test_a_path_may_be_the_runtimes_folder_or_that_of_its_transcripts(tmp_path: Path, setting: str) -> None:
    touch(tmp_path, "projects/-home-user/s.jsonl")
    place = find_claude(str(tmp_path / setting))
    assert place is not None
    assert [transcript.path.name for transcript in transcripts(place)] == ["s.jsonl"]


def test_of_openclaws_files_only_transcripts_indexes_and_databases_are_read(tmp_path: Path) -> None:
    sessions = "agents/scout/sessions"
    wanted = {
        f"{sessions}/a.jsonl": "openclaw",
        f"{sessions}/a.jsonl.reset.2026-11-23T00-52-53.628Z": "openclaw",
        f"{sessions}/a.jsonl.deleted.2026-11-23T00-53-00.554Z": "openclaw",
        f"{sessions}/a.jsonl.deleted.2026-11-23T00-50-42.129Z.7a2c8b8e.zst": "openclaw",
        f"{sessions}/a.checkpoint.0f0f0f0f-0000-4000-8000-000000000000.jsonl": "openclaw",
        f"{sessions}/cold/b.zst": "openclaw",
        f"{sessions}/sessions.json": "openclaw-index",
        "agents/scout/agent/openclaw-agent.sqlite": "openclaw-agent",
        "state/openclaw.sqlite": "openclaw-state",
    }
    others = [
        f"{sessions}/a.trajectory.jsonl",
        f"{sessions}/a.trajectory-path.json",
        f"{sessions}/a.jsonl.lock",
        f"{sessions}/a.jsonl.bak.2026-11-23T00-52-53.628Z",
        f"{sessions}/.usage-cost-cache.json",
        "agents/scout/agent/openclaw-agent.sqlite-wal",
        "agents/scout/agent/openclaw-agent.sqlite-shm",
        "agents/scout/cache/c.jsonl",
        "agents/scout/session-sqlite-import-archive/a.jsonl",
        "cache/c.jsonl",
        "logs/openclaw.log",
        "workspace/notes.jsonl",
    ]
    touch(tmp_path, *wanted, *others)
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    found = transcripts(place)
    assert {str(one.path.relative_to(tmp_path)): one.kind for one in found} == wanted
    assert {one.agent for one in found} == {"scout", None}
    assert all(transcript_of(place, one.path) == one for one in found)
    assert transcript_of(place, tmp_path / others[0]) is None
    assert transcript_of(place, Path("/elsewhere/a.jsonl")) is None


def test_a_sub_agent_of_claude_names_its_parent(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "projects/-home-user-web/s.jsonl",
        "projects/-home-user-web/s/subagents/agent-1.jsonl",
        "projects/-home-user-web/s/subagents/workflows/w/agent-2.jsonl",
        "projects/-home-user-web/s/subagents/agent-1.meta.json",
        "projects/-home-user-web/s/tool-results/t.jsonl",
        "projects/-home-user-web/memory/MEMORY.md",
        "history.jsonl",
    )
    place = find_claude(str(tmp_path))
    assert place is not None
    assert {one.path.name: one.parent for one in transcripts(place)} == {
        "s.jsonl": None,
        "agent-1.jsonl": "s",
        "agent-2.jsonl": "s",
    }


def test_codexs_rollouts_are_found_also_when_they_were_put_away(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "sessions/2026/11/23/rollout-a.jsonl",
        "sessions/2026/11/01/rollout-b.jsonl.zst",
        "archived_sessions/rollout-c.jsonl",
        "history.jsonl",
        "sessions/2026/11/23/notes.txt",
    )
    place = find_codex(str(tmp_path))
    assert place is not None
    assert [one.path.name for one in transcripts(place)] == [
        "rollout-c.jsonl",
        "rollout-b.jsonl.zst",
        "rollout-a.jsonl",
    ]


def test_links_to_files_and_within_a_place_are_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "real/agents/scout/sessions/a.jsonl", "out/b.jsonl")
    state = tmp_path / "real"
    (state / "agents/scout/sessions/linked.jsonl").symlink_to(tmp_path / "out/b.jsonl")
    (state / "agents/linked").symlink_to(tmp_path / "real/agents/scout")
    place = find_openclaw(str(state), tmp_path)
    assert place is not None
    assert [one.path.name for one in transcripts(place)] == ["a.jsonl"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other/agents").symlink_to(state / "agents")
    linked = find_openclaw(str(tmp_path / "other"), tmp_path)
    assert linked is not None
    assert [one.path.name for one in transcripts(linked)] == ["a.jsonl"]


@pytest.mark.parametrize("sample", ["2026.7.35-jsonl", "2026.9.6-sqlite"])
def test_the_roster_is_read_from_either_form(tmp_path: Path, sample: str) -> None:
    place = find_openclaw(str(install(tmp_path, sample)), tmp_path)
    assert place is not None
    home = Path("/home/user/.openclaw")
    assert roster(place) == {
        "main": home / "workspace",
        "scout": home / "workspace-scout",
        "forge": home / "workspace-forge",
    }


def test_a_roster_may_be_written_as_people_write_it(tmp_path: Path) -> None:
    text = """\ufeff{
      // who is there
      agents: { /* newest first */
        "entries": {
          'forge': {"workspace": "/w//forge, }"}, // the smith
          "scout": null,
        },
      },
    }"""
    (tmp_path / "openclaw.json").write_text(text, encoding="utf-8")
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    assert roster(place) == {"forge": Path("/w//forge, }"), "scout": None}


def test_comments_after_a_comma_cost_no_more_than_their_length(tmp_path: Path) -> None:
    comments = "      // // // none of these\n" * 5_000
    text = f"{{ agents: {{ entries: {{ scout: {{}},\n{comments} forge: {{}} }} }} }}"
    (tmp_path / "openclaw.json").write_text(text, encoding="utf-8")
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    assert roster(place) == {"scout": None, "forge": None}


@pytest.mark.parametrize(
    "text",
    [
        "{a:" * 100_000,
        "[1," + "/*/" * 300_000,
        '"' + '\\"' * 500_000,
        "{" + "," * 1_000_000,
        '{"gateway": {"port": ' + "9" * 5_000 + "}}",
        '{"gateway": {"port": Infinity}, "agents": {"list": [NaN]}}',
        '"\\ud800"',
        " " * (2 << 20),
    ],
    ids=["deep", "comments", "quotes", "commas", "digits", "no numbers", "surrogate", "long"],
)
def test_a_hostile_configuration_is_refused_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "openclaw.json").write_text(text, encoding="utf-8")
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    with pytest.raises(UnreadableError):
        roster(place)


@pytest.mark.parametrize("text", ['{"gateway":{"auth":{"token":"s3cret"}', '{"agents": "s3cret"}', "s3cret"])
def test_a_broken_configuration_is_an_error_that_quotes_nothing_of_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "openclaw.json").write_text(text, encoding="utf-8")
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    with pytest.raises(UnreadableError) as raised:
        roster(place)
    assert "s3cret" not in repr(raised.value)
    assert raised.value.__cause__ is None


def test_a_configuration_without_agents_has_an_empty_roster(tmp_path: Path) -> None:
    (tmp_path / "openclaw.json").write_text('{"gateway": {"port": 1}}', encoding="utf-8")
    place = find_openclaw(str(tmp_path), tmp_path)
    assert place is not None
    assert roster(place) == {}
