"""Text in which secrets are searched for at great length is worked on in threads: the event loop goes on."""

from __future__ import annotations

import pytest
from tests.server.site import Site

pytestmark = pytest.mark.anyio

HOSTILE = "pwd=pwd="


@pytest.fixture
async def site(anyio_backend: str) -> Site:
    return Site()


async def test_sentences_of_hostile_events_do_not_hold_the_loop(site: Site) -> None:
    for number in range(20):
        await site.tell("system:alert", level="info", message=f"{HOSTILE * 600}{number}")
    async with site.client() as client:
        answer = await client.get("/api/logs/activity?limit=20&events=system:alert")
    assert len(answer.json()["logs"]) == 20


async def test_the_review_of_a_hostile_question_does_not_hold_the_loop(site: Site) -> None:
    async with site.client() as client:
        asked = await client.post(
            "/api/questions",
            json={"text": "Go on?", "options": ["yes", "no"], "details": {"x": HOSTILE * 7_500}},
        )
        assert asked.status_code == 201, asked.text
        for _ in range(3):
            read = await client.get(f"/api/questions/{asked.json()['id']}")
            assert read.json()["digest"] == asked.json()["digest"]
