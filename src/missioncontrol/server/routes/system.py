"""The server itself: is it well, who is connected, what does it count."""

from __future__ import annotations

from importlib.metadata import version
from time import monotonic
from typing import Any

import msgspec
from litestar import MediaType, Response, get
from litestar.openapi import ResponseSpec
from prometheus_client.exposition import choose_encoder

from missioncontrol.errors import Forbidden, Unauthorized
from missioncontrol.events import CATALOGUE, now, rfc3339
from missioncontrol.events.decoding import decode_json
from missioncontrol.events.reduced import reduced_system
from missioncontrol.fleet.host import HostFigures
from missioncontrol.protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from missioncontrol.server.access import SUBPROTOCOL
from missioncontrol.server.metrics import collect_json, make_registry
from missioncontrol.server.responses import (
    OPTIONAL_TOKEN,
    PUBLIC,
    AnyRequest,
    Limit,
    answer,
    documented,
    identify,
    service_of,
)
from missioncontrol.server.routes.files import FileWatch, file_watcher
from missioncontrol.server.service import Service

VERSION = version("mission-control")
UNWELL_SECONDS = 2
"""When to ask again of a server that is not well: most troubles are seen, or over, within seconds."""


class DescriptorCount(msgspec.Struct, rename="camel"):
    """File descriptors of the server's process, and the connections among them; `limit` is null where there is none."""

    used: int
    limit: int | None
    connections: int
    max_connections: int


class Health(msgspec.Struct, omit_defaults=True, rename="camel"):
    """Whether the server is well; `uptime` in seconds. A request without the token it needs sees the first two only.

    `status` is `ok`, `failing` (with the `reason`), or `draining`. `wsClients` are those of this node; `cluster` has
    the engine, the nodes with the clients of each, their sum, and the hosts.
    """

    status: str
    timestamp: str
    reason: str | None = None
    ws_clients: int | None = None
    uptime: float | None = None
    simulation: bool | None = None
    services: dict[str, Any] | None = None
    cluster: dict[str, Any] | None = None
    descriptors: DescriptorCount | None = None


class GatewaySystem(msgspec.Struct, rename="camel"):
    """The gateway as Sentry reports it; `gatewayStatus` is `unknown` without a report."""

    gateway_status: str
    gateway_pid: Any
    last_check: str | None
    uptime: Any


class SystemStatusPage(msgspec.Struct, rename="camel"):
    """The gateway and the newest alerts, the queue, this machine, and the server with its log; `uptime` in seconds.

    `system`, `sessions`, `agents` and `alerts` are those of Sentry's last report, where there is one: the newest alerts
    of the fleet are in the snapshot. Whether the gateway runs is its own word, where it can be asked. `fileWatcher` is
    the answer of `/api/files/watch`.

    `host` has percent used of disks and memory, and load per CPU; null before it was looked at. `cluster` has the
    engine, the nodes and the hosts; null where this server is alone.
    """

    system: GatewaySystem
    sessions: dict[str, Any]
    agents: dict[str, Any]
    alerts: list[dict[str, Any]]
    file_watcher: FileWatch
    gateway: dict[str, Any] | None
    task_queue: dict[str, Any]
    host: HostFigures | None
    server: dict[str, Any]
    log: dict[str, Any]
    sources: dict[str, Any]
    cluster: dict[str, Any] | None
    simulation: bool
    cursor: str


class ConnectionList(msgspec.Struct):
    """Who is connected, the oldest connection first; `count` is of all."""

    connections: list[dict[str, Any]]
    count: int


class WebSocketPage(msgspec.Struct, rename="camel"):
    """What the WebSocket is, for whoever comes by plain HTTP."""

    message: str
    url: str
    subprotocol: str
    events: list[str]
    client_messages: list[str]
    server_messages: list[str]
    documentation: str


def find_trouble(service: Service) -> str | None:
    """Say in a sentence why the server is not well; None when it is."""
    if service.log.trouble is not None:
        return service.log.trouble
    for step in service.pipeline():
        if step.status == "failed":
            return f"The step {step.name!r} of the commit pipeline has failed: {step.error}"
    for name, health in msgspec.to_builtins(service.sources()).items():
        if health.get("status") == "failed":
            return f"The source {name!r} has failed: {health.get('error') or 'no reason was given'}."
        if health.get("status") == "stalled":
            return f"The source {name!r} hangs: {health.get('error')}."
    for name, task in service.background.health().items():
        if task.status == "failed":
            return f"The background task {name!r} has failed and is tried again: {task.error}."
    return None


@get(
    ["/health", "/api/health"],
    opt={"scope": PUBLIC},
    security=OPTIONAL_TOKEN,
    responses={
        **documented(Health),
        503: ResponseSpec(Health, generate_examples=False, description="It is not well; `reason` says why."),
    },
    tags=["system"],
    summary="Whether the server is well",
)
async def health(request: AnyRequest) -> Response[bytes]:
    """Say whether the server is well: 200 when it is, 503 with the reason when it is not."""
    service = service_of(request)
    trouble = find_trouble(service)
    status = "draining" if service.draining else "failing" if trouble is not None else "ok"
    page = Health(status=status, timestamp=rfc3339(now()).decode())
    if _may_read(request):
        page.reason = "The server is about to stop." if service.draining else trouble
        page.ws_clients = service.hub.clients
        page.uptime = round(monotonic() - service.started, 3)
        page.simulation = service.simulation
        page.services = {
            "log": {
                "status": "ok" if service.log.trouble is None else "failed",
                "error": service.log.trouble,
            },
            "fileWatcher": _runs(service, "files"),
            "taskQueue": _runs(service, "tasks"),
            **msgspec.to_builtins(service.sources()),
            **msgspec.to_builtins(service.background.health()),
            "pipeline": _pipeline(service),
        }
        page.cluster = service.cluster() if service.cluster is not None else None
        count, room = service.descriptors, service.room
        page.descriptors = DescriptorCount(count.used, count.limit, room.open, room.limit)
    if status == "ok":
        return answer(msgspec.json.encode(page))
    return answer(msgspec.json.encode(page), status=503, headers={"retry-after": str(UNWELL_SECONDS)})


