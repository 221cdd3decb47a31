"""Codex: its OpenTelemetry logs, by the `[otel]` section of its settings.

Source: https://developers.openai.com/codex/config-advanced (Observability and telemetry). Codex has one exporter for
logs, and fills no variables into its settings.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from missioncontrol.errors import ConfigError

PATH = "/v1/logs"
_KIND = "otlp-http"
_MARK = "written by mission-control connect codex"
"""The comment that marks our exporter, to distinguish it from one that a person has configured."""


def settings_path(file: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the settings that are meant: the file that is named, or the user's."""
    return file or Path(environment.get("CODEX_HOME") or "~/.codex").expanduser() / "config.toml"


def snippet(url: str, token: str | None = None) -> str:
    """Return the settings that would be written into an empty file."""
    return connected("", url, token)


def connected(text: str, url: str, token: str | None = None) -> str:
    """Return the settings with the exporter for logs set to a server.

    Args:
        text: the settings so far.
        url: the server's.
        token: what the server asks for, in clear: Codex takes it from nowhere else.

    Raises:
        ConfigError: the text is not TOML, or has an exporter that is not ours.
    """
    import tomlkit
    from tomlkit.items import InlineTable

    document = _parse(text)
    otel = document.get("otel")
    if otel is None:
        otel = document["otel"] = tomlkit.table()
    if not isinstance(otel, MutableMapping) or isinstance(otel, InlineTable):
        raise ConfigError("`otel` is not a section there; write it as [otel]. Nothing was changed.")
    known = otel.get("exporter")
    if known is not None and known != "none" and _endpoint(known) is None:
        raise ConfigError(
            "Codex has one exporter for logs, and here `otel.exporter` is set to another receiver already. "
            "Take it out first, or have that receiver pass the logs on. Nothing was changed."
        )
    wanted: dict[str, Any] = {"endpoint": url + PATH, "protocol": "binary"}
    if token is not None:
        wanted["headers"] = {"authorization": f"Bearer {token}"}
    if _plain(known) == {_KIND: wanted}:
        return text
    exporter = tomlkit.table(is_super_table=True)
    section = tomlkit.table()
    for key, value in wanted.items():
        section[key] = _inline(value) if isinstance(value, dict) else value
    section["endpoint"].comment(_MARK)
    section.add(tomlkit.nl())
    exporter[_KIND] = section
    if known is not None:
        # A value and a section cannot take each other's place.
        del otel["exporter"]
    otel["exporter"] = exporter
    return str(tomlkit.dumps(document))


def disconnected(text: str) -> str:
    """Return the settings without our exporter, and without a section that it leaves empty.

    Raises:
        ConfigError: the text is not TOML.
    """
    import tomlkit

    document = _parse(text)
    otel = document.get("otel")
    if not isinstance(otel, MutableMapping) or _endpoint(otel.get("exporter")) is None:
        return text
    del otel["exporter"]
    if not otel:
        del document["otel"]
    return str(tomlkit.dumps(document))


def connected_to(text: str) -> str | None:
    """Return the server that settings are connected to; None where they are not.

    Raises:
        ConfigError: the text is not TOML.
    """
    otel = _parse(text).get("otel")
    endpoint = _endpoint(otel.get("exporter")) if isinstance(otel, MutableMapping) else None
    return endpoint and endpoint.removesuffix(PATH)


def _parse(text: str) -> MutableMapping[str, Any]:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise ConfigError(f"The settings are not TOML: {error}. Nothing was changed.") from None


def _endpoint(exporter: Any) -> str | None:
    """Return where an exporter sends that was set here; None for every other."""
    section = exporter.get(_KIND) if isinstance(exporter, MutableMapping) else None
    endpoint = section.get("endpoint") if isinstance(section, MutableMapping) else None
    if not isinstance(endpoint, str) or _MARK not in getattr(
        getattr(endpoint, "trivia", None), "comment", ""
    ):
        return None
    return str(endpoint)


def _plain(item: Any) -> Any:
    return item.unwrap() if hasattr(item, "unwrap") else item


def _inline(values: Mapping[str, str]) -> Any:
    import tomlkit

    table = tomlkit.inline_table()
    table.update(values)
    return table
