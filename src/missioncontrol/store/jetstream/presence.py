"""The nodes of a fleet: who is there, what each host is called, and which node watches a host's folder.

Presence is heard, not stored: each node says every two seconds how it is, and is away when it has not for six. Names
and leases are stored, because two must never have the same.

Invariants:

- a host's name belongs to one machine and workspace; another one that would be called the same gets a number behind it,
  or is refused where its name was configured and the other one is alive;
- the sources of a host run at one node at a time, and notifications are sent by one: by whoever holds the lease, which
  ends by itself when its node does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from time import monotonic
from typing import Any

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import (
    APIError,
    BucketNotFoundError,
    KeyNotFoundError,
    KeyWrongLastSequenceError,
    NotFoundError,
    ServiceUnavailableError,
)

from missioncontrol.errors import OpenError, StoreError
from missioncontrol.events import now, rfc3339
from missioncontrol.events.hosts import host_named, is_host
from missioncontrol.private_files import write_private
from missioncontrol.store.jetstream.link import StreamLink, words

BEAT_SECONDS = 2.0
AWAY_SECONDS = 6.0
LEASE_SECONDS = 10.0
FORGET_SECONDS = 24 * 3600.0
MAX_NODES = 10_000
MAX_WORDS_BYTES = 16 * 1024
"""How long what a node says of itself, or of its name, may be."""

NOTIFY_LEASE = "_notify"
"""The lease of the one node that sends the fleet's notifications; no host can be called so."""

STANDUP_LEASE = "_standup"
"""The lease of the one node that holds the fleet's scheduled standups."""

logger = logging.getLogger(__name__)


class Node(msgspec.Struct, rename="camel", kw_only=True):
    """How a node says it is; `lag` is how many events of the stream it has not read yet, `at` when it said so."""

    node: str
    host: str
    clients: int = 0
    head: int = 0
    lag: int = 0
    sources: bool = False
    draining: bool = False
    version: str = ""
    at: str = ""


class HostClaim(msgspec.Struct, rename="camel"):
    """To which machine and workspace a host's name belongs."""

    owner: str
    machine: str
    workspace: str
    claimed: str


_node_decoder = msgspec.json.Decoder(Node)
_claim_decoder = msgspec.json.Decoder(HostClaim)