def _pipeline(service: Service) -> dict[str, Any]:
    steps = service.pipeline()
    broken = next((step for step in steps if step.status == "failed"), None)
    return {
        "status": "ok" if broken is None else "failed",
        "error": None if broken is None else broken.error,
        "steps": [msgspec.to_builtins(step) for step in steps],
    }


def _runs(service: Service, source: str) -> bool:
    return bool(msgspec.to_builtins(service.sources()).get(source, {}).get("status") == "running")


def _may_read(request: AnyRequest) -> bool:
    try:
        identify(request).require("read")
    except (Unauthorized, Forbidden):
        return False
    return True


@get(
    "/api/system/status",
    responses=documented(SystemStatusPage),
    tags=["system"],
    summary="The gateway, the server and its log",
)
async def system_status(request: AnyRequest) -> Response[bytes]:
    """Return the gateway's status and the newest alerts as the state knows them, and how the server is doing."""
    service = service_of(request)
    await service.tasks.fresh()
    log = service.log
    system = decode_json(service.state.part("system"))
    if not identify(request).may("read"):
        system = reduced_system(system)
    gateway: dict[str, Any] = system["gateway"] or {}
    sentry = service.sentry()
    # Sentry's report is here as it is now; in the log is when the status changed. Of another host only that is known.
    report = _object(gateway.get("details")) if sentry is None else sentry.details
    page = SystemStatusPage(
        system=GatewaySystem(
            gateway.get("status") or "unknown",
            report.get("gatewayPid"),
            gateway.get("updated") if sentry is None else sentry.last_check,
            report.get("uptime"),
        ),
        sessions={
            "total": 0,
            "active": 0,
            "failed": 0,
            "mainSession": None,
            **_object(report.get("sessions")),
        },
        agents={"deployed": [], "pending": [], **_object(report.get("agents"))},
        alerts=system["alerts"] if sentry is None else list(sentry.listed),
        file_watcher=await file_watcher(service),
        gateway=system["gateway"],
        task_queue=service.tasks.summary(),
        host=service.host(),
        server={
            "version": VERSION,
            "uptime": round(monotonic() - service.started, 3),
            "clients": service.hub.clients,
            "maxClients": service.config.server.max_clients,
            "draining": service.draining,
            "workspace": str(service.workspace),
        },
        log={"epoch": log.epoch, "first": log.first, "head": log.head, "trouble": log.trouble},
        sources=msgspec.to_builtins(service.sources()),
        cluster=service.cluster() if service.cluster is not None else None,
        simulation=service.simulation,
        cursor=f"{log.epoch}:{service.state.id}",
    )
    return answer(msgspec.json.encode(page))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


@get(
    "/api/system/connections",
    opt={"scope": "admin"},
    responses=documented(ConnectionList),
    tags=["system"],
    summary="Who is connected",
)
async def list_connections(request: AnyRequest, limit: Limit = 100) -> Response[bytes]:
    """Return who is connected over WebSocket and stream, and where each one stands."""
    connections = service_of(request).hub.connections()
    connections.sort(key=lambda connection: -connection.get("connectedSeconds", 0.0))
    return answer(msgspec.json.encode(ConnectionList(connections[:limit], len(connections))))


@get(
    "/metrics",
    responses=documented(
        str, media_type=MediaType.TEXT, description="Prometheus text, or JSON where that is asked for."
    ),
    tags=["system"],
    summary="What the server counts",
)
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Return the figures for Prometheus, or as JSON for `Accept: application/json`."""
    service = service_of(request)
    accept = request.headers.get("accept", "")
    if "application/json" in accept:
        return answer(msgspec.json.encode(collect_json(service)))
    encode, content_type = choose_encoder(accept)
    return Response(
        encode(make_registry(service)), headers={"content-type": content_type, "cache-control": "no-store"}
    )


@get(
    "/api/ws",
    responses=documented(WebSocketPage),
    tags=["events"],
    summary="What the WebSocket is",
)
async def describe_websocket(request: AnyRequest) -> Response[bytes]:
    """Say what is here, to a request that does not ask for an upgrade."""
    return answer(
        msgspec.json.encode(
            WebSocketPage(
                message="This is a WebSocket: connect with a WebSocket client.",
                url="/api/ws?events=agent:*,task:completed&since=EPOCH:ID&snapshot=1",
                subprotocol=SUBPROTOCOL,
                events=sorted(CATALOGUE),
                client_messages=[str(message.__struct_config__.tag) for message in CLIENT_MESSAGES],
                server_messages=list(SERVER_MESSAGES),
                documentation="/api/docs",
            )
        )
    )
