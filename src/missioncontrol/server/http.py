"""The HTTP application: what is in front of every route, and all routes put together.

Order of things for a request: host, query, origin (all before anything else is looked at, on every path), then
routing, then the scope of the route, then its parameters, then its body.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast
from urllib.parse import unquote_plus

from litestar import Litestar, Router
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme
from litestar.plugins import PluginProtocol
from litestar.plugins.core import MsgspecDIPlugin
from litestar.types import (
    ASGIApp,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    HTTPScope,
    Message,
    Receive,
    Scope,
    Send,
)

from missioncontrol.errors import Misdirected, MissionControlError, UnsupportedMediaType
from missioncontrol.server.access import Access, Page, check_query_names
from missioncontrol.server.event_stream import PATH
from missioncontrol.server.forwarded import NOTHING_SAID, TrustedProxies
from missioncontrol.server.mcp.endpoint import ENDPOINT, McpEndpoint, mcp
from missioncontrol.server.mcp.endpoint import PATH as MCP_PATH
from missioncontrol.server.problems import answer_exception, methods_of, send_problem
from missioncontrol.server.responses import SERVICE, prepare, takes_gzip
from missioncontrol.server.routes import (
    activity,
    agents,
    dashboard,
    events,
    files,
    hooks,
    leads,
    ledger,
    notifications,
    opportunities,
    questions,
    reference,
    search,
    session,
    sessions,
    snapshot,
    standups,
    system,
    tasks,
    telemetry,
    tokens,
    transcripts,
)
from missioncontrol.server.segments import RestoreSlashes, keep_slashes
from missioncontrol.server.service import Service

COMPRESS_FROM_BYTES = 1400
"""About what one packet carries: below that, compressing saves nothing."""

COMPRESS_LEVEL = 4

COMPRESS_HERE_BELOW = 65_536
"""A larger body, such as the state of 10,000 tasks, is compressed in a thread."""

TELEMETRY_PATHS = "/v1/"

PREFLIGHT_SECONDS = 600

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"vary", b"origin"),
)
OWN_HEADERS = (*SECURITY_HEADERS, (b"cross-origin-resource-policy", b"same-origin"))
CLIENT_HEADERS = (*SECURITY_HEADERS, (b"cross-origin-resource-policy", b"cross-origin"))
"""Those of the browser client, which pages of other origins load as a script, and which holds nothing of the fleet."""

CLIENT_PATH = "/js/"

ROUTES: Sequence[Any] = (
    events.publish_events,
    events.poll_events,
    events.stream_events,
    events.newest_events,
    snapshot.snapshot,
    agents.list_agents,
    agents.get_agent,
    files.agent_files,
    *tasks.ROUTES,
    *questions.ROUTES,
    *standups.ROUTES,
    search.search_all,
    sessions.list_sessions,
    transcripts.read_transcript,
    *telemetry.ROUTES,
    *hooks.ROUTES,
    leads.list_leads,
    opportunities.list_opportunities,
    tokens.get_tokens,
    ledger.get_ledger,
    files.agent_files_since,
    files.file_activity,
    files.file_content,
    files.file_watch,
    files.refresh_files,
    activity.activity_log,
    notifications.list_notifications,
    notifications.try_notifications,
    system.system_status,
    system.list_connections,
    system.health,
    system.metrics,
    system.describe_websocket,
    *session.ROUTES,
    reference.openapi_document,
    reference.asyncapi_document,
    reference.docs_page,
    reference.docs_style,
    dashboard.dashboard,
    mcp,
)


class Shell:
    """Plain ASGI around the router.

    Host, origin, CORS, security headers, gzip, OPTIONS, and HEAD as a GET without its body.
    """

    def __init__(
        self, app: ASGIApp, allowed: Callable[[str], Sequence[str]], access: Access, proxies: TrustedProxies
    ) -> None:
        """Stand around `app`, whose paths take the methods that `allowed` says."""
        self._app = app
        self._allowed = allowed
        self._access = access
        self._proxies = proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it here."""
        http = keep_slashes(self._as_it_was_asked(cast("HTTPScope", scope)))
        headers = http["headers"]
        outgoing = _Outgoing(send, http)
        try:
            self._access.check_host(_host_of(headers))
            if http["query_string"]:
                check_query_names(_query_names(http["query_string"]))
            self._access.check_fetch_site(headers, cast("str", http["method"]), http["path"])
            page = outgoing.page = self._access.check_origin(headers, secure=http["scheme"] == "https")
            _check_packing(http["path"], headers)
        except MissionControlError as error:
            await send_problem(scope, outgoing, error)
            return
        if http["method"] == "OPTIONS" and page.foreign and _asks_first(headers):
            await _answer_preflight(outgoing)
            return
        if http["method"] == "OPTIONS" and http["path"] != MCP_PATH:
            # Each handler of a path knows its own methods alone.
            await _answer_options(outgoing, self._allowed(http["path"]))
            return
        if outgoing.head_only and http["path"] != PATH:
            # A copy, because the server itself goes by the method in its own.
            http = cast("HTTPScope", {**http, "method": "GET"})
        await self._app(cast("Scope", http), receive, outgoing)

    def _as_it_was_asked(self, http: HTTPScope) -> HTTPScope:
        """Return the request as it was before a trusted proxy passed it on."""
        client = http.get("client")
        said = self._proxies.read(client[0] if client else None, http["headers"])
        if said == NOTHING_SAID:
            return http
        headers = http["headers"]
        if said.host is not None:
            headers = [(name, value) for name, value in headers if name != b"host"]
            headers.append((b"host", said.host.encode("latin-1", "replace")))
        changed = {
            "headers": headers,
            "client": client if said.address is None else (said.address, 0),
            "scheme": said.scheme if said.scheme in ("http", "https") else http["scheme"],
        }
        return cast("HTTPScope", {**http, **changed})


