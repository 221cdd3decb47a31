"""How uvicorn ends: what is asked for is answered, and what never ends is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from missioncontrol.app import MissionControl
from missioncontrol.app.http_server import HttpServer

pytestmark = pytest.mark.anyio


async def test_a_request_that_is_never_finished_does_not_hold_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drain = HttpServer.drain
    monkeypatch.setattr(HttpServer, "drain", lambda server, _: drain(server, 0.1))
    (tmp_path / "workspace").mkdir()
    control = MissionControl(workspace=tmp_path / "workspace", data=tmp_path / "data", port=0)
    await control.start()
    host, port = control.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n{")
    idle_reader, idle_writer = await asyncio.open_connection(host, int(port))
    idle_writer.write(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await idle_reader.readline()).startswith(b"HTTP/1.1 200")
    await asyncio.wait_for(control.stop(), 10)
    for one in (reader, idle_reader):
        await asyncio.wait_for(one.read(), 5)
    for each in (writer, idle_writer):
        each.close()
