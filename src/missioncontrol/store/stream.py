"""The JetStream side of the log: one connection, one stream, no more of NATS than that needs.

Invariants:

- what is delivered has consecutive sequence numbers, beginning with the one asked for; whatever goes wrong in between,
  the consumer is made anew where it was;
- an error of `publish` says whether the stream may have taken the messages (`InDoubt`) or has not (all others).

Sources: NATS client protocol and headers (https://docs.nats.io/reference/reference-protocols/nats-protocol); JetStream
wire API (https://docs.nats.io/reference/reference-protocols/nats_api_reference); atomic batches (ADR-50) and direct
gets (ADR-31) in https://github.com/nats-io/nats-architecture-and-design.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any, NamedTuple

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import ObjectStoreConfig, RetentionPolicy, StorageType, StreamConfig, StreamInfo
from nats.js.errors import APIError, BucketNotFoundError, NotFoundError

from missioncontrol.config import ClusterConfig
from missioncontrol.errors import OpenError, StoreError
from missioncontrol.events import new_epoch
from missioncontrol.store.log import Retention, StateCheckpoint

MAX_BATCH = 1_000
"""How many messages a batch may have; the server's own limit."""

EPOCH = "mission-control-epoch"
"""The stream's metadata that says which life of the log it is."""

HEARTBEAT_SECONDS = 1.0
SILENT_SECONDS = 3.5
BROKEN_SECONDS = 5.0
LOOK_SECONDS = 5.0
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


class Gone(StoreError):
    """There is no such stream any more."""


class Message(NamedTuple):
    """What is to be stored; `id` makes a repeated attempt harmless."""

    subject: str
    id: str
    payload: bytes


class Delivered(NamedTuple):
    """A message as the stream has it; `time` in milliseconds since 1970."""

    sequence: int
    time: int
    id: str | None
    payload: bytes


class Facts(NamedTuple):
    """What the stream holds: the ids from `first` to `last`; `first` is `last` + 1 while it is empty."""

    epoch: str
    first: int
    last: int
    messages: int
    bytes: int
    replicas: int
    leader: str | None