class _Outgoing:
    """What every answer passes on its way out.

    Only an answer that says how long it is can be compressed: it comes in one piece, and a stream never does.
    """

    __slots__ = ("_headers", "_held", "_packs", "_send", "head_only", "page")

    def __init__(self, send: Send, scope: HTTPScope) -> None:
        self.page: Page | None = None
        self.head_only = cast("str", scope["method"]) == "HEAD"
        self._send = send
        self._held: HTTPResponseStartEvent | None = None
        self._packs = _accepts_gzip(scope["headers"])
        self._headers = CLIENT_HEADERS if scope["path"].startswith(CLIENT_PATH) else OWN_HEADERS

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *self._headers]
            if self.page is not None and self.page.foreign and self.page.origin is not None:
                headers += _cors_headers(self.page)
            message["headers"] = headers
            if self._packs and _worth_packing(headers):
                self._held = message
                return
        elif message["type"] == "http.response.body":
            start, self._held = self._held, None
            if start is not None:
                if not message.get("more_body"):
                    await _pack(start, message)
                await self._send(start)
            if self.head_only:
                message["body"] = b""
        await self._send(message)


def create_app(service: Service, endpoint: McpEndpoint | None = None) -> Litestar:
    """Put the HTTP application together.

    Args:
        service: the running parts; the application holds no others.
        endpoint: what answers at `/mcp`, where somebody else starts and stops it.
    """
    app = _Application(
        route_handlers=list(ROUTES),
        # Not a guard: for those Litestar copies the handler with every request.
        before_request=prepare,
        middleware=[RestoreSlashes],
        exception_handlers={
            Exception: answer_exception,
            HTTPException: answer_exception,
            MissionControlError: answer_exception,
        },
        openapi_config=_openapi_config(service),
        logging_config=None,
        debug=False,
        pdb_on_exception=False,
        state=State(
            {
                SERVICE: service,
                ENDPOINT: endpoint or McpEndpoint(service),
                events.POLLS: events.Polls(service.room.max_clients),
                opportunities.LAST_READ: opportunities.LastRead(),
                snapshot.REWINDS: snapshot.make_rewinds(),
                dashboard.ASSETS: dashboard.load_assets(),
                reference.MAKING: asyncio.Lock(),
            },
            deep_copy=False,
        ),
    )
    # Around the router, and not a middleware of routes: a path that has no route is checked like any other.
    app.asgi_handler = Shell(app.asgi_handler, partial(methods_of, app), service.access, service.proxies)
    return app


class _Application(Litestar):
    """Litestar for msgspec alone: it would load pydantic, whose types nobody here uses, wherever that is installed."""

    @staticmethod
    def _get_default_plugins(plugins: list[PluginProtocol]) -> list[PluginProtocol]:
        return [*plugins, MsgspecDIPlugin()]


