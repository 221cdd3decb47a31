"""Settings from a file, the environment and the command line."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from missioncontrol.config.checks import check
from missioncontrol.config.settings import Config, SourcesConfig
from missioncontrol.errors import ConfigError

ENVIRONMENT: dict[str, str] = {
    "MISSION_CONTROL_WORKSPACE": "workspace",
    "MISSION_CONTROL_DATA": "data",
    "MISSION_CONTROL_HOST": "server.host",
    "MISSION_CONTROL_PORT": "server.port",
    "MISSION_CONTROL_WS_PORT": "server.ws_port",
    "MISSION_CONTROL_MAX_CLIENTS": "server.max_clients",
    "MISSION_CONTROL_HEARTBEAT_INTERVAL": "server.heartbeat_interval",
    "MISSION_CONTROL_MAX_HISTORY": "server.max_history",
    "MISSION_CONTROL_FLUSH_WINDOW": "server.flush_window",
    "MISSION_CONTROL_DRAIN_WINDOW": "server.drain_window",
    "MISSION_CONTROL_LOG": "log.url",
    "MISSION_CONTROL_RETENTION_DAYS": "log.retention_days",
    "MISSION_CONTROL_RETENTION_BYTES": "log.retention_bytes",
    "MISSION_CONTROL_SYNCHRONOUS": "log.synchronous",
    "MISSION_CONTROL_CLUSTER_HOST": "cluster.host",
    "MISSION_CONTROL_CLUSTER_STREAM": "cluster.stream",
    "MISSION_CONTROL_CLUSTER_REPLICAS": "cluster.replicas",
    "MISSION_CONTROL_CLUSTER_CREDENTIALS": "cluster.credentials",
    "MISSION_CONTROL_TELEMETRY_ENDPOINT": "telemetry.endpoint",
    "MC_API_PORT": "server.port",
    "WS_PORT": "server.ws_port",
}
"""Environment variables and the settings they set; the last two are the aliases of older installs."""


# Prepares the type for `msgspec.convert`, which two threads must not do at the same time.
_prepared = msgspec.json.Decoder(Config)


MAX_FILE_BYTES = 1024 * 1024


MAX_KEY_PARTS = 100


_ALIASES = ("MC_API_PORT", "WS_PORT")


def load_config(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Put the settings together.

    Args:
        file: the TOML file, if any.
        flags: settings by dotted name (`server.port`); None values are passed over.
        environment: the process's environment.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, or a value is out of range; the message names it.
    """
    tree: dict[str, Any] = {}
    if file is not None:
        tree = _read_file(file)
    environment = {} if environment is None else environment
    variables: dict[str, str] = {}
    for name in (*_ALIASES, *(n for n in ENVIRONMENT if n not in _ALIASES)):
        if name in environment:
            _set(tree, ENVIRONMENT[name], environment[name])
            variables[ENVIRONMENT[name]] = name
    for dotted, value in (flags or {}).items():
        if value is not None:
            _set(tree, dotted, value)
            variables.pop(dotted, None)
    _gather_places(tree)
    try:
        config = msgspec.convert(tree, Config, strict=False)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at ")
        variable = variables.get(path.strip("`").removeprefix("$."))
        if variable is not None:
            raise ConfigError(f"The variable {variable} is {environment[variable]!r}: {what}.") from None
        where = f" ({file})" if file else ""
        raise ConfigError(f"A setting is wrong{where}: {error}.") from None
    for name, number in _numbers(msgspec.to_builtins(config)):
        if not math.isfinite(number):
            raise ConfigError(f"{name} is {number}; write a finite number.")
    check(config)
    return config


def _read_file(file: Path) -> dict[str, Any]:
    try:
        # A pipe would be waited for, and a huge number or a deep list is no reason to end the program.
        if not file.is_file() and file.exists():
            raise ConfigError(f"The config file {file} cannot be read: it is no regular file.")
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(
                f"The config file {file} cannot be read: it has more than {MAX_FILE_BYTES:,} bytes."
            )
        text = file.read_text(encoding="utf-8")
        if (line := _with_long_key(text)) is not None:
            raise ConfigError(
                f"The config file {file} cannot be read: line {line} has a key of too many parts."
            )
        return tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"The config file {file} cannot be read: {error.strerror or error}.") from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise ConfigError(f"The config file {file} is not TOML: {reason}.") from None


def _with_long_key(text: str) -> int | None:
    """Return the first line with more dots in front of its value than any key has; reading one takes their square."""
    for number, line in enumerate(text.splitlines(), 1):
        if line.partition("=")[0].count(".") > MAX_KEY_PARTS:
            return number
    return None


def _gather_places(tree: dict[str, Any]) -> None:
    """Put the keys of `[sources]` that name runtimes together; whether there are such runtimes is checked later."""
    sources = tree.get("sources")
    if isinstance(sources, dict) and "places" not in sources:
        named = {key: value for key, value in sources.items() if key not in SourcesConfig.__struct_fields__}
        tree["sources"] = {
            **{key: value for key, value in sources.items() if key not in named},
            "places": named,
        }


def _numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Find the numbers among settings, with the dotted name of each."""
    if isinstance(value, float):
        yield path, value
        return
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, f"{path}.{key}" if path else str(key))


def _set(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, key = dotted.split(".")
    for section in sections:
        tree = tree.setdefault(section, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"The setting {section!r} is a section: write [{section}] above its keys.")
    tree[key] = value
