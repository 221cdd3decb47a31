"""What is deep or of very many elements is refused at each door before it is decoded; long texts are read in slices."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from tests.server.site import Site

from missioncontrol.errors import BadEvent, BadMessage
from missioncontrol.events import decode_drafts, decode_long_drafts
from missioncontrol.events.event import LONG_BYTES
from missioncontrol.protocol.gaps import LogRange
from missioncontrol.protocol.session import Session

pytestmark = pytest.mark.anyio

DEEP = b'{"deep":' + b"[" * 100 + b"]" * 100 + b"}"
VERY_DEEP = b"[" * 1_000_000
MANY = b'{"many":[' + b"0," * 400_000 + b"0]}"
PATHS = [
    ("POST", "/api/tasks"),
    ("PUT", "/api/tasks/TASK-001"),
    ("POST", "/api/hooks/claude"),
    ("POST", "/mcp"),
]


@pytest.mark.parametrize(("method", "path"), [*PATHS, ("POST", "/api/events")])
@pytest.mark.parametrize("body", [DEEP, VERY_DEEP], ids=["deep", "very deep"])
async def test_a_deep_body_is_refused(client: httpx.AsyncClient, method: str, path: str, body: bytes) -> None:
    response = await client.request(method, path, content=body, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) in ((400, "too_deep"), (413, "too_large"))
    assert "levels" in response.json()["detail"] or "elements" in response.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [one for one in PATHS if "hooks" not in one[1]])
async def test_a_body_of_very_many_elements_is_refused(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    response = await client.request(method, path, content=MANY, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "too_large")
    assert "elements" in response.json()["detail"]


async def test_very_many_tiny_events_are_refused_whole(client: httpx.AsyncClient, site: Site) -> None:
    events = b'{"type":"custom:a"}\n' * 800_000
    assert (await client.post("/api/events", content=events)).status_code == 413
    assert (await client.post("/api/events", content=b"[" + b"{}," * 2_000_000 + b"{}]")).status_code == 413
    assert site.log.head == 0


@pytest.mark.parametrize("ndjson", [True, False])
async def test_a_long_text_of_events_is_read_in_slices(ndjson: bool) -> None:
    events = [{"type": "custom:step", "data": {"n": n, "text": "x" * 100}} for n in range(20_000)]
    body = b"\n".join(json.dumps(one).encode() for one in events) if ndjson else json.dumps(events).encode()
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(others())
    drafts = await decode_long_drafts(body)
    other.cancel()
    assert drafts == decode_drafts(body)
    assert turns >= len(body) // LONG_BYTES - 1


@pytest.mark.parametrize("ndjson", [True, False])
async def test_what_is_wrong_in_a_long_text_is_named_by_its_position(ndjson: bool) -> None:
    lines = [b'{"type":"custom:step","data":{"text":"%b"}}' % (b"x" * 100)] * 3_000
    for wrong, expected in ((b'{"type":5}', r"`\$\[2000\].type`"), (b"5", r"`\$\[2000\]`")):
        lines[2_000] = wrong
        body = b"\n".join(lines) if ndjson else b"[" + b",".join(lines) + b"]"
        with pytest.raises(BadEvent, match=expected):
            await decode_long_drafts(body)
    for broken in (body[:-3], b"[" + body, body.replace(b"5", b"\xff", 1)):
        with pytest.raises((BadEvent, BadMessage)):
            await decode_long_drafts(broken)


@pytest.mark.parametrize("text", [b'{"type":"publish","data":' + DEEP + b',"ref":7}', MANY])
async def test_a_message_over_the_websocket_is_refused(text: bytes) -> None:
    session = Session("ws_1", may_read=True, may_publish=True)
    (answer,) = session.receive(text, LogRange("e", 0, 1), max_history=10)
    assert answer.data.code in ("too_deep", "too_large")  # type: ignore[union-attr]


async def test_a_url_of_very_many_parameters_is_refused(client: httpx.AsyncClient) -> None:
    many = "&".join(["events=a"] * 5_000)
    response = await client.get(f"/api/events?{many}")
    assert response.status_code == 400
    assert "256 parameters" in response.json()["detail"]
    assert (await client.get(f"/api/events?events={'a,' * 10_000}")).status_code == 400
    assert (await client.get(f"/api/search?q={'a+' * 10_000}")).status_code == 400
