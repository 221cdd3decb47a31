"""Hooks over HTTP where things are not as they should be: Claude goes on, and what was not kept is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from tests.runtimes.hooks.payloads import SESSION, body, payload
from tests.server.site import PUBLISHER, READER, TOKENS, Site, check_problem, until

from missioncontrol.errors import Unavailable
from missioncontrol.fleet import hooks as desk
from missioncontrol.runtimes.records import Record

pytestmark = pytest.mark.anyio

PATH = "/api/hooks/claude"


def keep(site: Site) -> list[Record]:
    """Have reports taken as if the ledger were kept; returns where they go."""
    kept: list[Record] = []

    async def report(records: Sequence[Record]) -> None:
        kept.extend(records)

    site.service.tokens.report = report  # type: ignore[method-assign]
    return kept


async def test_a_hook_is_kept_before_it_is_answered() -> None:
    site = Site()
    kept = keep(site)
    async with site.client() as client:
        response = await client.post(PATH, content=body("PreToolUse"))
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers
    assert len(kept) == 3


async def test_while_nothing_can_be_kept_it_says_so_and_counts_what_is_lost() -> None:
    site = Site()
    site.log.trouble = "The disk is full."
    async with site.client() as client:
        problem = check_problem(await client.post(PATH, content=body("PreToolUse")), 503, "unavailable")
        assert "The disk is full." in problem["detail"]
        site.log.trouble = None
        site.service.draining = True
        check_problem(await client.post(PATH, content=body("PreToolUse")), 503, "unavailable")
        site.service.draining = False
        # Nobody keeps the ledger in this site.
        check_problem(await client.post(PATH, content=body("PreToolUse")), 503, "unavailable")
        counted = (await client.get("/api/hooks")).json()["claude"]
    assert (counted["lost"], counted["events"]) == (3, {"PreToolUse": 3})


async def test_a_book_that_is_slow_does_not_make_claude_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "PATIENCE_SECONDS", 0.01)
    site = Site()
    go_on = asyncio.Event()

    async def report(records: Sequence[Record]) -> None:
        await go_on.wait()
        raise Unavailable("Not now.")

    site.service.tokens.report = report  # type: ignore[method-assign]
    async with site.client() as client:
        assert (await client.post(PATH, content=body("PreToolUse"))).status_code == 204
        assert (await client.get("/api/hooks")).json()["claude"]["late"] == 1
        go_on.set()
        await until(lambda: site.service.hooks.counts["claude"].lost == 1)


async def test_a_permission_that_cannot_be_asked_here_is_asked_in_the_terminal() -> None:
    site = Site()
    keep(site)
    site.service.questions.release()
    async with site.client() as client:
        assert (await client.post(f"{PATH}?answer=1", content=body("PermissionRequest"))).status_code == 204
        assert (await client.get("/api/hooks")).json()["claude"]["lost"] == 1


async def test_what_is_no_hook_is_refused() -> None:
    async with Site().client() as client:
        for broken in (b"", b"{", b"[]", b"{}"):
            check_problem(await client.post(PATH, content=broken), 400, "bad_message")
        assert (await client.get("/api/hooks")).json()["claude"]["events"] == {}


async def test_a_hook_of_a_runtime_without_hooks_is_refused_by_name() -> None:
    async with Site().client() as client:
        problem = check_problem(await client.post("/api/hooks/nemo", content=body("Stop")), 404, "not_found")
    assert "'nemo'" in problem["detail"]
    assert "claude" in problem["detail"]


async def test_it_takes_a_token_that_may_publish() -> None:
    site = Site(tokens=TOKENS)
    keep(site)
    async with site.client() as client:
        check_problem(await client.post(PATH, content=body("Stop")), 401, "unauthorized")
    async with site.client(READER) as client:
        check_problem(await client.post(PATH, content=body("Stop")), 403, "forbidden")
    async with site.client(PUBLISHER) as client:
        assert (await client.post(PATH, content=body("Stop"))).status_code == 204


async def test_names_of_events_that_nobody_knows_are_counted_up_to_a_limit() -> None:
    site = Site()
    keep(site)
    async with site.client() as client:
        for number in range(desk.MAX_UNKNOWN + 5):
            assert (await client.post(PATH, json=payload(f"New{number}"))).status_code == 204
        unknown = (await client.get("/api/hooks")).json()["claude"]["unknown"]
    assert len(unknown) == desk.MAX_UNKNOWN + 1
    assert unknown[desk.OTHERS] == 5


async def test_sub_agents_questions_end_with_the_session() -> None:
    site = Site()
    keep(site)
    async with site.client() as client:
        await client.post(PATH, json=payload("PermissionRequest", agent_id="def456"))
        await client.post(PATH, json=payload("Stop"))
        (question,) = site.service.questions.listed("open")
        assert question["details"]["session"] == "agent-def456"
        assert question["details"]["parent"] == SESSION
        await client.post(PATH, json=payload("SessionEnd"))
        assert site.service.questions.listed("open") == []
