"""Structured logs on standard error: for people on a terminal, JSON otherwise; never a token."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor

from missioncontrol.events.sentences import defuse
from missioncontrol.redaction import redact as mask

TOKEN_PREFIX = "mc_"  # noqa: S105 - what tokens begin with
HIDDEN = "[hidden]"
_SECRET_KEYS = frozenset({"token", "authorization", "password", "secret", "cookie", "key"})
_CONTROL = re.compile(r"[^\n\t]+")
_SECRETS = re.compile(
    r"\bmc_[A-Za-z0-9_-]{16,}"
    r"|(?<=bearer )[^\s\"',;]+"
    r"|(?<=bearer\.)[A-Za-z0-9_=-]+"
    r"|(?<=token=)[^\s\"'&;]+"
    r"|(?<=basic )[A-Za-z0-9+/=]{8,}",
    re.IGNORECASE,
)


def configure_logging(stream: TextIO | None = None, *, level: int = logging.INFO) -> None:
    """Send what structlog and the standard library's loggers have to say to `stream`, standard error if None."""
    stream = sys.stderr if stream is None else stream
    human = stream.isatty()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=True)
        if human
        else structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)


def redact(logger: Any, method: str, event: EventDict) -> EventDict:
    """Hide whatever is a token by its name or its form, however deep it lies."""
    return {key: value if key.startswith("_") else _clean(key, value) for key, value in event.items()}


def _clean(key: str, value: Any) -> Any:
    if key.lower() in _SECRET_KEYS and value is not None:
        return HIDDEN
    if isinstance(value, str):
        # Names of files and agents are logged, which others chose, and people read logs in terminals.
        shown = value if value.isprintable() else _CONTROL.sub(lambda found: defuse(found[0]), value)
        return mask(_SECRETS.sub(HIDDEN, shown))
    if isinstance(value, dict):
        return {inner: _clean(str(inner), item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", item) for item in value]
    return value
