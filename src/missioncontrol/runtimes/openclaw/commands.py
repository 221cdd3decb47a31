"""OpenClaw: its OpenTelemetry plugin, switched on by its own command.

Its settings, `openclaw.json`, hold secrets and are JSON5, so they are neither read nor written here. What an OpenClaw
on this machine does is known without this, from its transcripts; this is for one on another machine.
Source: https://docs.openclaw.ai/gateway/opentelemetry.
"""

from __future__ import annotations

import json


def commands(url: str, variable: str | None = None, token: str | None = None) -> str:
    """Return what is to be run, one command a line.

    Args:
        url: the server's.
        variable: the environment's variable with the token that the server asks for.
        token: the token itself, in clear.
    """
    settings: dict[str, str | bool] = {
        "enabled": True,
        "endpoint": url,
        "protocol": "http/protobuf",
        "traces": True,
        "metrics": True,
        "logs": True,
    }
    lines = [
        "openclaw plugins install clawhub:@openclaw/diagnostics-otel",
        "openclaw plugins enable diagnostics-otel",
        "openclaw config set diagnostics.enabled true",
        *(f"openclaw config set diagnostics.otel.{key} {_word(value)}" for key, value in settings.items()),
    ]
    if token is not None or variable is not None:
        # Double quotes where the shell is to fill the variable in, single ones where nothing is to be touched.
        said = token if token is not None else f"${variable}"
        header = json.dumps({"Authorization": f"Bearer {said}"})
        quoted = f"'{header}'" if token is not None else '"' + header.replace('"', '\\"') + '"'
        lines.append(f"openclaw config set diagnostics.otel.headers {quoted}")
    return "\n".join([*lines, "openclaw gateway restart"])


def _word(value: str | bool) -> str:
    return value if isinstance(value, str) else json.dumps(value)
