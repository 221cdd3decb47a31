"""Notifications over HTTP; what is sent for real is tested next to the notifier."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.server.site import ADMIN, READER, Site, check_problem

from missioncontrol.config import NotifyConfig
from missioncontrol.events import Draft
from missioncontrol.notify import Notifier, prepare

pytestmark = pytest.mark.anyio

SENT: dict[str, Any] = {
    "rule": "default",
    "destination": "json://localhost",
    "title": "Critical alert",
    "body": "The disk is full.",
    "count": 1,
    "eventIds": [1],
    "attempts": 1,
}


async def test_without_rules_there_is_the_log_and_nothing_to_try(
    site: Site, client: httpx.AsyncClient
) -> None:
    page = (await client.get("/api/notifications")).json()
    assert page["notifications"] == page["rules"] == page["destinations"] == []
    assert page["active"] is False
    client.headers["authorization"] = f"Bearer {site.owner}"
    check_problem(await client.post("/api/notifications/test"), 409, "conflict")


async def test_the_newest_come_first_and_no_more_than_was_asked_for(
    site: Site, client: httpx.AsyncClient
) -> None:
    for number in range(5):
        await site.log.append([Draft("notification:sent", {**SENT, "count": number}, None, "notify")])
        await site.tell("custom:event")
    await site.log.append([Draft("notification:failed", {**SENT, "error": "error=500"}, None, "notify")])
    found = (await client.get("/api/notifications?limit=3")).json()["notifications"]
    assert [one["type"] for one in found] == ["notification:failed", "notification:sent", "notification:sent"]
    assert [one["data"]["count"] for one in found[1:]] == [4, 3]
    assert len((await client.get("/api/notifications?limit=501")).json()["notifications"]) == 6
    assert (await client.get("/api/notifications?limit=x")).status_code == 400


async def test_rules_and_destinations_are_shown_and_a_rule_that_is_not_there_is_not_found(
    site: Site, client: httpx.AsyncClient
) -> None:
    routes = await prepare(NotifyConfig(urls=["json://me:pa55w0rd@localhost:1/s3cr3t"]))
    assert routes is not None
    site.service.notifier = Notifier(site.log, routes)
    site.log.listen(site.service.notifier.committed)
    answer = await client.get("/api/notifications")
    page = answer.json()
    assert page["rules"][0]["name"] == "default"
    assert page["destinations"][0] == {
        "destination": "json://me:****@localhost:1/...",
        "rules": ["default"],
        "status": "working",
        "queued": 0,
    }
    assert "pa55w0rd" not in answer.text
    assert "s3cr3t" not in answer.text
    client.headers["authorization"] = f"Bearer {site.owner}"
    check_problem(await client.post("/api/notifications/test", json={"rule": "nobody"}), 404, "not_found")
    for wrong in ([1], {"rule": 1}):
        check_problem(await client.post("/api/notifications/test", json=wrong), 400, "bad_message")
    metrics = (await client.get("/metrics")).text
    assert (
        'mission_control_notification_destination_up{destination="json://me:****@localhost:1/..."} 1.0'
        in metrics
    )


async def test_only_an_admin_may_send_a_test(guarded: Site) -> None:
    async with guarded.client(READER) as reader:
        assert (await reader.get("/api/notifications")).status_code == 200
        check_problem(await reader.post("/api/notifications/test"), 403, "forbidden")
    async with guarded.client(ADMIN) as admin:
        check_problem(await admin.post("/api/notifications/test"), 409, "conflict")