class StreamLink:
    """The connection to the stream. `trouble` says in a sentence what is wrong with it; None when all is well.

    `in_step` is the monotonic time at which everything that the stream had was delivered.
    """

    def __init__(self, servers: Sequence[str], cluster: ClusterConfig, retention: Retention) -> None:
        """Prepare; nothing is connected yet.

        Args:
            servers: addresses such as `nats://127.0.0.1:4222`.
            cluster: the stream's name and how it is kept.
            retention: how much of the past the stream keeps.
        """
        self.in_step = 0.0
        self.facts: Facts | None = None
        self.away_since: float | None = monotonic()
        self._servers = list(servers)
        self._cluster = cluster
        self._retention = retention
        self._name = cluster.stream
        self._prefix = f"{cluster.stream}.events"
        self._client: Client | None = None
        self._back = asyncio.Event()
        self._reason = "not connected yet"
        self._told = False
        self._connecting: asyncio.Task[None]
        self._asking: set[asyncio.Future[Msg]] = set()
        self._follower: asyncio.Task[None] | None = None
        self._subscription: Subscription | None = None
        self._next = 0
        self._consumer = ""
        self._anew = asyncio.Event()
        self._heard = 0.0
        self._delivering = False
        self._deliver: Callable[[Delivered], Awaitable[None]]
        self._lost: Callable[[str], None] = lambda _: None

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
        delay = 0.2
        while True:
            try:
                await self._connect()
            except OpenError:
                raise
            except Exception as error:
                self._explain(error)
                logger.debug("nats.connect_failed", extra={"reason": self._reason})
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
            else:
                return

    async def _connect(self) -> None:
        cluster = self._cluster
        self._client = client = Client()
        options: dict[str, Any] = {}
        if cluster.credentials is not None:
            options["user_credentials"] = _path(cluster.credentials)
        if cluster.tls_ca or cluster.tls_cert or any(server.startswith("tls:") for server in self._servers):
            options["tls"] = self._tls()
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
        waiting = asyncio.create_task(self._back.wait())
        done, _ = await asyncio.wait(
            {waiting, self._connecting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self._connecting in done and not self.connected:
            await self._connecting
            await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()
        return self.connected

    async def close(self) -> None:
        """End following, and the connection."""
        for task in filter(None, (self._follower, self._connecting)):
            task.cancel()
            # Not for ever: one of them is in the hands of the client's library.
            await asyncio.wait({task}, timeout=2.0)
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
            self._back.clear()
            for asking in self._asking:
                asking.cancel()
            logger.warning("nats.away", extra={"server": self.server})

    async def _reconnected(self) -> None:
        self.away_since = None
        self._back.set()
        self._anew.set()
        logger.info("nats.connected", extra={"server": self.server})

    # The stream.

    async def open(self) -> Facts:
        """Make the stream where it is missing, and see whether it fits.

        Raises:
            OpenError: it does not, or may not be made; the message says what to change.
            StoreError: NATS does not answer.
        """
        config = self._config()
        try:
            try:
                info = await self._js.stream_info(self._name)
            except NotFoundError:
                refused: APIError | None = None
                try:
                    await self._js.add_stream(config)
                except APIError as error:
                    refused = error
                try:
                    info = await self._js.stream_info(self._name)
                except NotFoundError as error:
                    # Not even another node has made it meanwhile.
                    raise refused or error from None
        except APIError as error:
            raise OpenError(
                f"The stream {self._name} cannot be made: {error.description}. "
                f"Check JetStream's limits and the account's permissions, or change [cluster]."
            ) from None
        except (NatsError, TimeoutError) as error:
            raise StoreError(f"NATS does not answer: {words(error)}.") from None
        self._check_fit(info, config)
        if EPOCH not in (info.config.metadata or {}):
            return await self.begin_epoch()
        return self._note(info)

    async def begin_epoch(self) -> Facts:
        """Begin a new life of the log: what the stream says of its past is no longer what was told.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            info = await self._js.stream_info(self._name)
            info.config.metadata = {**(info.config.metadata or {}), EPOCH: new_epoch()}
            await self._js.update_stream(info.config)
            return self._note(await self._js.stream_info(self._name))

    async def look(self) -> Facts:
        """Ask what the stream holds now.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            try:
                return self._note(await self._js.stream_info(self._name))
            except NotFoundError:
                raise Gone(f"The stream {self._name} is gone.") from None

    async def last_on(self, subject: str) -> int:
        """Return the sequence of a subject's newest message; 0 where there is none.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            try:
                found = await self._js.get_last_msg(self._name, self.subject(subject))
            except NotFoundError:
                return 0
            return found.seq or 0

    async def payload_of(self, sequence: int) -> bytes | None:
        """Return the payload of a message; None where the stream does not have it.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            try:
                return (await self._js.get_msg(self._name, sequence)).data or b""
            except NotFoundError:
                return None

    def subject(self, name: str) -> str:
        """Return the whole subject under which messages are stored."""
        return f"{self._prefix}.{name}"

    def _config(self) -> StreamConfig:
        return StreamConfig(
            name=self._name,
            description="Mission Control: the events of a fleet, in one order",
            subjects=[f"{self._prefix}.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=self._retention.seconds,
            max_bytes=self._retention.bytes,
            num_replicas=self._cluster.replicas,
            duplicate_window=min(self._cluster.duplicate_window, self._retention.seconds),
            allow_direct=True,
            allow_atomic=True,
            deny_delete=True,
            deny_purge=True,
            metadata={EPOCH: new_epoch()},
        )

    def _check_fit(self, info: StreamInfo, wanted: StreamConfig) -> None:
        found = info.config
        wrong: list[str] = []
        if sorted(found.subjects or []) != sorted(wanted.subjects or []):
            wrong.append(f"its subjects are {found.subjects}, not {wanted.subjects}")
        if found.mirror is not None or found.sources:
            wrong.append("it is filled from other streams")
        if (found.retention or RetentionPolicy.LIMITS) != RetentionPolicy.LIMITS:
            wrong.append(f"its retention is {found.retention!s}, not limits")
        if (found.max_msgs_per_subject or -1) > 0:
            wrong.append("it keeps only some messages of each subject")
        if (found.max_msg_size or -1) > 0:
            wrong.append("it limits the size of messages")
        if found.sealed:
            wrong.append("it is sealed")
        if not found.allow_atomic:
            wrong.append("it does not allow atomic batches (nats-server 2.12 or newer, allow_atomic)")
        if wrong:
            raise OpenError(
                f"The stream {self._name} does not fit: {'; '.join(wrong)}. Nothing was changed; name another one "
                f"with cluster.stream, or have this one changed."
            )
        for name, has, asked in (
            ("replicas", found.num_replicas, wanted.num_replicas),
            ("max_age", found.max_age, wanted.max_age),
            ("max_bytes", found.max_bytes, wanted.max_bytes),
        ):
            if has != asked:
                logger.warning("stream.differs", extra={"setting": name, "stream": has, "configured": asked})

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
            reply = await self._ask(client, self.subject(last.subject), last.payload, headers, seconds)
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
        return self._sequences(msgspec.json.decode(reply.data, type=dict[str, Any]), len(messages))

    async def _ask(
        self, client: Client, subject: str, payload: bytes, headers: dict[str, str], seconds: float
    ) -> Msg:
        """Send a request; when the connection is lost, nobody waits for the answer any longer."""
        asking = asyncio.ensure_future(client.request(subject, payload, timeout=seconds, headers=headers))
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

    # Following.

    def follow(
        self, after: int, deliver: Callable[[Delivered], Awaitable[None]], lost: Callable[[str], None]
    ) -> None:
        """Have everything after a sequence delivered, in order and for ever.

        Args:
            after: the sequence that was delivered last.
            deliver: takes a message; the next one comes when it returns.
            lost: is told, once, when what comes next cannot be had: the stream has been trimmed beyond it, or is
                another one than before.
        """
        self._next, self._deliver, self._lost = after + 1, deliver, lost
        self._anew.set()
        self._follower = asyncio.create_task(self._follow(), name="follow the stream")

    async def _follow(self) -> None:
        epoch = self.facts.epoch if self.facts is not None else None
        broken_since: float | None = None
        looked = 0.0
        while True:
            await self._back.wait()
            silent = not self._delivering and monotonic() - self._heard > SILENT_SECONDS
            anew = self._anew.is_set() or silent
            if anew or monotonic() - looked > LOOK_SECONDS:
                self._anew.clear()
                try:
                    try:
                        reason = self._broken(await self.look(), epoch)
                    except Gone as error:
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
                        await self._consume()
                except (StoreError, NatsError, TimeoutError, OSError) as error:
                    logger.debug("stream.look_failed", extra={"reason": words(error)})
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

    async def _consume(self) -> None:
        """Make the consumer anew, from what comes next."""
        client = self._connection
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
            "stream_name": self._name,
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
        reply = await client.request(
            f"$JS.API.CONSUMER.CREATE.{self._name}.{consumer}",
            msgspec.json.encode(request),
            timeout=REQUEST_SECONDS,
        )
        answer = msgspec.json.decode(reply.data, type=dict[str, Any])
        if "error" in answer:
            raise StoreError(f"The stream cannot be followed: {answer['error'].get('description')}.")
        self._heard = monotonic()

    async def _received(self, client: Client, message: Msg) -> None:
        self._heard = monotonic()
        headers = message.headers or {}
        if headers.get("Status") == "100":
            with suppress(NatsError):
                if message.reply:
                    await client.publish(message.reply)
                elif stalled := headers.get("Nats-Consumer-Stalled"):
                    await client.publish(stalled)
                elif int(headers.get("Nats-Last-Stream", "-1")) == self._next - 1:
                    self.in_step = self._heard
                else:
                    self._anew.set()
            return
        sequence, time, pending = _place(message.reply)
        if sequence != self._next:
            if sequence > self._next:
                # Something was dropped on the way: once more, from where it was.
                self._consumer = ""
                self._anew.set()
            return
        self._next += 1
        if pending == 0:
            self.in_step = self._heard
        self._delivering = True
        try:
            await self._deliver(Delivered(sequence, time, headers.get("Nats-Msg-Id"), message.data))
        finally:
            self._delivering = False
            self._heard = monotonic()

    # States that nodes leave for each other.

    async def save_state(self, checkpoint: StateCheckpoint) -> None:
        """Leave a folded state for a node that has lost its copy.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            store = await self._states()
            await store.put(self._life, b"%d\n%b" % (checkpoint.id, checkpoint.state))

    async def load_state(self) -> StateCheckpoint | None:
        """Return the newest state that a node has left; None where there is none.

        Raises:
            StoreError: NATS does not answer.
        """
        async with _Asking():
            try:
                found = await (await self._states()).get(self._life)
            except NotFoundError:
                return None
            id_, _, state = (found.data or b"").partition(b"\n")
            return StateCheckpoint(int(id_), state) if id_.isdigit() else None

    @property
    def _life(self) -> str:
        return self.facts.epoch if self.facts is not None else ""

    async def _states(self) -> Any:
        bucket = f"{self._name}_states"
        try:
            return await self._js.object_store(bucket)
        except (BucketNotFoundError, NotFoundError):
            return await self._js.create_object_store(
                bucket, ObjectStoreConfig(bucket=bucket, replicas=self._cluster.replicas)
            )


class _Asking:
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


def _place(reply: str) -> tuple[int, int, int]:
    """Read sequence, time in milliseconds, and what is pending, out of a delivery's reply subject (ADR-15)."""
    tokens = reply.split(".")
    start = 5 if len(tokens) == 9 else 7
    return int(tokens[start]), int(tokens[start + 2]) // 1_000_000, int(tokens[start + 3])
