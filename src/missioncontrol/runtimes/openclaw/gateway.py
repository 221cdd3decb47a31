"""The read-only link to OpenClaw's gateway: whether it runs, and what its sessions do.

Its HTTP health endpoint shows whether it runs. Over its WebSocket (protocol 4) it reports which sessions run; the link
connects as an operator with permission to read only.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from missioncontrol.backoff import Backoff
from missioncontrol.events import Data, now
from missioncontrol.events.decoding import decode_json
from missioncontrol.runtimes.base import GatewayListener
from missioncontrol.threads import OwnerThread

HEALTH_SECONDS = 10.0
TIMEOUT_SECONDS = 3.0
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_HEALTH_BYTES = 65_536
PROTOCOL = 4

logger = logging.getLogger(__name__)


class Refused(Exception):
    """The gateway refuses the connection; the message is its reason."""


class GatewayLink:
    """Watches one gateway, and reports its health and its sessions."""

    def __init__(self, url: str, token: str | None) -> None:
        """Prepare.

        Args:
            url: the gateway's HTTP address, as in `http://127.0.0.1:18789`.
            token: its token; never shown or logged.
        """
        self._url = url.rstrip("/")
        self._token = token
        self.note: str | None = None

    async def run(self, listener: GatewayListener) -> None:
        """Watch until cancelled."""
        self._listener = listener
        # A gateway that answers very slowly must not use more than one thread.
        self._thread = OwnerThread("gateway health")
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch_health())
                tasks.create_task(self._keep_listening())
        finally:
            await self._thread.close()

    async def _watch_health(self) -> None:
        while True:
            runs, details = await self._health()
            self._listener.health(running=runs, details=details)
            await asyncio.sleep(HEALTH_SECONDS)

    async def _health(self) -> tuple[bool, Data]:
        reason = "no answer"
        for path in ("/healthz", "/health"):
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    status, body = await self._thread.run(_get, self._url, path)
            except TimeoutError:
                reason = f"no answer within {TIMEOUT_SECONDS:g} seconds"
            except (HTTPException, OSError, ValueError) as error:
                reason = type(error).__name__
            else:
                if status != 404:
                    health = _object(body)
                    runs = status < 400 and health.get("ok", True) is not False
                    return runs, {"source": "gateway", **_plain(health), "httpStatus": status}
        return False, {"source": "gateway", "reason": reason}

    async def _keep_listening(self) -> None:
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE, spread=(0.5, 1.0))
        while True:
            began = monotonic()
            try:
                await self._listen()
            except Refused as error:
                self.note = f"the gateway does not let Mission Control in: {error}"
                backoff.skip_to_longest()
            except Exception as error:
                # The gateway is another program, of any release, so it may send anything.
                if not isinstance(error, (WebSocketException, OSError, TimeoutError, ValueError)):
                    logger.exception("gateway.failed")
                self.note = f"the gateway's WebSocket is lost: {type(error).__name__}"
            self._listener.silence()
            if monotonic() - began > LONGEST_PAUSE:
                backoff.reset()
            await asyncio.sleep(backoff.next())

    async def _listen(self) -> None:
        address = "ws" + self._url.removeprefix("http")
        async with connect(
            address, open_timeout=TIMEOUT_SECONDS, max_size=MAX_MESSAGE_BYTES, ping_interval=None
        ) as socket:
            patience = await self._introduce(socket)
            await _ask(socket, "subscribe", "sessions.subscribe", {})
            await _ask(socket, "sessions", "sessions.list", {})
            self.note = None
            while True:
                # The gateway sends ticks; without them it is taken for gone.
                async with asyncio.timeout(patience):
                    message = await _receive(socket)
                self._take(message)

    async def _introduce(self, socket: ClientConnection) -> float:
        """Perform the handshake; return the seconds of silence after which the gateway is taken for gone."""
        async with asyncio.timeout(TIMEOUT_SECONDS * 2):
            while (await _receive(socket)).get("event") != "connect.challenge":
                pass
            hello: Data = {
                "minProtocol": PROTOCOL,
                "maxProtocol": PROTOCOL,
                "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
                "role": "operator",
                "scopes": ["operator.read"],
                "caps": [],
            }
            if self._token:
                hello["auth"] = {"token": self._token}
            await _ask(socket, "connect", "connect", hello)
            while (answer := await _receive(socket)).get("id") != "connect":
                pass
        if not answer.get("ok"):
            raise Refused(str(_object(answer.get("error")).get("message") or "no reason given")[:200])
        policy = _object(_object(answer.get("payload")).get("policy"))
        tick = policy.get("tickIntervalMs")
        seconds = tick / 1000 if isinstance(tick, (int, float)) and tick > 0 else 30.0
        return max(0.2, seconds * 2.5)

    def _take(self, message: Data) -> None:
        if message.get("event") == "sessions.changed":
            self._take_session(_object(message.get("payload")))
        elif message.get("id") == "sessions" and message.get("ok"):
            sessions = _object(message.get("payload")).get("sessions")
            for session in sessions if isinstance(sessions, list) else ():
                self._take_session(_object(session))

    def _take_session(self, session: Data) -> None:
        key = session.get("sessionKey") or session.get("key")
        runs = session.get("hasActiveRun")
        if not isinstance(key, str) or not isinstance(runs, bool):
            return
        agent = session.get("agentId")
        if not isinstance(agent, str):
            parts = key.split(":")
            if len(parts) < 3 or parts[0] != "agent":
                return
            agent = parts[1]
        self._listener.run_state(agent, key, running=runs, at=now())


def _get(url: str, path: str) -> tuple[int, bytes]:
    """Send one request, without redirects. Blocks, so it runs in a thread; an HTTP library would need more memory."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with closing(kind(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        connection.request("GET", f"{parts.path}{path}")
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_HEALTH_BYTES)


async def _ask(socket: ClientConnection, id_: str, method: str, parameters: Data) -> None:
    request = {"type": "req", "id": id_, "method": method, "params": parameters}
    await socket.send(msgspec.json.encode(request).decode())


async def _receive(socket: ClientConnection) -> Data:
    """Return the next message; an empty one for anything that is not an object."""
    return _object(await socket.recv(decode=False))


def _object(value: Any) -> Data:
    if isinstance(value, bytes):
        try:
            value = decode_json(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _plain(health: Data) -> Data:
    """Return the short values, without nested ones."""
    return {
        str(name)[:50]: value[:200] if isinstance(value, str) else value
        for name, value in list(health.items())[:20]
        if isinstance(value, (str, int, float, bool))
    }