class _NoRoutes(Router):
    """Takes the pages that Litestar would add for its document, and drops them: ours is served by `reference`."""

    def register(self, value: Any) -> list[Any]:
        return []


def _openapi_config(service: Service) -> OpenAPIConfig:
    components = Components()
    if service.access.token_required:
        components.security_schemes = {
            "bearer": SecurityScheme(type="http", scheme="bearer", description="A token of the settings."),
            "session": SecurityScheme(
                type="apiKey",
                security_scheme_in="header",
                name="X-Session-Key",
                description="The key of a browser session, with the cookie that came with it.",
            ),
        }
    return OpenAPIConfig(
        title="Mission Control",
        version=system.VERSION,
        description=(
            "One durable event log of a fleet of AI agents, live to every client. "
            "The WebSocket is described at /api/asyncapi.json."
        ),
        license=License(name="MIT", identifier="MIT"),
        use_handler_docstrings=True,
        components=components,
        security=[{"bearer": []}, {"session": []}] if service.access.token_required else None,
        openapi_router=_NoRoutes("/api/openapi", route_handlers=[], include_in_schema=False),
    )


def _host_of(headers: Sequence[tuple[bytes, bytes]] | Any) -> str | None:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        raise Misdirected("The request names more than one host.")
    return hosts[0].decode("latin-1") if hosts else None


def _query_names(query: bytes) -> Iterator[str]:
    """Read the names of a query (not its values), as `parse_qsl` does."""
    return (unquote_plus(part.partition(b"=")[0].decode("latin-1")) for part in query.split(b"&"))


def _asks_first(headers: Any) -> bool:
    return any(name == b"access-control-request-method" for name, _ in headers)


def _check_packing(path: str, headers: Any) -> None:
    """Refuse what would otherwise be taken for broken JSON; OTLP alone may come packed.

    Raises:
        UnsupportedMediaType: the body is packed.
    """
    if path.startswith(TELEMETRY_PATHS):
        return
    for name, value in headers:
        if name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise UnsupportedMediaType(
                f"Bodies are taken as they are here, not with the Content-Encoding "
                f"{value.decode('latin-1')[:40]!r}; send it plain."
            )


def _accepts_gzip(headers: Any) -> bool:
    return any(name == b"accept-encoding" and takes_gzip(value.decode("latin-1")) for name, value in headers)


def _worth_packing(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    given = dict(headers)
    media_type = given.get(b"content-type", b"")
    return (
        int(given.get(b"content-length", 0)) >= COMPRESS_FROM_BYTES
        and b"content-encoding" not in given
        and (media_type.startswith(b"text/") or b"json" in media_type)
    )


async def _pack(start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> None:
    body = message["body"]
    if len(body) < COMPRESS_HERE_BELOW:
        body = _gzip(body)
    else:
        # zlib lets go of Python's lock: the loop goes on meanwhile, on whichever core is free.
        body = await asyncio.to_thread(_gzip, body)
    message["body"] = body
    kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
    start["headers"] = [
        *kept,
        (b"content-length", str(len(body)).encode()),
        (b"content-encoding", b"gzip"),
        (b"vary", b"accept-encoding"),
    ]


def _cors_headers(page: Page) -> list[tuple[bytes, bytes]]:
    """Say that this page, and no other one, may read the answer (Fetch standard, section 3.3)."""
    headers = [
        (b"access-control-allow-origin", (page.origin or "").encode("latin-1")),
        (
            b"access-control-expose-headers",
            b"retry-after, etag, link, x-total-count, x-cursor, mcp-session-id",
        ),
    ]
    if page.trusted or page.named:
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, COMPRESS_LEVEL, mtime=0)


async def _answer_options(send: Send, methods: Sequence[str]) -> None:
    allow = (b"allow", ", ".join(methods).encode())
    await send({"type": "http.response.start", "status": 204, "headers": [allow]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _answer_preflight(send: Send) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": 204,
            "headers": [
                (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE"),
                (
                    b"access-control-allow-headers",
                    b"authorization, content-type, idempotency-key, if-match, last-event-id, mcp-session-id, "
                    b"mcp-protocol-version, mcp-method, mcp-name, traceparent, tracestate, x-agent, "
                    b"x-session-key, x-session",
                ),
                (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": False})
