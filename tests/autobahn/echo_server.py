"""An echo on the very same WebSocket protocol class that serves `/api/ws`.

Started as a process of its own: `python echo_server.py [PORT]` prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import functools
import http
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import uvloop
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from missioncontrol.events import now, rfc3339
from missioncontrol.hub import HubFigures
from missioncontrol.protocol.messages import Heartbeat
from missioncontrol.server.heartbeat import Heartbeats
from missioncontrol.server.websocket import WebSocketProtocol


class Echo:
    """Sends back what it is told."""

    def __init__(self, wire: WebSocketProtocol) -> None:
        self.wire = wire

    def receive(self, text: bytes) -> None:
        self.wire.send_frame(text)

    def receive_binary(self, data: bytes) -> None:
        self.wire.send_frame(data, binary=True)

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(rfc3339(now()).decode(), "")

    def written(self) -> None: ...

    def blocked(self) -> None:
        self.wire.pause_reading()

    def unblocked(self) -> None:
        self.wire.resume_reading()

    def lost(self) -> None: ...


class EchoEndpoint:
    """Admits everybody."""

    max_size = 32 * 1024 * 1024

    @staticmethod
    def select_subprotocol(protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return None

    def admit(self, peer: str | None, request: Request) -> tuple[http.HTTPStatus, str] | None:
        return None

    def open(self, wire: WebSocketProtocol, request: Request) -> Echo:
        return Echo(wire)


async def main(port: int) -> None:
    heartbeats = Heartbeats(3600.0, HubFigures())
    state = SimpleNamespace(connections=set())
    protocol = functools.partial(WebSocketProtocol, EchoEndpoint(), heartbeats, server_state=state)
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