class Nodes:
    """What one node knows of the others. Belongs to the connection that `link` keeps."""

    def __init__(self, link: StreamLink, folder: Path, stream: str, replicas: int) -> None:
        """Prepare.

        Args:
            link: the connection.
            folder: the data folder, where this node keeps its own name.
            stream: the name that everything of this fleet begins with in NATS.
            replicas: on how many servers names and leases are kept.
        """
        self.name = _node_name(folder)
        self._link = link
        self._stream = stream
        self._replicas = replicas
        self._subject = f"{stream}.nodes"
        self._heard: dict[str, tuple[Node, float]] = {}
        self._tell: Callable[[], Node] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._leases: dict[str, int] = {}

    # Names of hosts.

    async def claim(self, wanted: str | None, workspace: Path) -> str:
        """Take a name for this host, the one it had before where it had one.

        Args:
            wanted: the configured name; without one this machine's.
            workspace: the folder that this host owns.

        Raises:
            OpenError: the configured name is another host's, and that one is alive; or none can be kept.
            StoreError: NATS does not answer.
        """
        machine = socket.gethostname()
        owner = sha256(f"{machine}\n{_machine_id()}\n{workspace}".encode()).hexdigest()[:16]
        claim = HostClaim(owner, machine, str(workspace), rfc3339(now()).decode())
        try:
            bucket = await self._bucket("hosts")
            if wanted is not None:
                await self._claim_configured(bucket, wanted, claim)
                return wanted
            name, number = host_named(machine.partition(".")[0]), 1
            while True:
                host = name if number == 1 else f"{name[:58]}-{number}"
                if await self._claim_free(bucket, host, claim):
                    return host
                number += 1
        except APIError as error:
            if isinstance(error, ServiceUnavailableError):
                # That is how servers say that they have no JetStream, or none at the moment.
                raise StoreError(f"NATS does not answer: {error.description or 'no JetStream'}.") from None
            raise OpenError(
                f"The names of hosts cannot be kept in {self._stream}_hosts: {error.description}. "
                f"Check JetStream's limits and the account's permissions, or change [cluster]."
            ) from None
        except (NatsError, TimeoutError) as error:
            raise StoreError(f"NATS does not answer: {words(error)}.") from None

    async def hosts(self) -> dict[str, HostClaim]:
        """Return all hosts that have a name.

        Raises:
            StoreError: NATS does not answer.
        """
        found: dict[str, HostClaim] = {}
        try:
            bucket = await self._bucket("hosts")
            with suppress(NotFoundError, APIError):
                for host in await bucket.keys():
                    with suppress(KeyNotFoundError):
                        claim = _read_claim((await bucket.get(host)).value)
                        if is_host(host) and claim is not None:
                            found[host] = claim
        except (NatsError, TimeoutError) as error:
            raise StoreError(f"NATS does not answer: {words(error)}.") from None
        return found

    async def _claim_free(self, bucket: Any, host: str, claim: HostClaim) -> bool:
        try:
            await bucket.create(host, msgspec.json.encode(claim))
        except KeyWrongLastSequenceError:
            known = _read_claim((await bucket.get(host)).value)
            return known is not None and known.owner == claim.owner
        return True

    async def _claim_configured(self, bucket: Any, host: str, claim: HostClaim) -> None:
        if await self._claim_free(bucket, host, claim):
            return
        known = _read_claim((await bucket.get(host)).value)
        machine = "an unknown machine" if known is None else known.machine
        if await self._alive(host):
            workspace = "" if known is None else f", with the workspace {known.workspace}"
            raise OpenError(
                f"Another host is called {host!r} already: {machine}{workspace}. "
                f"Choose another name with cluster.host."
            )
        # Whoever had the name is gone, such as a machine that was replaced.
        logger.warning("host.taken_over", extra={"host": host, "was": machine})
        await bucket.put(host, msgspec.json.encode(claim))

    async def _alive(self, host: str) -> bool:
        """Listen for a while whether any node speaks for a host."""
        heard = asyncio.Event()

        async def listen(message: Msg) -> None:
            node = _read_node(message.data)
            if node is not None and node.host == host and node.node != self.name:
                heard.set()

        subscription = await self._link.client.subscribe(self._subject, cb=listen)
        try:
            async with asyncio.timeout(BEAT_SECONDS * 1.5):
                await heard.wait()
        except TimeoutError:
            pass
        finally:
            await subscription.unsubscribe()
        return heard.is_set()

    # Presence.

    async def start(self, tell: Callable[[], Node]) -> None:
        """Say how this node is, again and again, and hear the others."""
        self._tell = tell
        self._beat = asyncio.create_task(self._keep_beating(), name="say that this node is there")

    async def stop(self) -> None:
        """Let go of the leases, and say nothing more."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        if self._leases and self._link.connected:
            with suppress(NatsError, TimeoutError, StoreError):
                async with asyncio.timeout(1.0):
                    bucket = await self._bucket("leases", LEASE_SECONDS)
                    for name, revision in self._leases.items():
                        await bucket.delete(name, last=revision)

    def all(self) -> list[Node]:
        """Return the nodes that are there, this one first."""
        limit = monotonic() - AWAY_SECONDS
        own = [self._tell()] if self._tell is not None else []
        others = [node for name, (node, at) in self._heard.items() if at > limit and name != self.name]
        return own + sorted(others, key=lambda node: node.node)

    def last_words(self) -> dict[str, str]:
        """Return, by host, when a node last spoke for it, as far as this one has heard."""
        words: dict[str, str] = {}
        for node, _ in self._heard.values():
            words[node.host] = max(node.at, words.get(node.host, ""))
        return words

    async def _keep_beating(self) -> None:
        subscribed = False
        while True:
            try:
                client = self._link.client
                if not subscribed:
                    await client.subscribe(self._subject, cb=self._listen)
                    subscribed = True
                if self._tell is not None:
                    await client.publish(self._subject, msgspec.json.encode(self._tell()))
            except (NatsError, StoreError, OSError):
                # NATS is away; what is known of it is reported elsewhere.
                pass
            except Exception:
                # A node that falls silent is taken for dead by all others.
                logger.exception("presence.failed")
            await asyncio.sleep(BEAT_SECONDS)

    async def _listen(self, message: Msg) -> None:
        node = _read_node(message.data)
        if node is None:
            return
        # The one that spoke last is last in the dictionary, so that the oldest is first.
        self._heard.pop(node.node, None)
        self._heard[node.node] = (node, monotonic())
        limit = monotonic() - FORGET_SECONDS
        while self._heard:
            oldest, (_, at) = next(iter(self._heard.items()))
            if at >= limit and len(self._heard) <= MAX_NODES:
                break
            del self._heard[oldest]

    # Leases.

    async def hold_lease(self, name: str) -> bool:
        """Take or renew a lease; says whether this node has it now.

        Args:
            name: the host whose sources it is for, or one of the leases of the whole fleet.

        Raises:
            StoreError: NATS does not answer; a lease that was held goes on until it ends.
        """
        try:
            bucket = await self._bucket("leases", LEASE_SECONDS)
            value = self.name.encode()
            held = self._leases.get(name)
            try:
                if held is None:
                    self._leases[name] = await bucket.create(name, value)
                else:
                    self._leases[name] = await bucket.update(name, value, last=held)
            except KeyWrongLastSequenceError:
                self._leases.pop(name, None)
                with suppress(KeyNotFoundError):
                    entry = await bucket.get(name)
                    if entry.value == value:
                        # This node had it before it was started again.
                        self._leases[name] = await bucket.update(name, value, last=entry.revision)
        except KeyWrongLastSequenceError:
            return False
        except (NatsError, TimeoutError) as error:
            raise StoreError(f"NATS does not answer: {words(error)}.") from None
        return name in self._leases

    async def _bucket(self, name: str, ttl: float | None = None) -> Any:
        context = self._link.client.jetstream(timeout=2.0)
        bucket = f"{self._stream}_{name}"
        try:
            return await context.key_value(bucket)
        except (BucketNotFoundError, NotFoundError):
            return await context.create_key_value(bucket=bucket, replicas=self._replicas, ttl=ttl, history=1)


def _read_node(data: bytes) -> Node | None:
    """Read how a node says it is; None where that is nothing that a node says."""
    try:
        node = _node_decoder.decode(data) if len(data) <= MAX_WORDS_BYTES else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    return node if node is not None and is_host(node.host) and len(node.node) <= 200 else None


def _read_claim(data: bytes | None) -> HostClaim | None:
    try:
        return _claim_decoder.decode(data) if data and len(data) <= MAX_WORDS_BYTES else None
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _node_name(folder: Path) -> str:
    """Return this node's name, which it keeps in its data folder."""
    path = folder / "node"
    try:
        name = path.read_text(encoding="utf-8").strip()
    except OSError:
        name = ""
    if not name:
        name = f"{host_named(socket.gethostname().partition('.')[0])[:40]}-{token_hex(3)}"
        with suppress(OSError):
            write_private(path, f"{name}\n")
    return name


def _machine_id() -> str:
    for path in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        with suppress(OSError):
            return Path(path).read_text(encoding="ascii").strip()
    return ""
