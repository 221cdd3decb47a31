"""Has what the stream delivers, in order and without a hole.

Invariants:

- what is delivered has consecutive sequence numbers, beginning with the one asked for; whatever goes wrong in between,
  the consumer is made again where it was;
- what a consumer cannot bring, because the message was removed or the client's library cannot read it, is fetched by
  its number. A message that is not there any more is delivered as removed;
- no message, answer or error ends the following.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from secrets import token_hex
from time import monotonic
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from missioncontrol.errors import StoreError
from missioncontrol.events.decoding import read_float
from missioncontrol.store.jetstream.link import REQUEST_SECONDS, Facts, RemovedError, StreamLink, words
from missioncontrol.store.jetstream.message import Delivered

HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 3.5
BROKEN_SECONDS = 5.0
LOOK_SECONDS = 5.0
MOST_FETCHED = 1_000
_ATTEMPTS = 2
"""How many consumers may fail to bring a message before it is fetched by its number."""

_NO_MESSAGE = 10037
_replies = msgspec.json.Decoder(dict[str, Any], float_hook=read_float)
_DELIVERY = "$JS.ACK."

logger = logging.getLogger(__name__)


class StreamFollower:
    """Follows the stream of a link. `in_step` is the monotonic time at which all that the stream had was delivered."""

    def __init__(
        self,
        link: StreamLink,
        after: int,
        deliver: Callable[[Delivered], Awaitable[None]],
        lost: Callable[[str], None],
    ) -> None:
        """Begin.

        Args:
            link: the connection.
            after: the sequence that was delivered last.
            deliver: takes a message; the next one comes when it returns.
            lost: is called, once, when what comes next cannot be had: the stream has been trimmed beyond it, or is
                another one than before.
        """
        self.in_step = 0.0
        self._link = link
        self._next = after + 1
        self._deliver = deliver
        self._lost = lost
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._anew = link.anew
        self._heard = 0.0
        self._delivering = False
        self._attempted = (0, 0)
        self._fetching = 1
        self._anew.set()
        self._task = asyncio.create_task(self._follow(), name="follow the stream")

    async def stop(self) -> None:
        """End; nothing more is delivered."""
        self._consumer = ""
        self._task.cancel()
        # Not for ever: it may be in the hands of the client's library.
        await asyncio.wait({self._task}, timeout=2.0)

    async def _follow(self) -> None:
        epoch = self._link.facts.epoch if self._link.facts is not None else None
        broken_since: float | None = None
        looked = 0.0
        while True:
            await self._link.back.wait()
            silent = not self._delivering and monotonic() - self._heard > SILENT_SECONDS
            anew = self._anew.is_set() or silent
            if anew or monotonic() - looked > LOOK_SECONDS:
                self._anew.clear()
                try:
                    try:
                        facts = await self._link.look()
                        reason = self._broken(facts, epoch)
                    except RemovedError as error:
                        reason = str(error).rstrip(".")
                    looked = monotonic()
                    if reason:
                        # A leader that was just elected may not have read all of its own log yet.
                        broken_since = broken_since or monotonic()
                        if monotonic() - broken_since > BROKEN_SECONDS:
                            self._lost(reason)
                            return
                        raise StoreError(reason)
                    broken_since = None
                    if anew:
                        await self._begin_anew(facts)
                except asyncio.CancelledError:
                    raise
                except Exception as error:
                    # An answer that makes no sense is as good as none: the next one may.
                    known = isinstance(error, (StoreError, NatsError, TimeoutError, OSError))
                    logger.log(
                        logging.DEBUG if known else logging.ERROR,
                        "stream.look_failed",
                        extra={"reason": words(error)},
                        exc_info=not known,
                    )
                    self._anew.set()
                    await asyncio.sleep(0.2)
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._anew.wait()

    def _broken(self, facts: Facts, epoch: str | None) -> str | None:
        if facts.epoch != epoch:
            return "the stream has begun a new epoch"
        if facts.first > self._next:
            return f"the stream has been trimmed up to {facts.first - 1} before it was read"
        if facts.last < self._next - 1:
            return f"the stream ends at {facts.last}, and {self._next - 1} has been told"
        return None

    async def _begin_anew(self, facts: Facts) -> None:
        """Make the consumer again, from what comes next; fetch that where consumers did not bring it."""
        sequence, times = self._attempted
        times = times + 1 if sequence == self._next else 1
        if times > _ATTEMPTS and facts.last >= self._next:
            self._consumer = ""
            logger.warning("stream.fetched", extra={"sequence": self._next})
            for _ in range(self._fetching):
                if self._next > facts.last:
                    break
                await self._fetch()
            # Where one is odd, others are: each time twice as many, so that many of them cost little.
            self._fetching = min(2 * self._fetching, MOST_FETCHED)
            times = 1
        elif times == 1:
            self._fetching = max(1, self._fetching // 2)
        self._attempted = (self._next, times)
        await self._consume()

    async def _consume(self) -> None:
        client = self._link.client
        if self._subscription is not None:
            with suppress(NatsError):
                await self._subscription.unsubscribe()
        self._consumer = consumer = token_hex(12)
        inbox = client.new_inbox()

        async def received(message: Msg) -> None:
            if self._consumer == consumer:
                await self._received(client, message)

        self._subscription = await client.subscribe(inbox, cb=received, pending_bytes_limit=256 * 1024 * 1024)
        request = {
            "stream_name": self._link.stream,
            "config": {
                "name": consumer,
                "deliver_subject": inbox,
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": self._next,
                "ack_policy": "none",
                "max_deliver": 1,
                "replay_policy": "instant",
                "flow_control": True,
                "idle_heartbeat": int(HEARTBEAT_SECONDS * 1e9),
                "inactive_threshold": 30_000_000_000,
                "mem_storage": True,
                "num_replicas": 1,
            },
        }
        answer = await self._request(f"CONSUMER.CREATE.{self._link.stream}.{consumer}", request)
        if "error" in answer:
            raise StoreError(f"The stream cannot be followed: {answer['error'].get('description')}.")
        self._heard = monotonic()

    async def _request(self, subject: str, request: dict[str, Any]) -> dict[str, Any]:
        reply = await self._link.client.request(
            f"$JS.API.{subject}", msgspec.json.encode(request), timeout=REQUEST_SECONDS
        )
        answer: dict[str, Any] = _replies.decode(reply.data)
        return answer

    async def _received(self, client: Client, message: Msg) -> None:
        self._heard = monotonic()
        if not message.reply.startswith(_DELIVERY):
            # What the server says of the consumer. A stored message may have the same headers.
            await self._control(client, message)
            return
        sequence, time, pending = _place(message.reply)
        if sequence != self._next:
            if sequence > self._next:
                # Something was dropped on the way, or is not there: once more, from where it was.
                self._consumer = ""
                self._anew.set()
            return
        if pending == 0:
            self.in_step = self._heard
        await self._hand_on(
            Delivered(sequence, time, (message.headers or {}).get("Nats-Msg-Id"), message.data)
        )

    async def _control(self, client: Client, message: Msg) -> None:
        headers = message.headers or {}
        if headers.get("Status") != "100":
            return
        with suppress(NatsError):
            if message.reply:
                await client.publish(message.reply)
            elif stalled := headers.get("Nats-Consumer-Stalled"):
                await client.publish(stalled)
            elif headers.get("Nats-Last-Stream") == str(self._next - 1):
                self.in_step = self._heard
            else:
                self._anew.set()

    async def _hand_on(self, delivered: Delivered) -> None:
        self._next = delivered.sequence + 1
        self._delivering = True
        try:
            await self._deliver(delivered)
        finally:
            self._delivering = False
            self._heard = monotonic()

    async def _fetch(self) -> None:
        """Get the next message by its number, and deliver it; what is not there is delivered as removed.

        Raises:
            StoreError: the stream does not answer, or says something else.
        """
        subject = f"STREAM.MSG.GET.{self._link.stream}"
        answer = await self._request(subject, {"seq": self._next, "next_by_subj": ">"})
        found = answer.get("message")
        if not isinstance(found, dict):
            error = answer.get("error") or {}
            if error.get("err_code") != _NO_MESSAGE:
                raise StoreError(f"The stream does not give a message: {error.get('description')}.")
            # Nothing stands from here to the end, which was removed after it had been counted.
            await self._hand_on(Delivered(self._next, 0, None, b"", removed=True))
            return
        sequence, time = int(found["seq"]), _milliseconds(found["time"])
        while self._next < sequence:
            await self._hand_on(Delivered(self._next, time, None, b"", removed=True))
        if self._next == sequence:
            payload = base64.b64decode(found.get("data") or "")
            headers = base64.b64decode(found.get("hdrs") or "")
            await self._hand_on(Delivered(sequence, time, _message_id(headers), payload))


def _place(reply: str) -> tuple[int, int, int]:
    """Read sequence, time in milliseconds, and what is pending, out of a delivery's reply subject (ADR-15)."""
    tokens = reply.split(".")
    start = 5 if len(tokens) == 9 else 7
    return int(tokens[start]), int(tokens[start + 2]) // 1_000_000, int(tokens[start + 3])


def _milliseconds(time: str) -> int:
    """Read the time of a stored message, in RFC 3339 with up to nine digits of a second, cut as in a delivery."""
    moment, _, fraction = time.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{moment}+00:00").timestamp())
    return seconds * 1000 + int(f"{fraction:0<3}"[:3])


def _message_id(headers: bytes) -> str | None:
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"nats-msg-id":
            return value.strip().decode("utf-8", "replace")
    return None
