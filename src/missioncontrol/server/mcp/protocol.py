"""The protocol itself, by its official library: what clients ask is handed to the tools and resources.

The one module that imports `mcp`. Both of its eras are served: sessions with a handshake (until 2025-11-25), and single
requests (2026-07-28).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    EmptyResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    TextContent,
    TextResourceContents,
    Tool,
    ToolAnnotations,
    UnsubscribeRequestParams,
)

from missioncontrol.errors import InputError, MissionControlError, Overloaded
from missioncontrol.events.reduced import reduced_agent
from missioncontrol.server.access import Caller
from missioncontrol.server.mcp import resources
from missioncontrol.server.mcp.endpoint import CALL, MAX_BODY_BYTES
from missioncontrol.server.mcp.sessions import Sessions
from missioncontrol.server.mcp.subscriptions import Subscriptions
from missioncontrol.server.mcp.tool import Call, schema_of
from missioncontrol.server.mcp.tools import TOOLS
from missioncontrol.server.problems import INTERNAL_DETAIL
from missioncontrol.server.responses import JSON, ids_of
from missioncontrol.server.routes.system import VERSION
from missioncontrol.server.service import Service

FAREWELL_SECONDS = 1.0
"""How long answers may take that are under way when the server stops."""

INSTRUCTIONS = """\
Mission Control shows people what the agents of their fleet do, and gives agents a common queue of tasks.
Begin with report_status. claim_task gives you something to do that nobody else does; say how it goes with update_task,
and end it with complete_task. What only a person can decide, ask with ask_person."""

Context = ServerRequestContext[Any, Any]

# It tells of each session, with its id, which nobody else should know.
logging.getLogger("mcp").setLevel(logging.WARNING)
logger = logging.getLogger(__name__)


class Protocol:
    """The library's server over the running parts."""

    def __init__(self, service: Service, sessions: Sessions) -> None:
        self._service = service
        self._sessions = sessions
        self._closing = asyncio.Event()
        self._answering = 0
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        self._subscriptions = Subscriptions(service, self._publish)
        sessions.ended = self._subscriptions.end
        schemas = {name: schema_of(tool.arguments) for name, tool in TOOLS.items()}
        server: Server[Any] = Server(
            "mission-control",
            version=VERSION,
            title="Mission Control",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=schemas.get,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_list_resources=self._list_resources,
            on_list_resource_templates=self._list_templates,
            on_read_resource=self._read_resource,
            on_subscribe_resource=self._subscribe,
            on_unsubscribe_resource=self._unsubscribe,
            on_subscriptions_listen=self._on_listen,
            on_completion=self._complete,
        )
        settings = service.config.mcp
        self._manager = StreamableHTTPSessionManager(
            server,
            max_request_body_size=MAX_BODY_BYTES,
            session_idle_timeout=settings.session_idle,
            max_sessions=settings.max_sessions,
        )
        self._tools = {
            name: Tool(
                name=name,
                title=tool.title,
                description=tool.description,
                input_schema=schemas[name],
                output_schema=schema_of(tool.result),
                annotations=ToolAnnotations(
                    read_only_hint=tool.read_only,
                    destructive_hint=False,
                    idempotent_hint=tool.idempotent,
                    open_world_hint=name == "ask_person",
                ),
            )
            for name, tool in TOOLS.items()
        }

    async def start(self) -> None:
        """Let the library run its sessions, in a task of their own."""
        started = asyncio.Event()
        self._stopped = asyncio.Event()
        self._running = asyncio.create_task(self._run(started))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({self._running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not started.is_set():
            # It has failed: whoever asks is told so, and the next request begins again.
            waiting.cancel()
            self._running.result()

    @property
    def ended(self) -> bool:
        """Whether the library runs its sessions no more: it has failed, and another `Protocol` is needed."""
        return self._running.done()

    async def _run(self, started: asyncio.Event) -> None:
        try:
            async with self._manager.run():
                started.set()
                await self._stopped.wait()
        except Exception as error:
            logger.exception("mcp.protocol_failed")
            self._service.background.report("mcp", error)
            raise
        self._service.background.report("mcp", None)

    async def stop(self) -> None:
        """Let calls that wait come to an end, then end all sessions and streams."""
        self._closing.set()
        self._listen.close()
        deadline = asyncio.get_running_loop().time() + FAREWELL_SECONDS
        while self._answering and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - seldom, and short
            await asyncio.sleep(0.01)
        await self._subscriptions.stop()
        self._stopped.set()
        await asyncio.wait({self._running}, timeout=FAREWELL_SECONDS)
        self._running.cancel()

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request.

        Raises:
            Overloaded: as many are being answered as there may be clients.
        """
        answering = scope["method"] == "POST"
        if self._answering >= self._service.config.server.max_clients:
            raise Overloaded("As many calls are being answered as are allowed; call again in a moment.")
        self._answering += answering
        try:
            await self._manager.handle_request(scope, receive, send)
        finally:
            self._answering -= answering

    @staticmethod
    def user_of(caller: Caller) -> AuthenticatedUser | None:
        """Return who a session belongs to, for the library: it is open to the token that began it alone."""
        if caller.name is None:
            return None
        return AuthenticatedUser(AccessToken(token="", client_id=caller.name, scopes=[]))

    # What clients ask.

    async def _list_tools(self, context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
        caller = _caller(context)
        return ListToolsResult(
            tools=[self._tools[name] for name, tool in TOOLS.items() if caller.may(tool.scope)]
        )

    async def _call_tool(self, context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            raise MCPError(
                INVALID_PARAMS, f"There is no tool {params.name[:100]!r}; tools/list has those there are."
            )
        caller, key, named = _scope(context)[CALL]
        client = context.session.client_params
        call = Call(
            service=self._service,
            caller=caller,
            sessions=self._sessions,
            session=key,
            closing=self._closing,
            progress=context.session.report_progress,
            named=named,
            client=None if client is None else client.client_info.name,
        )
        try:
            result = await tool(call, params.arguments or {})
        except MissionControlError as error:
            return _failed(str(error))
        except Exception:
            logger.exception("mcp.failed", extra={"tool": params.name})
            return _failed(INTERNAL_DETAIL)
        said = msgspec.to_builtins(result)
        if not caller.may("fleet"):
            said = _published(said)
        elif not caller.may("read") and isinstance(said.get("agent"), dict):
            said["agent"] = reduced_agent(said["agent"])
        said = {"message": said.pop("message"), **said}
        text = msgspec.json.encode(said).decode()
        return CallToolResult(content=[TextContent(text=text)], structured_content=said)

    async def _list_resources(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        return ListResourcesResult(
            resources=[
                Resource(
                    uri=one.uri, name=one.name, title=one.title, description=one.description, mime_type=JSON
                )
                for one in resources.RESOURCES
            ]
        )

    async def _list_templates(
        self, context: Context, params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(
            resource_templates=[
                ResourceTemplate(
                    uri_template=one.uri,
                    name=one.name,
                    title=one.title,
                    description=one.description,
                    mime_type=JSON,
                )
                for one in resources.TEMPLATES
            ]
        )

    async def _read_resource(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        uri = str(params.uri)
        with _refusing(context):
            body = await resources.read(self._service, uri)
        contents = TextResourceContents(uri=uri, mime_type=JSON, text=body.decode())
        return ReadResourceResult(contents=[contents])

    async def _subscribe(self, context: Context, params: SubscribeRequestParams) -> EmptyResult:
        with _refusing(context):
            key = _session(context)
            self._subscriptions.subscribe(str(params.uri), key, context.session.send_resource_updated)
        return EmptyResult()

    async def _unsubscribe(self, context: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        with _refusing(context):
            self._subscriptions.unsubscribe(str(params.uri), _session(context))
        return EmptyResult()

    async def _on_listen(
        self, context: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        with (
            _refusing(context),
            self._subscriptions.listening(params.notifications.resource_subscriptions or []),
        ):
            # It lasts as long as the client wants, and is no answer that a stop waits for.
            self._answering -= 1
            try:
                return await self._listen(context, params)
            finally:
                self._answering += 1

    async def _publish(self, uri: str) -> None:
        await self._bus.publish(ResourceUpdated(uri=uri))

    async def _complete(self, context: Context, params: CompleteRequestParams) -> CompleteResult:
        found: list[str] = []
        if isinstance(params.ref, ResourceTemplateReference):
            with _refusing(context):
                found = resources.complete(self._service, params.ref.uri, params.argument.value)
        shown = found[:100]
        return CompleteResult(
            completion=Completion(values=shown, total=len(found), has_more=len(shown) < len(found))
        )


@contextmanager
def _refusing(context: Context) -> Iterator[None]:
    """Turn what is refused into errors of the protocol; the caller needs the scope `read`."""
    try:
        _caller(context).require("read")
        yield
    except MissionControlError as error:
        code = INVALID_PARAMS if isinstance(error, InputError) else INTERNAL_ERROR
        raise MCPError(code, str(error), {"code": error.code}) from None


def _published(result: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller learns that may only publish: ids and statuses."""
    kept = ids_of(result)
    inner = {name: ids_of(value) for name, value in result.items() if isinstance(value, dict)}
    return {"message": "Done.", **kept, **{name: value for name, value in inner.items() if value}}


def _failed(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=message)], is_error=True)


def _scope(context: Context) -> dict[str, Any]:
    scope: dict[str, Any] = context.request.scope  # type: ignore[union-attr]
    return scope


def _caller(context: Context) -> Caller:
    caller: Caller = _scope(context)[CALL][0]
    return caller


def _session(context: Context) -> str:
    key: str | None = _scope(context)[CALL][1]
    if key is None:
        raise InputError("Subscriptions need a session.")
    return key
