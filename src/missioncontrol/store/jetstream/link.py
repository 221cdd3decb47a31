"""The JetStream side of the log: one connection, one stream, no more of NATS than that needs.

Invariants:

- a message that the client's library cannot read is passed on all the same, and ends no connection;
- an error of `publish` says whether the stream may have taken the messages (`InDoubt`) or has not (all others).

Sources: NATS client protocol and headers (https://docs.nats.io/reference/reference-protocols/nats-protocol); JetStream
wire API (https://docs.nats.io/reference/reference-protocols/nats_api_reference); atomic batches (ADR-50) and direct
gets (ADR-31) in https://github.com/nats-io/nats-architecture-and-design.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any, NamedTuple

import msgspec
import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import StreamInfo
from nats.js.errors import APIError, NotFoundError

from missioncontrol.backoff import Backoff
from missioncontrol.config import ClusterConfig
from missioncontrol.errors import OpenError, StoreError
from missioncontrol.events import new_epoch
from missioncontrol.events.decoding import read_float
from missioncontrol.store.jetstream.message import Message
from missioncontrol.store.jetstream.stream_config import EPOCH, check_fit, stream_config
from missioncontrol.store.jetstream.total_client import TotalClient
from missioncontrol.store.log import Retention

MAX_BATCH = 1_000
"""How many messages a batch may have; the server's own limit."""

REQUEST_SECONDS = 5.0
_DUPLICATE_IN_BATCH = 10201
_WRONG_SEQUENCE = frozenset({10071, 10164})

logger = logging.getLogger(__name__)


class InDoubt(StoreError):
    """The stream has not answered: it may have taken the messages, or not."""


class KnownAlready(StoreError):
    """One of the messages of a batch is in the stream already; none was taken."""


class Refused(StoreError):
    """The stream will not take it, however often it is asked."""


class WrongSequence(StoreError):
    """The subject has a newer message than was expected; nothing was taken."""


class RemovedError(StoreError):
    """There is no such stream any more."""


class Facts(NamedTuple):
    """What the stream holds: the ids from `first` to `last`; `first` is `last` + 1 while it is empty."""

    epoch: str
    first: int
    last: int
    messages: int
    bytes: int
    replicas: int
    leader: str | None


_replies = msgspec.json.Decoder(dict[str, Any], float_hook=read_float)


