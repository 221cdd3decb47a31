"""Publishing over HTTP: every event has a key, so that asking again never doubles it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec

from missioncontrol.client.http import USER_AGENT, Address, Api, call
from missioncontrol.client.items import ClientError, Refused, Unreachable
from missioncontrol.client.wire import read_published
from missioncontrol.events import Data, Draft, convert_drafts, encode_data

BATCH_EVENTS = 5_000
BATCH_BYTES = 512 * 1024
DEADLINE = 60.0
_PATH = "/api/events"
_NDJSON = "application/x-ndjson"


class _Line(msgspec.Struct, omit_defaults=True):
    type: str
    data: msgspec.Raw
    key: str
    source: str = "api"
    traceparent: str | None = None


_encode_line = msgspec.json.Encoder().encode


def _line(draft: Draft, key: str) -> bytes:
    """Write a draft as the server takes it, checked by the server's own rules."""
    data = encode_data(draft)
    return _encode_line(_Line(draft.type, msgspec.Raw(data), key, draft.source, draft.traceparent))


def _new_key() -> str:
    return secrets.token_hex(16)


class Publisher:
    """Publishes events to one server; an async context manager."""

    def __init__(self, url: str, *, token: str | None = None, deadline: float = DEADLINE) -> None:
        """Prepare to publish to the server at `url`; `deadline` in seconds, for each batch.

        Raises:
            ConfigError: the address or the token is not one.
        """
        self._address = Address(url)
        self._token = token
        self._deadline = deadline
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}, trust_env=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def publish(self, type: str, data: Data | None = None, key: str | None = None) -> int:  # noqa: A002
        """Publish one event and return its id, once it is durable.

        Args:
            type: the event's type, `category:name`.
            data: what it tells.
            key: makes a repeated attempt harmless, also from another process; made up where there is none.

        Raises:
            BadEvent, TooLarge: the event cannot be published as it is.
            Refused: the server does not take it.
            Unreachable: no acknowledgement within the deadline; `keys` holds the key to try again with.
        """
        return (await self.publish_many([Draft(type, {} if data is None else data, key)]))[0]

    async def publish_many(self, events: Iterable[Draft | dict[str, Any]]) -> list[int]:
        """Publish events in the order given and return their ids, once all are durable.

        They travel in batches of at most 5,000; each batch is appended whole or not at all.

        Args:
            events: drafts, or dictionaries with `type`, `data` and perhaps `key`.

        Raises:
            BadEvent, TooLarge: an event cannot be published as it is; none was.
            Refused: the server does not take a batch; `ids` are those before it.
            Unreachable: no acknowledgement within the deadline; `ids` are those before, `keys` those without.
        """
        drafts = [event if isinstance(event, Draft) else convert_drafts([event])[0] for event in events]
        keys = [draft.key or _new_key() for draft in drafts]
        lines = [_line(draft, key) for draft, key in zip(drafts, keys, strict=True)]
        ids: list[int] = []
        for body in _batches(lines):
            try:
                ids += read_published(await self._post(body))
            except Refused as error:
                error.ids = ids
                raise
            except Unreachable as error:
                error.ids = ids
                error.keys = keys[len(ids) :]
                raise
        return ids

    async def _post(self, body: bytes) -> bytes:
        if self._session is None:
            raise ClientError("Publish inside `async with`: there is no session before it.")
        api = Api(self._address, self._token, self._session)
        return await api.insist("POST", _PATH, body=body, content_type=_NDJSON, deadline=self._deadline)


def _batches(lines: list[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for line in lines:
        if batch and (len(batch) >= BATCH_EVENTS or size + len(line) > BATCH_BYTES):
            yield b"\n".join(batch)
            batch, size = [], 0
        batch.append(line)
        size += len(line) + 1
    if batch:
        yield b"\n".join(batch)


def publish(
    url: str,
    type: str,  # noqa: A002
    data: Data | None = None,
    *,
    key: str | None = None,
    token: str | None = None,
    timeout: float = 10.0,
) -> int:
    """Publish one event from a script or a hook, with one request, and return its id once it is durable.

    Args:
        url: where the server is, `http://HOST:PORT`.
        type: the event's type, `category:name`.
        data: what it tells.
        key: makes a repeated call harmless: the same key is appended once.
        token: for a server that asks for one.
        timeout: seconds to wait for the answer.

    Raises:
        BadEvent, TooLarge: the event cannot be published as it is.
        ConfigError: the address or the token is not one.
        Refused: the server does not take it.
        Unreachable: there was no acknowledgement; calling again with the key in `keys` is safe.
    """
    key = key or _new_key()
    body = _line(Draft(type, {} if data is None else data, key), key)
    try:
        answer = call(
            url,
            _PATH,
            method="POST",
            body=body,
            content_type="application/json",
            token=token,
            timeout=timeout,
        )
        return read_published(answer)[0]
    except Unreachable as error:
        error.keys = [key]
        raise
