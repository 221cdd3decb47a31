"""NATS's client, made to read on whatever it receives."""

from __future__ import annotations

import asyncio
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg


class TotalClient(Client):
    """NATS's client, which ends its connection for good at a subject or a header that is not UTF-8; this one reads on.

    The message is read again after each new connection, so that one of them would stop every node.
    """

    def __init__(self) -> None:
        super().__init__()
        self._asking: set[asyncio.Future[Msg]] = set()

    async def request(self, *args: Any, **kwargs: Any) -> Msg:
        """Send a request; when the connection is lost, nobody waits for the answer any longer.

        Raises:
            TimeoutError: no answer came, or none can come any more.
        """
        asking = asyncio.ensure_future(super().request(*args, **kwargs))
        self._asking.add(asking)
        try:
            return await asking
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise TimeoutError("the connection was lost") from None
        finally:
            asking.cancel()
            self._asking.discard(asking)

    def end_requests(self) -> None:
        """End all requests that wait for an answer: the connection is lost, and the answers with it."""
        for asking in self._asking:
            asking.cancel()

    async def _process_headers(self, headers: Any) -> Any:
        try:
            return await super()._process_headers(headers)
        except (ValueError, IndexError):
            return None

    def _build_message(self, sid: int, subject: Any, reply: Any, data: bytes, headers: Any) -> Any:
        return super()._build_message(sid, _legible(subject), _legible(reply), data, headers)


def _legible(subject: bytes) -> bytes:
    return subject if subject.isascii() else subject.decode("utf-8", "replace").encode()
