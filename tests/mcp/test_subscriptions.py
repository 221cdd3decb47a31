"""A change that cannot be published holds up none of those that follow."""

from __future__ import annotations

import asyncio

import pytest

from missioncontrol.server.mcp import subscriptions
from missioncontrol.server.mcp.subscriptions import Subscriptions
from tests.server.site import Site

pytestmark = pytest.mark.anyio

AGENT = "mission-control://agents/scout"


async def test_publishing_goes_on_after_it_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriptions, "FLUSH_SECONDS", 0.01)
    site = Site()
    tried: asyncio.Queue[str] = asyncio.Queue()

    async def publish(uri: str) -> None:
        tried.put_nowait(uri)
        if tried.qsize() == 1:
            raise RuntimeError("the bus is closed")

    subscribed = Subscriptions(site.service, publish)
    with subscribed.listening([AGENT]):
        async with asyncio.timeout(10):
            for number in range(3):
                await site.tell("agent:statusChange", agentId="scout", status=f"status {number}")
                while tried.qsize() <= number:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
    assert tried.qsize() == 3
    await subscribed.stop()
