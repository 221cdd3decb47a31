"""The client: one subscription over whatever transport gets through, kept whole by its cursor.

The machine:

    CONNECTING ──▶ CONNECTED ◀──▶ RECONNECTING
        any of them ──(close, or the server refuses)──▶ CLOSED

One task reads, into a bounded `Feed`; while that is full nothing is read, and the server's own back-pressure does
the rest. Each new connection begins at the feed's position, so that connections may break off, overlap or change
their transport at any point: what comes twice is dropped by its id, what is lost the server tells by a gap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from missioncontrol.client.feed import Feed
from missioncontrol.client.http import USER_AGENT, Address, Api, credentials
from missioncontrol.client.items import (
    ClientError,
    ClientState,
    Item,
    Restarting,
    Snapshot,
    Transport,
    Unreachable,
    Unsuitable,
)
from missioncontrol.client.links import LINKS, Link, Received, Target
from missioncontrol.client.publishing import DEADLINE, Publisher
from missioncontrol.client.questions import Asking, Question, ask_and_wait, fetch_question, give_answer
from missioncontrol.client.route import Choice, Route
from missioncontrol.client.wire import Draining, read_snapshot
from missioncontrol.config import DEFAULT_URL
from missioncontrol.events import Cursor, Data, Draft, Patterns

OPEN_TIMEOUT = 10.0
SETTLED_AFTER = 5.0
"""Seconds after which a connection counts as good, even where nothing happened on it."""

StateListener = Callable[[ClientState, str], None]
"""Called at each change of state, with the reason in words where a connection was lost; and once more with
`connecting` and the reason where the very first attempt fails."""

_T = TypeVar("_T")


class Client:
    """Follows the events of one subscription: each exactly once, in order, and told where that cannot be.

        async with Client(events=["agent:*"], since=cursor) as client:
            async for item in client:
                match item:
                    case Event():
                        ...
                    case Gap():
                        ...

    Iteration goes on over losses of the network and restarts of the server; it ends with `close`, and with
    `Refused` where the server will not have this client. Keep `client.cursor` after an item has been worked on,
    and a later client goes on after it.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        events: Iterable[str] | str = "*",
        since: str | None = None,
        snapshot: bool = False,
        token: str | None = None,
        transport: Choice = "auto",
        heartbeat: float = 30.0,
        on_state: StateListener | None = None,
    ) -> None:
        """Say what is wanted; the connection is made by `async with`.

        Args:
            url: where the server is, `http://HOST:PORT`.
            events: patterns: types (`task:completed`), categories (`agent:*`), or `*`.
            since: the cursor of an earlier client, to go on after it; None begins with what happens from now on.
            snapshot: whether a `Snapshot` is to come first, and after each `Gap`; not where `since` is given.
            token: for a server that asks for one.
            transport: `auto` takes the best that gets through; or the one to use.
            heartbeat: seconds between signs of life as long as the server has not told its own.
            on_state: is told each change of state.

        Raises:
            BadCursor, BadPattern, ConfigError: an argument is not of its form.
        """
        self._address = Address(url)
        self._patterns = Patterns([events] if isinstance(events, str) else events)
        self._token = token
        credentials(token)
        self._snapshot = snapshot
        self._heartbeat = heartbeat
        self._on_state = on_state
        self._route = Route(transport)
        self._feed = Feed(None if since is None else Cursor.parse(since), snapshot=snapshot)
        self._state = ClientState.CONNECTING
        self._publisher = Publisher(url, token=token, deadline=DEADLINE)
        self._session: aiohttp.ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._switched = asyncio.Event()
        self._first_time = asyncio.Event()
        self._heard = 0.0
        self._worked = False
        self.last_error: ClientError | None = None
        """Why the last connection was lost, or could not be made."""

    @property
    def state(self) -> ClientState:
        """Where the client is."""
        return self._state

    @property
    def cursor(self) -> str | None:
        """Up to where the consumer has got everything; None before the first connection without a `since`."""
        return None if self._feed.cursor is None else str(self._feed.cursor)

    @property
    def transport(self) -> Transport:
        """The transport that is in use, or tried next."""
        return self._route.transport

    @property
    def waiting(self) -> int:
        """How many items are received and not yet handed over."""
        return len(self._feed)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers={"User-Agent": USER_AGENT}, trust_env=True)
        await self._publisher.__aenter__()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="mission-control client")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the stream: an iteration that is under way ends. Closing twice does nothing."""
        self._feed.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._publisher.__aexit__(None, None, None)
        if self._session is not None:
            await self._session.close()
        self._change(ClientState.CLOSED)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        if self._task is None:
            raise ClientError("Iterate inside `async with`: there is no connection before it.")
        return await self._feed.next()

    async def ready(self) -> None:
        """Wait until the first connection stands: without `since`, what happens from then on is told.

        Raises:
            ClientError: the server refuses, or the client was closed.
        """
        await self._first_time.wait()
        if self._state is ClientState.CLOSED:
            raise self.last_error or ClientError("The client was closed.")

    def switch(self, transport: Choice) -> None:
        """Use another transport from now on; the stream goes on where it is, nothing is lost or doubled.

        Raises:
            ConfigError: there is no such transport.
        """
        self._route.choose(transport)
        self._switched.set()

    async def publish(self, type: str, data: Data | None = None, key: str | None = None) -> int:  # noqa: A002
        """Publish one event and return its id, once it is durable; see `Publisher.publish`."""
        return await self._publisher.publish(type, data, key)

    async def publish_many(self, events: Iterable[Draft | dict[str, Any]]) -> list[int]:
        """Publish events in the order given and return their ids; see `Publisher.publish_many`."""
        return await self._publisher.publish_many(events)

    async def snapshot(self) -> Snapshot:
        """Ask for the whole state as it stands now, with its cursor.

        Raises:
            Refused: the server says no.
            Unreachable: there was no answer within 60 seconds.
        """
        return read_snapshot(await self._api().insist("GET", "/api/snapshot", deadline=DEADLINE))

    async def ask(
        self,
        text: str,
        *,
        options: Iterable[str] = (),
        agent_id: str | None = None,
        task_id: str | None = None,
        details: Data | None = None,
        expires_in: float | None = None,
        key: str | None = None,
    ) -> Question:
        """Ask a person, and return the question once it is answered or closed.

        Args:
            text: what is asked.
            options: the answers there are; none where any text will do.
            agent_id: who asks.
            task_id: the task that it is about.
            details: what else helps to decide.
            expires_in: seconds after which no answer is needed any more; then it is closed as `expired`.
            key: asked again under the same key, also by another process, it is the same question.

        Raises:
            Refused: the server does not take the question.
            Unreachable: it could not be asked; while it waits for the answer, the server may come and go.
        """
        asking = Asking(text, agent_id, list(options), task_id, details, expires_in)
        if key is not None:
            asking.key = key
        return await ask_and_wait(self._api(), asking)

    async def question(self, id_: str) -> Question:
        """Return a question with all that is to be shown before it is answered.

        Raises:
            Refused: there is no such question.
            Unreachable: there was no answer.
        """
        return await fetch_question(self._api(), id_)

    async def answer(
        self, question: str | Question, answer: str, *, by: str | None = None, digest: str | None = None
    ) -> Question:
        """Answer a question, and return it.

        Args:
            question: the question as it was read, or its id.
            answer: one of its options, or any text where it has none.
            by: who answers.
            digest: that of the question as it was shown, where only its id is given; a permission needs it.

        Raises:
            Refused: there is no such question, it is no longer open or not the one that was shown, or this is none of
                its answers.
            Unreachable: there was no acknowledgement.
        """
        return await give_answer(self._api(), question, answer, by, digest)

    async def call(self, path: str, *, timeout: float = 10.0) -> bytes:  # noqa: ASYNC109 - as `attempt` has it
        """Ask once for something of the HTTP API, such as `/api/tokens`; `timeout` in seconds.

        Raises:
            Refused: the server says no.
            Unreachable: there was no answer, or it says to try later.
        """
        return await self._api().attempt("GET", path, timeout=timeout)

    def _api(self) -> Api:
        return Api(self._address, self._token, self._opened_session())

    def _opened_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise ClientError("Use the client inside `async with`: it has no connection before it.")
        return self._session

    async def _run(self) -> None:
        """Keep a connection up until the server refuses or the client is closed."""
        failure: Exception | None = None
        try:
            while True:
                link: Link | None = await self._connect()
                while link is not None:
                    try:
                        link = await self._follow(link)
                    except Unreachable as loss:
                        link = None
                        await self._pause(loss, self._route.lost(loss, worked=self._worked))
        except ClientError as error:
            self.last_error = error
            failure = error
        except Exception as error:
            # Whatever it is, the consumer must hear of it rather than wait for ever.
            failure = error
        finally:
            self._feed.end(failure)
            self._change(ClientState.CLOSED, "" if failure is None else str(failure))
            self._first_time.set()

    async def _connect(self) -> Link:
        """Try until a link is open."""
        while True:
            try:
                return await self._open(self._route.transport, final=self._route.fixed)
            except Unreachable as failure:
                await self._pause(failure, self._route.failed(failure))

    async def _open(self, transport: Transport, *, final: bool) -> Link:
        link: Link = LINKS[transport](
            Target(
                self._address,
                self._patterns,
                self._snapshot,
                self._heartbeat,
                self._token,
                self._opened_session(),
            )
        )
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await link.open(self._feed.position, final=final)
        except TimeoutError:
            await link.close()
            raise Unsuitable(f"No connection by {transport} within {OPEN_TIMEOUT:g} seconds.") from None
        except BaseException:
            await link.close()
            raise
        return link

    async def _follow(self, link: Link) -> Link | None:
        """Read from the link until its time is over; return the better one that has taken its place, if any.

        Raises:
            Refused: the server says no.
            Unreachable: the link is lost; `_worked` says whether it had been good for something.
        """
        loop = asyncio.get_running_loop()
        opened, position = loop.time(), self._feed.position
        # A link that goes on from a position has not been asked for the snapshot that an earlier one owes.
        owed = self._feed.snapshot_due and position is not None
        read = loop.create_task(self._read(link, owed=owed))
        watch = loop.create_task(self._watch(link))
        climb = loop.create_task(self._climb())
        switched = loop.create_task(self._switched.wait())
        tasks: tuple[asyncio.Task[Any], ...] = (read, watch, climb, switched)
        better: Link | None = None
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if switched.done():
                self._switched.clear()
            elif climb.done():
                better, transport = climb.result()
                self._route.climbed(transport)
            elif watch.done():
                watch.result()
            else:
                read.result()
            return better
        finally:
            self._worked = loop.time() - opened > SETTLED_AFTER or self._feed.position != position
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if better is None and not climb.cancelled() and climb.exception() is None:
                await climb.result()[0].close()
            await link.close()

    async def _read(self, link: Link, *, owed: bool) -> None:
        loop = asyncio.get_running_loop()
        self._heard = loop.time()
        while True:
            self._take(await link.receive())
            self._heard = loop.time()
            if self._state is not ClientState.CONNECTED:
                self._route.opened()
                self._change(ClientState.CONNECTED)
                self._first_time.set()
            if self._feed.snapshot_due and (owed or not link.has_snapshots):
                body = await self._api().attempt("GET", "/api/snapshot", timeout=OPEN_TIMEOUT)
                self._feed.take(read_snapshot(body), len(body))
            owed = False
            if self._feed.full:
                await self._feed.room()
                self._heard = loop.time()

    def _take(self, received: Received) -> None:
        share = received.size // max(1, len(received.messages))
        for message in received.messages:
            self._feed.take(message, share)
            if isinstance(message, Draining):
                raise Restarting(message.reconnect_after)

    async def _watch(self, link: Link) -> None:
        """Give signs of life, and end a link on which none come."""
        loop = asyncio.get_running_loop()
        pinged = loop.time()
        while True:
            await asyncio.sleep(link.heartbeat / 4)
            # What is not read because the consumer is slow says nothing about the other side.
            silent = 0.0 if self._feed.full else loop.time() - self._heard
            if silent >= 2 * link.heartbeat:
                raise Unreachable(f"Nothing was heard for {silent:.1f} seconds.")
            if loop.time() - pinged >= link.heartbeat:
                pinged = loop.time()
                await link.ping()

    async def _climb(self) -> tuple[Link, Transport]:
        """From a lower rung look upward now and then; the old link is read until the better one stands."""
        while True:
            if not (higher := self._route.higher):
                await _forever()
            await asyncio.sleep(self._route.climb_delay())
            for transport in higher:
                try:
                    return await self._open(transport, final=False), transport
                except ClientError:
                    continue

    async def _pause(self, loss: Unreachable, delay: float) -> None:
        """Wait before the next attempt; a change of transport ends the wait."""
        first, self.last_error = self.last_error is None, loss
        if self._state is ClientState.CONNECTED:
            self._change(ClientState.RECONNECTING, str(loss))
        elif first and self._on_state is not None:
            self._on_state(self._state, str(loss))
        await _within(self._switched.wait(), delay)
        self._switched.clear()

    def _change(self, state: ClientState, reason: str = "") -> None:
        if state is self._state or self._state is ClientState.CLOSED:
            return
        self._state = state
        if self._on_state is not None:
            self._on_state(state, reason)


async def _within(work: Awaitable[_T], seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        pass


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