class StreamLink:
    """The connection to the stream. `trouble` says in a sentence what is wrong with it; None when all is well.

    `back` is set while there is a connection, `anew` whenever there is one again.
    """

    def __init__(self, servers: Sequence[str], cluster: ClusterConfig, retention: Retention) -> None:
        """Prepare; nothing is connected yet.

        Args:
            servers: addresses such as `nats://127.0.0.1:4222`.
            cluster: the stream's name and how it is kept.
            retention: how much of the past the stream keeps.
        """
        self.facts: Facts | None = None
        self.away_since: float | None = monotonic()
        self._servers = list(servers)
        self._cluster = cluster
        self._retention = retention
        self.stream = cluster.stream
        self._prefix = f"{cluster.stream}.events"
        self._client: TotalClient | None = None
        self.back = asyncio.Event()
        self._reason = "not connected yet"
        self._told = False
        self._connecting: asyncio.Task[None]
        self.anew = asyncio.Event()

    # The connection.

    @property
    def connected(self) -> bool:
        """Whether a server can be talked to."""
        return self.away_since is None

    @property
    def server(self) -> str | None:
        """The address of the server that is talked to."""
        client = self._client
        return client.connected_url.netloc.rpartition("@")[2] if client and client.connected_url else None

    @property
    def client(self) -> Client:
        """The connection itself.

        Raises:
            StoreError: there is none at the moment.
        """
        return self._connection

    @property
    def trouble(self) -> str | None:
        """Why nothing can be published at the moment."""
        if self.connected:
            return None
        return f"NATS is away ({self._reason}); reading goes on, publishing goes on when it is back."

    def start(self) -> None:
        """Begin to connect; that goes on until it has, and again whenever the connection is lost."""
        self._connecting = asyncio.create_task(self._keep_connecting(), name="connect to NATS")

    async def _keep_connecting(self) -> None:
        backoff = Backoff(0.2, 2.0)
        while True:
            try:
                await self._connect()
            except OpenError:
                raise
            except Exception as error:
                self._explain(error)
                logger.debug("nats.connect_failed", extra={"reason": self._reason})
                await asyncio.sleep(backoff.next())
            else:
                return

    async def _connect(self) -> None:
        cluster = self._cluster
        self._client = client = TotalClient()
        options: dict[str, Any] = {}
        if cluster.credentials is not None:
            options["user_credentials"] = _path(cluster.credentials)
        if cluster.tls_ca or cluster.tls_cert or any(server.startswith("tls:") for server in self._servers):
            # Reading the certificates of all authorities takes long.
            options["tls"] = await asyncio.to_thread(self._tls)
        await client.connect(
            self._servers,
            name=f"mission-control {cluster.host or ''}".strip(),
            error_cb=self._failed,
            disconnected_cb=self._disconnected,
            reconnected_cb=self._reconnected,
            # Nothing waits inside the client: what it cannot send now was not sent.
            pending_size=0,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.2,  # type: ignore[arg-type]
            connect_timeout=2,
            ping_interval=2,
            max_outstanding_pings=2,
            **options,
        )
        await self._reconnected()

    def _tls(self) -> ssl.SSLContext:
        cluster = self._cluster
        try:
            context = ssl.create_default_context(cafile=_path(cluster.tls_ca))
            if cluster.tls_cert is not None:
                context.load_cert_chain(str(_path(cluster.tls_cert)), _path(cluster.tls_key))
        except (OSError, ssl.SSLError) as error:
            raise OpenError(
                f"The TLS files of [cluster] cannot be used: {error}. Check tls_ca, tls_cert, tls_key."
            ) from None
        return context

    async def wait_connected(self, seconds: float) -> bool:
        """Wait until there is a connection, at most so long; says whether there is one.

        Raises:
            OpenError: there never will be, for what the settings say.
        """
        waiting = asyncio.create_task(self.back.wait())
        done, _ = await asyncio.wait(
            {waiting, self._connecting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self._connecting in done and not self.connected:
            await self._connecting
            await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()
        return self.connected

    async def close(self) -> None:
        """End the connection."""
        self._connecting.cancel()
        # Not for ever: it may be in the hands of the client's library.
        await asyncio.wait({self._connecting}, timeout=2.0)
        if self._client is not None:
            with suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await self._client.close()

    def _explain(self, error: Exception) -> None:
        """Note why there is no connection.

        Whoever is refused may find the connection cut before it hears why: what was heard before says more.
        """
        cut = isinstance(error, ConnectionResetError)
        if not (cut and self._told):
            self._reason = words(error)
            self._told = not cut

    async def _failed(self, error: Exception) -> None:
        self._explain(error)
        logger.debug("nats.error", extra={"reason": self._reason})

    async def _disconnected(self) -> None:
        if self.away_since is None:
            self.away_since = monotonic()
            self._reason, self._told = "the connection was lost", False
            self.back.clear()
            if self._client is not None:
                self._client.end_requests()
            logger.warning("nats.away", extra={"server": self.server})

    async def _reconnected(self) -> None:
        self.away_since = None
        self.back.set()
        self.anew.set()
        logger.info("nats.connected", extra={"server": self.server})

    # The stream.

    async def open(self) -> Facts:
        """Make the stream where it is missing, and see whether it fits.

        Raises:
            OpenError: it does not, or may not be made; the message says what to change.
            StoreError: NATS does not answer.
        """
        config = stream_config(self._cluster, self._retention)
        try:
            try:
                info = await self._js.stream_info(self.stream)
            except NotFoundError:
                refused: APIError | None = None
                try:
                    await self._js.add_stream(config)
                except APIError as error:
                    refused = error
                try:
                    info = await self._js.stream_info(self.stream)
                except NotFoundError as error:
                    # Not even another node has made it meanwhile.
                    raise refused or error from None
        except APIError as error:
            raise OpenError(
                f"The stream {self.stream} cannot be made: {error.description}. "
                f"Check JetStream's limits and the account's permissions, or change [cluster]."
            ) from None
        except (NatsError, TimeoutError) as error:
            raise StoreError(f"NATS does not answer: {words(error)}.") from None
        check_fit(info, config)
        if EPOCH not in (info.config.metadata or {}):
            return await self.begin_epoch()
        return self._note(info)

    async def begin_epoch(self) -> Facts:
        """Begin a new life of the log: what the stream says of its past is no longer what was told.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            info = await self._js.stream_info(self.stream)
            info.config.metadata = {**(info.config.metadata or {}), EPOCH: new_epoch()}
            await self._js.update_stream(info.config)
            return self._note(await self._js.stream_info(self.stream))

    async def look(self) -> Facts:
        """Ask what the stream holds now.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            try:
                return self._note(await self._js.stream_info(self.stream))
            except NotFoundError:
                raise RemovedError(f"The stream {self.stream} is gone.") from None

    async def last_on(self, subject: str) -> int:
        """Return the sequence of a subject's newest message; 0 where there is none.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            try:
                found = await self._js.get_last_msg(self.stream, self.subject(subject))
            except NotFoundError:
                return 0
            return found.seq or 0

    async def payload_of(self, sequence: int) -> bytes | None:
        """Return the payload of a message; None where the stream does not have it.

        Raises:
            StoreError: NATS does not answer.
        """
        async with Asking():
            try:
                return (await self._js.get_msg(self.stream, sequence)).data or b""
            except NotFoundError:
                return None

    def subject(self, name: str) -> str:
        """Return the whole subject under which messages are stored."""
        return f"{self._prefix}.{name}"

    def _note(self, info: StreamInfo) -> Facts:
        state, config = info.state, info.config
        facts = self.facts = Facts(
            epoch=(config.metadata or {}).get(EPOCH, ""),
            first=max(state.first_seq, 1) if state.messages else state.last_seq + 1,
            last=state.last_seq,
            messages=state.messages,
            bytes=state.bytes,
            replicas=config.num_replicas or 1,
            leader=info.cluster.leader if info.cluster else None,
        )
        return facts

    @property
    def _js(self) -> Any:
        return self._connection.jetstream(timeout=REQUEST_SECONDS)

    @property
    def _connection(self) -> Client:
        if self._client is None or not self.connected:
            raise StoreError(self.trouble or "NATS is away.")
        return self._client

    # Publishing.

    async def publish(
        self, messages: Sequence[Message], expected: Mapping[str, int], seconds: float
    ) -> list[int]:
        """Store messages, all or none, and return their sequences.

        Args:
            messages: 1 to 1,000.
            expected: the newest sequence that some subjects may have.
            seconds: how long to wait for the answer.

        Raises:
            InDoubt: no answer came.
            KnownAlready: one of several is in the stream already.
            WrongSequence: a subject has something newer.
            Refused: the stream will not have them.
            StoreError: NATS is away, or has no leader; nothing was taken.
        """
        client = self._connection
        batch = token_hex(16)
        open_ = dict(expected)
        sent = False
        try:
            for number, message in enumerate(messages, 1):
                headers = {"Nats-Msg-Id": message.id}
                # Of several on one subject the first one speaks for all.
                if (sequence := open_.pop(message.subject, None)) is not None:
                    headers["Nats-Expected-Last-Subject-Sequence"] = str(sequence)
                if len(messages) > 1:
                    headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(number)}
                if number < len(messages):
                    await client.publish(self.subject(message.subject), message.payload, headers=headers)
                elif number > 1:
                    headers["Nats-Batch-Commit"] = "1"
            last = messages[-1]
            sent = True
            reply = await client.request(
                self.subject(last.subject), last.payload, timeout=seconds, headers=headers
            )
        except nats.errors.NoRespondersError:
            raise StoreError("JetStream has no leader for the stream at the moment.") from None
        except nats.errors.OutboundBufferLimitError:
            raise StoreError("NATS is away; reading goes on.") from None
        except nats.errors.MaxPayloadError:
            raise StoreError(
                "An event is larger than the NATS servers take; raise their max_payload."
            ) from None
        except (NatsError, TimeoutError, OSError) as error:
            kind = InDoubt if sent else StoreError
            raise kind(f"NATS does not answer: {words(error)}.") from None
        try:
            return self._sequences(_replies.decode(reply.data), len(messages))
        except (msgspec.MsgspecError, UnicodeError, RecursionError, KeyError, TypeError, AttributeError):
            raise InDoubt("NATS answers something that is no acknowledgement.") from None

    def _sequences(self, answer: dict[str, Any], count: int) -> list[int]:
        error = answer.get("error")
        if error is None:
            last: int = answer["seq"]
            return list(range(last - count + 1, last + 1))
        code = error.get("err_code")
        if code == _DUPLICATE_IN_BATCH:
            raise KnownAlready("An event of the batch is in the stream already.")
        if code in _WRONG_SEQUENCE:
            raise WrongSequence("The task has changed meanwhile.")
        kind = StoreError if error.get("code") == 503 else Refused
        raise kind(f"The stream refuses the event: {error.get('description', 'no reason was given')}.")


class Asking:
    """Turns whatever NATS has to say into a `StoreError`."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (NatsError, TimeoutError, OSError)):
            raise StoreError(f"NATS does not answer: {words(error)}.") from None


def _path(text: str | None) -> str | None:
    return None if text is None else str(Path(text).expanduser())


def words(error: BaseException) -> str:
    """Say what NATS's client means by an error."""
    return (str(error) or type(error).__name__).rstrip(".")
