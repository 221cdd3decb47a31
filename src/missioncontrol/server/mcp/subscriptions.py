"""Resources that clients have subscribed to: which of them change is told at most every half a second.

Both ways of the protocol end here: `resources/subscribe` in a session (until 2025-11-25), and `subscriptions/listen`
(from 2026-07-28), whose stream takes what it wants from a bus.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from missioncontrol.errors import TooLarge
from missioncontrol.events import Record
from missioncontrol.server.mcp.resources import changed_by
from missioncontrol.server.service import Service

FLUSH_SECONDS = 0.5
SEND_SECONDS = 5.0
MAX_PER_SESSION = 100

Send = Callable[[str], Awaitable[None]]

logger = logging.getLogger(__name__)


class _Subscribed:
    def __init__(self, concerns: Callable[[Record], bool]) -> None:
        self.concerns = concerns
        self.listening = 0
        self.sessions: dict[str, Send] = {}


class Subscriptions:
    """Who wants to hear of which resources."""

    def __init__(self, service: Service, publish: Send) -> None:
        """Begin with none.

        Args:
            service: the running parts, whose log is listened to.
            publish: tells a changed resource's address to those that listen.
        """
        self._service = service
        self._publish = publish
        self._wanted: dict[str, _Subscribed] = {}
        self._changed: set[str] = set()
        self._flushing: asyncio.Task[None] | None = None
        service.listen("mcp", self._committed)

    def __len__(self) -> int:
        return len(self._wanted)

    def subscribe(self, uri: str, key: str, send: Send) -> None:
        """Have a session told when a resource changes.

        Raises:
            NotFound: there can be no such resource.
            TooLarge: the session has as many as it may.
        """
        if sum(key in one.sessions for one in self._wanted.values()) >= MAX_PER_SESSION:
            raise TooLarge(f"A session may subscribe to {MAX_PER_SESSION} resources; end another one first.")
        self._of(uri).sessions[key] = send

    def unsubscribe(self, uri: str, key: str) -> None:
        """Have a session told no more of a resource."""
        if (one := self._wanted.get(uri)) is not None:
            one.sessions.pop(key, None)
            self._tidy(uri)

    def end(self, key: str) -> None:
        """Forget a session."""
        for uri in list(self._wanted):
            self.unsubscribe(uri, key)

    @contextmanager
    def listening(self, uris: Sequence[str]) -> Iterator[None]:
        """Publish changes of these resources while somebody listens for them.

        Raises:
            NotFound: there can be no such resource.
            TooLarge: there are more than may be.
        """
        if len(uris) > MAX_PER_SESSION:
            raise TooLarge(f"One may listen for {MAX_PER_SESSION} resources at a time.")
        begun: list[str] = []
        try:
            for uri in uris:
                self._of(uri).listening += 1
                begun.append(uri)
            yield
        finally:
            for uri in begun:
                self._wanted[uri].listening -= 1
                self._tidy(uri)

    async def stop(self) -> None:
        """Tell nothing more."""
        self._wanted.clear()
        if self._flushing is not None:
            flushing = self._flushing
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)

    def _of(self, uri: str) -> _Subscribed:
        one = self._wanted.get(uri)
        if one is None:
            one = self._wanted[uri] = _Subscribed(changed_by(self._service, uri))
        return one

    def _tidy(self, uri: str) -> None:
        one = self._wanted[uri]
        if not one.sessions and not one.listening:
            del self._wanted[uri]

    def _committed(self, records: Sequence[Record]) -> None:
        for uri, one in self._wanted.items():
            if uri not in self._changed and any(one.concerns(record) for record in records):
                self._changed.add(uri)
        if self._changed and self._flushing is None:
            self._flushing = self._service.background.begin("mcp subscriptions", self._flush())

    async def _flush(self) -> None:
        try:
            while self._changed:
                await asyncio.sleep(FLUSH_SECONDS)
                changed, self._changed = self._changed, set()
                for uri in changed:
                    if (one := self._wanted.get(uri)) is not None:
                        await self._notify(uri, one)
        finally:
            # However it ends: the next change begins it again.
            self._flushing = None

    async def _notify(self, uri: str, one: _Subscribed) -> None:
        if one.listening:
            try:
                await self._publish(uri)
            except Exception:
                # The next resource is published all the same, and this one when it changes again.
                logger.exception("mcp.publish_failed", extra={"uri": uri})
        # A copy: who does not take it is unsubscribed meanwhile.
        await asyncio.gather(*(self._send(uri, key, send) for key, send in list(one.sessions.items())))

    async def _send(self, uri: str, key: str, send: Send) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(uri)
        except Exception:
            # Whoever does not take what was asked for is told no more.
            self.unsubscribe(uri, key)
