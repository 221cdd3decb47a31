"""A server without sockets: the real log in memory, the real state and hub, and the HTTP application on them."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
from litestar import Litestar

from missioncontrol.config import Config, SearchConfig, ServerConfig, TokenConfig
from missioncontrol.events import Draft, Record
from missioncontrol.fleet.folder_listing import FolderListing
from missioncontrol.fleet.hooks import HookIngest
from missioncontrol.fleet.messages import Messages
from missioncontrol.fleet.permissions import Permissions
from missioncontrol.fleet.questions import Questions
from missioncontrol.fleet.source import Feed, SourceHealth, Workspace
from missioncontrol.fleet.tasks import TaskQueue
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.fleet.usage.tracker import UsageTracker
from missioncontrol.hub import Hub
from missioncontrol.runtimes.records import Record as TranscriptRecord
from missioncontrol.server.access import Access
from missioncontrol.server.forwarded import TrustedProxies
from missioncontrol.server.http import create_app
from missioncontrol.server.service import Service
from missioncontrol.state import FleetState
from missioncontrol.store import MemoryLog
from missioncontrol.watch.ignore import Ignore
from missioncontrol.watch.tree import Signature

READER = "reader-token-0123456789"
PUBLISHER = "publisher-token-0123456789"
ADMIN = "admin-token-0123456789"

TOKENS = [
    TokenConfig(name="reader", sha256=hashlib.sha256(READER.encode()).hexdigest(), scopes=["read"]),
    TokenConfig(name="publisher", sha256=hashlib.sha256(PUBLISHER.encode()).hexdigest(), scopes=["publish"]),
    TokenConfig(name="admin", sha256=hashlib.sha256(ADMIN.encode()).hexdigest(), scopes=["admin"]),
]


class Site:
    """Everything that a test wants to reach."""

    def __init__(self, workspace: Path = Path("/fleet/workspace"), **server: Any) -> None:
        self.config = Config(server=ServerConfig(**server), search=SearchConfig(transcripts=False))
        self.log = MemoryLog()
        self.state = FleetState()
        self.hub = Hub(epoch=self.log.epoch, head=self.log.head, flush_window=0.0)
        self.sources: dict[str, Any] = {}
        self.known_files: dict[str, Signature] = {}
        self.rescanned: list[str] = []
        place = Workspace(workspace, Ignore(), self.config, self.state, self.state)
        self.agent_workspaces, self.queue = place.agent_workspaces, place.queue
        tasks, questions = TaskQueue(place), Questions(place)
        self.reports: list[TranscriptRecord] = []
        for source in (tasks, questions):
            feed = Feed(source.name, self.log, SourceHealth(source.name), asyncio.Event())
            source.attach(feed)
            self.log.listen(feed.committed)
        self.log.listen(tasks.committed)
        tokens = UsageTracker(place)
        self.service = Service(
            config=self.config,
            workspace=workspace,
            tasks=tasks,
            tokens=tokens,
            messages=Messages(place),
            questions=questions,
            files=FolderListing(
                workspace, place.agent_workspaces, lambda: self.known_files, self.rescanned.append
            ),
            telemetry=Receiver(self.reported, tokens.reads),
            hooks=HookIngest(tokens, Permissions(questions, tokens)),
            log=self.log,
            hub=self.hub,
            state=self.state,
            access=Access(self.config),
            proxies=TrustedProxies(self.config.server.trusted_proxies),
            sources=lambda: self.sources,
        )
        self.log.listen(self._committed)
        self.app: Litestar = create_app(self.service)

    def _committed(self, records: Sequence[Record]) -> None:
        self.state.apply(records)
        self.hub.publish(records)

    async def reported(self, records: Sequence[TranscriptRecord]) -> None:
        """Stand in for the source that keeps the ledger."""
        self.reports.extend(records)

    async def tell(self, type_: str, **data: Any) -> int:
        """Append one event."""
        return (await self.log.append([Draft(type_, data)]))[0]

    def cursor(self, id_: int) -> str:
        return f"{self.log.epoch}:{id_}"

    @property
    def transport(self) -> httpx.ASGITransport:
        async def in_a_task(scope: Any, receive: Any, send: Any) -> None:
            # As in a server, so that the watch on the event loop sees what a request does.
            await asyncio.create_task(cast("Any", self.app)(scope, receive, send))

        return httpx.ASGITransport(app=in_a_task)

    @property
    def owner(self) -> str:
        """The owner's secret, which commands of this machine send as their token."""
        return self.service.access.owner.reveal()

    def client(self, token: str | None = None, base_url: str = "http://localhost:3001") -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return httpx.AsyncClient(transport=self.transport, base_url=base_url, headers=headers)


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Hold a refusal against the one form that all of them have, and return it."""
    problem: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["type"] == f"/api/docs#problem-{code}"
    assert problem["error"] == problem["detail"] != ""
    assert problem["title"]
    return problem


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; each turn of the loop may make it so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - any condition, of code that knows of no test
            await asyncio.sleep(0)
