"""Any program with an OpenTelemetry SDK: the environment variables that send what it tells here.

Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/ (the SDK adds `/v1/traces` and so on by itself).
"""

from __future__ import annotations

from shlex import quote


def variables(url: str, variable: str | None = None, token: str | None = None) -> str:
    """Return the lines for a shell.

    Args:
        url: the server's.
        variable: the environment's variable with the token that the server asks for.
        token: the token itself, in clear.
    """
    lines = [
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={quote(url)}",
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
    ]
    if token is not None or variable is not None:
        # In this variable a blank is written as %20, since its form is that of W3C Baggage.
        said = token if token is not None else f"${variable}"
        lines.append(f'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{said}"')
    return "\n".join(lines)
