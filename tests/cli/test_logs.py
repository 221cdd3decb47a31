from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from missioncontrol.cli.logs import configure_logging

SECRET = "mc_0123456789abcdefghijklmnopqrstuvwxyz"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_in_a_pipe_each_entry_is_a_line_of_json_from_whichever_logger() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("elsewhere").warning("disk at %d%%", 90, extra={"path": "/data"})
    structlog.get_logger("ours").info("serving", url="http://h")
    first, second = lines(stream)
    assert (first["event"], first["level"], first["logger"], first["path"]) == (
        *("disk at 90%", "warning", "elsewhere", "/data"),
    )
    assert (second["event"], second["url"]) == ("serving", "http://h")
    assert "timestamp" in first


def test_an_exception_is_in_its_entry() -> None:
    stream = io.StringIO()
    configure_logging(stream)
    try:
        raise ValueError(f"about {SECRET}")
    except ValueError:
        logging.getLogger("x").exception("failed")
    (entry,) = lines(stream)
    assert "ValueError: about [hidden]" in str(entry["exception"])


@pytest.mark.parametrize("stream", [io.StringIO(), _Terminal()], ids=["pipe", "terminal"])
def test_no_token_is_ever_logged(stream: io.StringIO) -> None:
    configure_logging(stream)
    log = structlog.get_logger("x")
    log.info(f"a {SECRET} in the text")
    log.info("headers", headers={"Authorization": "Bearer plain", "list": [f"Bearer {SECRET}"]})
    log.info("url", url="http://h/?token=plain&x=1", token="plain", protocol="mission-control.bearer.cGxhaW4")
    logging.getLogger("y").warning("Bearer plain for %s", "Bearer plain")
    text = stream.getvalue()
    assert "plain" not in text
    assert "cGxhaW4" not in text
    assert "0123456789" not in text
    assert "x=1" in text


def test_on_a_terminal_entries_are_for_people() -> None:
    stream = _Terminal()
    configure_logging(stream)
    structlog.get_logger("x").info("serving", url="http://h")
    assert "serving" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


@pytest.mark.parametrize(
    "text",
    [
        "connected to nats://node:pa55w0rd@nats-1:4222",
        "GET /api/events?token=pa55w0rd HTTP/1.1",
        "Authorization: Basic cGE1NXcwcmQ6cGE1NXcwcmQ=",
        "authorization: Bearer pa55w0rd-pa55w0rd",
        f"it was {SECRET}",
    ],
)
def test_no_password_reaches_the_log_in_whatever_text_it_is(text: str) -> None:
    stream = io.StringIO()
    configure_logging(stream)
    logging.getLogger("any").warning("seen: %s", text, extra={"request": {"line": [text]}})
    assert "pa55w0rd" not in stream.getvalue()
    assert "cGE1NXcwcmQ" not in stream.getvalue()
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_what_others_have_named_cannot_act_on_a_terminal(terminal: bool) -> None:
    stream = _Terminal() if terminal else io.StringIO()
    configure_logging(stream)
    logging.getLogger("any").warning("file.odd", extra={"path": "a\x1b]0;title\x07\x9b31m\u202eb"})
    for character in "\x07\x9b\u202e":
        assert character not in stream.getvalue()
    # The colours of a terminal are our own.
    assert "\x1b]" not in stream.getvalue()
