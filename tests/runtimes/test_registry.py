"""The registry of runtimes: which there are, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from missioncontrol.config import SourcesConfig, load_config
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes import registry
from missioncontrol.runtimes.base import FileKind, Runtime
from missioncontrol.runtimes.claude.connect import ClaudeConnection, FileOptions, Options
from missioncontrol.runtimes.codex.connect import CodexConnection
from missioncontrol.runtimes.connection import NoOptions, Target
from missioncontrol.runtimes.openclaw.connect import OpenClawConnection


class Taken(Runtime):
    name = "codex"
    title = "Another Codex"


class SameKind(Runtime):
    name = "new"
    title = "New"
    kinds = (FileKind("claude", None, None),)  # type: ignore[arg-type]


class Good(Runtime):
    name = "good"
    title = "Good"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Entry points of other packages: one that is right among some that are not."""
    names = {"a": "Taken", "b": "SameKind", "c": "no_such_name", "d": "Target", "e": "Good"}
    points = [EntryPoint(name, f"{__name__}:{value}", registry.GROUP) for name, value in names.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
    caches: list[Any] = [registry.runtimes, registry.kinds, registry.signal_readers]
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_runtime_that_cannot_be_one_is_left_out_and_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert list(registry.runtimes()) == ["openclaw", "claude", "codex", "good"]
    assert registry.title_of("codex") == "Codex"
    assert len([record for record in caplog.records if record.message == "runtime.not_loaded"]) == 4


def test_a_name_that_is_not_known_is_its_own_title() -> None:
    assert registry.title_of("research-crew") == "research-crew"


def test_a_place_of_no_runtime_is_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[sources]\ncodex = "off"\ncoddex = "off"\nignore = ["*.log"]\n')
    sources = load_config(file).sources
    assert (sources.place_of("codex"), sources.place_of("claude"), sources.ignore) == (
        "off",
        "auto",
        ["*.log"],
    )
    with pytest.raises(ConfigError, match=r"sources\.coddex is no setting"):
        registry.check_settings(sources)
    file.write_text("[sources]\ncodex = 7\n")
    with pytest.raises(ConfigError, match="Expected `str`, got `int`"):
        load_config(file)


def test_what_is_off_is_not_found(tmp_path: Path) -> None:
    off = SourcesConfig(places=dict.fromkeys(registry.runtimes(), "off"))
    assert registry.find_all(off, tmp_path) == {}
    assert registry.find("no-such-runtime", off, tmp_path) is None


def test_connections_print_what_the_user_is_to_run() -> None:
    target = Target("http://127.0.0.1:9", token="t")
    assert "diagnostics.otel.endpoint http://127.0.0.1:9" in OpenClawConnection().printed(target, NoOptions())
    assert '"/api/hooks/claude' not in ClaudeConnection().printed(target, Options())
    assert "http://127.0.0.1:9/api/hooks/claude" in ClaudeConnection().printed(target, Options())
    assert "http://127.0.0.1:9/v1/logs" in CodexConnection().printed(target, NoOptions())
    with pytest.raises(ConfigError, match="asks for a token"):
        CodexConnection().check(Target("http://127.0.0.1:9", variable="T"), NoOptions())
    assert ClaudeConnection().settings_files(FileOptions(project=True))[0] == Path(".claude/settings.json")
