"""uvicorn, with the server's own protocols for HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
from time import monotonic
from typing import TYPE_CHECKING, Any

import uvicorn

from missioncontrol.app.telemetry_out import TelemetryOut
from missioncontrol.server.heartbeat import Heartbeats
from missioncontrol.server.http import create_app
from missioncontrol.server.http_protocol import HttpProtocol, WarningThrottle
from missioncontrol.server.live import LiveEndpoint
from missioncontrol.server.mcp.endpoint import McpEndpoint
from missioncontrol.server.service import Service
from missioncontrol.server.websocket import WebSocketProtocol

if TYPE_CHECKING:
    # NATS's library is large, and most fleets do without.
    pass


class HttpServer(uvicorn.Server):
    """uvicorn's server, begun and drained by `MissionControl`, which alone decides about signals."""

    def __init__(self, service: Service, heartbeats: Heartbeats, telemetry: TelemetryOut | None) -> None:
        protocol = functools.partial(WebSocketProtocol, LiveEndpoint(service), heartbeats)
        self._mcp = McpEndpoint(service)
        app: Any = create_app(service, self._mcp)
        super().__init__(
            uvicorn.Config(
                app if telemetry is None else telemetry.around(app),
                http=functools.partial(HttpProtocol, service.room, heartbeats, service.access.peers),  # type: ignore[arg-type]
                ws=protocol,  # type: ignore[arg-type]
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # Proxies are believed, or not, in one place for HTTP and the WebSocket.
                proxy_headers=False,
                backlog=service.room.backlog,
                timeout_keep_alive=75,
            )
        )
        self.config.load()
        uvicorn_log = logging.getLogger("uvicorn.error")
        if not any(isinstance(existing, WarningThrottle) for existing in uvicorn_log.filters):
            uvicorn_log.addFilter(WarningThrottle())
        self.lifespan = self.config.lifespan_class(self.config)

    async def begin(self, sockets: list[socket.socket]) -> None:
        """Accept connections on these listening sockets."""
        await self.startup(sockets=sockets)
        self._ticker = asyncio.create_task(self.main_loop())
        self._mcp.start()

    async def refuse_new(self) -> None:
        """Accept no more connections, and end the sessions of MCP."""
        for server in self.servers:
            server.close()
        await self._mcp.stop()

    async def drain(self, seconds: float) -> None:
        """Let connections end by themselves for so many seconds, and close the rest."""
        deadline = monotonic() + seconds
        while self.server_state.connections and monotonic() < deadline:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0.02)
        for connection in list(self.server_state.connections):
            # A request that was never finished ends as one whose client is gone.
            if isinstance(connection, HttpProtocol):
                connection.transport.abort()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=1.0)
        self.should_exit = self.force_exit = True
        await self._ticker
