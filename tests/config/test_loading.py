"""Settings from a file, the environment and the command line, in this order."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.config.loading import MAX_FILE_BYTES, MAX_KEY_PARTS, load_config
from missioncontrol.errors import ConfigError


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "config.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "[server]\nport = 1001\nmax_clients = 7\nmax_history = 50\n")
    environment = {"MISSION_CONTROL_PORT": "1002", "MISSION_CONTROL_MAX_CLIENTS": "8", "OTHER": "x"}
    server = load_config(file, {"server.port": 1003, "server.host": None}, environment).server
    assert (server.port, server.max_clients, server.max_history, server.host) == (1003, 8, 50, "127.0.0.1")


def test_the_names_of_older_installs_give_way_to_the_usual_ones() -> None:
    assert load_config(environment={"MC_API_PORT": "1001"}).server.port == 1001
    assert (
        load_config(environment={"MC_API_PORT": "1001", "MISSION_CONTROL_PORT": "1002"}).server.port == 1002
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[server\n", "is not TOML"),
        ("[server]\nprot = 1\n", "prot"),
        ("server = 1\n", "A setting is wrong"),
        (b"\xff", "is not TOML"),
        ("a = " + "[" * 10_000, "is not TOML"),
        ("a." * (MAX_KEY_PARTS + 1) + "a = 1", "line 1 has a key of too many parts"),
        ("#" * (MAX_FILE_BYTES + 1), "more than"),
    ],
    ids=["open", "unknown", "no section", "no text", "deep", "long key", "large"],
)
def test_a_file_that_is_wrong_is_an_error_that_names_it(tmp_path: Path, text: str | bytes, part: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load_config(file)
    assert part in str(raised.value)
    assert str(file) in str(raised.value)


def test_a_folder_and_a_file_that_is_missing_are_errors(tmp_path: Path) -> None:
    for file, part in ((tmp_path, "no regular file"), (tmp_path / "none.toml", "No such file")):
        with pytest.raises(ConfigError, match=part):
            load_config(file)


def test_a_variable_that_is_wrong_is_named() -> None:
    with pytest.raises(ConfigError, match="The variable MISSION_CONTROL_MAX_CLIENTS is 'many'"):
        load_config(environment={"MISSION_CONTROL_MAX_CLIENTS": "many"})


def test_the_folders_of_runtimes_are_keys_of_the_sources(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, '[sources]\nmine = "/srv/mine"\n'))
    assert config.sources.place_of("mine") == "/srv/mine"
