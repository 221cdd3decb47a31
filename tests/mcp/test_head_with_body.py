"""The head of an answer goes out along with the first part of its body, or after a moment alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from missioncontrol.server.mcp import endpoint
from missioncontrol.server.mcp.endpoint import HeadWithBody
from tests.process.server_probe import eventually

pytestmark = pytest.mark.anyio

HEAD: Any = {"type": "http.response.start", "status": 200, "headers": []}
BODY: Any = {"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True}


class Sent:
    """What was sent, in its order."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)


async def test_a_head_waits_for_the_first_part_of_its_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "HEAD_SECONDS", 60.0)
    sent = Sent()
    together = HeadWithBody(sent)
    await together(HEAD)
    assert sent.messages == []
    await together(BODY)
    await together(BODY)
    await together.release()
    assert sent.messages == [HEAD, BODY, BODY]


async def test_a_head_whose_body_is_late_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "HEAD_SECONDS", 0.01)
    sent = Sent()
    together = HeadWithBody(sent)
    await together(HEAD)

    async def there() -> bool:
        return sent.messages == [HEAD]

    await eventually(there)
    await together(BODY)
    assert sent.messages == [HEAD, BODY]


async def test_a_body_waits_for_a_head_that_is_being_sent_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "HEAD_SECONDS", 0.0)
    sent, begun, room = Sent(), asyncio.Event(), asyncio.Event()

    async def send_slowly(message: Any) -> None:
        begun.set()
        await room.wait()
        await sent(message)

    together = HeadWithBody(send_slowly)
    await together(HEAD)
    await begun.wait()
    body = asyncio.create_task(together(BODY))
    await asyncio.sleep(0)
    assert sent.messages == []
    room.set()
    await body
    assert sent.messages == [HEAD, BODY]


async def test_a_head_without_a_body_is_sent_at_the_end() -> None:
    sent = Sent()
    together = HeadWithBody(sent)
    await together(HEAD)
    await together.release()
    assert sent.messages == [HEAD]
