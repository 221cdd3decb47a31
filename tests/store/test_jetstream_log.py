"""What the log of several nodes promises beyond what every log does, with real NATS servers."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats as nats_client
import pytest
from tests.nats_process import NatsProcess

from missioncontrol.config import load_config
from missioncontrol.errors import Draining, OpenError, Outdated, StoreError
from missioncontrol.events import EVERYTHING, Draft, Record, decode_event
from missioncontrol.store import Checkpoint, StateCheckpoint
from missioncontrol.store.jetstream import JetStreamLog, mirror
from missioncontrol.store.schema import DATABASE_NAME

pytestmark = [pytest.mark.anyio, pytest.mark.nats]


class Nodes:
    """Logs of several nodes over one stream, each with its data in a folder of its own."""

    def __init__(self, folder: Path, server: NatsProcess) -> None:
        self.folder = folder
        self.server = server
        self.stream = f"T{uuid4().hex[:12]}"
        self._open: list[JetStreamLog] = []

    async def open(self, name: str, settings: dict[str, Any] | None = None) -> JetStreamLog:
        flags = {"log.url": self.server.url, "cluster.stream": self.stream, "cluster.publish_timeout": 2.0}
        config = load_config(flags=flags | (settings or {}))
        log = await JetStreamLog.open(self.folder / name, config, name)
        self._open.append(log)
        return log

    def lose(self, name: str) -> None:
        shutil.rmtree(self.folder / name)

    async def close(self) -> None:
        for log in self._open:
            await log.close()


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "FIRST_CONNECT_SECONDS", 1.5)


@pytest.fixture
async def nodes(nats: NatsProcess, tmp_path: Path) -> AsyncIterator[Nodes]:
    nodes = Nodes(tmp_path, nats)
    yield nodes
    await nodes.close()


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[Nodes]:
    """Nodes over a server of their own, that may be killed."""
    with NatsProcess(tmp_path / "nats") as server:
        server.start()
        nodes = Nodes(tmp_path, server)
        yield nodes
        server.resume()
        await nodes.close()


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - many conditions, none of which tells
            await asyncio.sleep(0.01)


def drafts(count: int, **fields: Any) -> list[Draft]:
    return [Draft("custom:event", {"n": n}, **fields) for n in range(count)]


async def bodies(log: JetStreamLog) -> list[bytes]:
    after, found = log.first - 1, []
    while after < log.head:
        page = await log.read(after, EVERYTHING)
        found += page.bodies
        after = page.last
    return found


async def test_all_nodes_have_the_same_events_byte_for_byte(nodes: Nodes) -> None:
    alpha, beta = await nodes.open("alpha"), await nodes.open("beta")
    heard: list[int] = []
    beta.listen(lambda records: heard.extend(record.id for record in records))
    await asyncio.gather(*(log.append(drafts(7)) for log in (alpha, beta) for _ in range(20)))
    await until(lambda: alpha.head == beta.head == 280)
    assert alpha.epoch == beta.epoch
    assert heard == list(range(1, 281))
    assert await bodies(alpha) == await bodies(beta)
    assert {decode_event(body).host for body in await bodies(alpha)} == {"alpha", "beta"}


async def test_an_append_is_heard_at_home_before_it_returns(nodes: Nodes) -> None:
    log = await nodes.open("alpha")
    heard: list[Record] = []
    log.listen(heard.extend)
    assert await log.append(drafts(3)) == [1, 2, 3]
    assert [(record.id, record.host) for record in heard] == [(1, "alpha"), (2, "alpha"), (3, "alpha")]


async def test_a_copy_that_is_lost_is_made_again_with_what_sources_remember(nodes: Nodes) -> None:
    alpha, beta = await nodes.open("alpha"), await nodes.open("beta")
    await alpha.append(drafts(2), Checkpoint("files", {"a": b"1", "b": b"2"}))
    await alpha.append(drafts(1), Checkpoint("files", {"a": None, "c": b"\x00\xff"}))
    await beta.append(drafts(1), Checkpoint("files", {"of": b"beta"}))
    await until(lambda: alpha.head == 4)
    before, epoch = await bodies(alpha), alpha.epoch
    await alpha.close()
    nodes.lose("alpha")
    again = await nodes.open("alpha")
    assert (again.epoch, again.first, again.head) == (epoch, 1, 4)
    assert await bodies(again) == before
    assert await again.recall("files") == {"b": b"2", "c": b"\x00\xff"}


async def test_more_to_remember_than_a_message_takes_is_kept_all_the_same(nodes: Nodes) -> None:
    log = await nodes.open("alpha")
    large = uuid4().bytes * 100_000
    await log.append(drafts(1), Checkpoint("files", {"large": large}))
    assert await log.recall("files") == {"large": large}


async def test_a_key_holds_across_nodes_and_restarts(nodes: Nodes) -> None:
    alpha, beta = await nodes.open("alpha"), await nodes.open("beta")
    assert await alpha.append([Draft("a:b", {}, key="k☃\n1")]) == [1]
    assert await beta.append([Draft("a:b", {}, key="k☃\n1")]) == [1]
    results = await asyncio.gather(
        *(
            log.append([Draft("a:b", {}, key="same"), Draft("a:b", {}, key=f"{n}")])
            for n, log in enumerate([alpha, beta] * 5)
        )
    )
    assert len({ids[0] for ids in results}) == 1
    assert len({ids[1] for ids in results}) == 10
    await until(lambda: beta.head == alpha.head == 12)
    await beta.close()
    nodes.lose("beta")
    again = await nodes.open("beta")
    assert await again.append([Draft("a:b", {}, key="k☃\n1")]) == [1]


async def test_a_key_is_known_long_after_the_stream_has_forgotten_it(nodes: Nodes) -> None:
    alpha = await nodes.open("alpha", {"cluster.duplicate_window": 1.0})
    beta = await nodes.open("beta", {"cluster.duplicate_window": 1.0})
    assert await alpha.append([Draft("a:b", {}, key="k")]) == [1]
    await asyncio.sleep(1.5)
    assert await beta.append([Draft("a:b", {}, key="k")]) == [1]
    assert await beta.append([Draft("a:b", {}, key="k"), Draft("a:b", {}, key="l")]) == [1, 2]


async def test_of_two_nodes_that_change_a_task_at_once_one_is_first(nodes: Nodes) -> None:
    alpha, beta = await nodes.open("alpha"), await nodes.open("beta")
    await alpha.append([Draft("task:created", {"task": {"id": "T-1"}})])
    await until(lambda: beta.head == 1)
    change = Draft("task:updated", {"taskId": "T-1@alpha", "updates": {}})
    for turn in range(1, 20):
        results = await asyncio.gather(
            alpha.append([change], after=turn), beta.append([change], after=turn), return_exceptions=True
        )
        assert sorted(map(type, results), key=str) == [list, Outdated]
        await until(lambda turn=turn: alpha.head == beta.head == turn + 1)  # type: ignore[misc]


async def test_while_nats_is_away_reading_goes_on_and_appending_says_so(own: Nodes) -> None:
    log = await own.open("alpha")
    await log.append(drafts(3))
    own.server.kill()
    await until(lambda: log.trouble is not None)
    with pytest.raises(StoreError, match="NATS is away") as refused:
        await log.append(drafts(1))
    assert refused.value.retry_after > 0
    assert len(await bodies(log)) == 3
    own.server.start()
    await until(lambda: log.trouble is None)
    assert await log.append(drafts(1)) == [4]


async def test_an_append_outlives_a_short_absence(own: Nodes) -> None:
    log = await own.open("alpha", {"cluster.publish_timeout": 15.0})
    await log.append(drafts(1))
    own.server.kill()
    waiting = asyncio.create_task(log.append(drafts(2)))
    await asyncio.sleep(0.3)
    own.server.start()
    assert await waiting == [2, 3]


async def test_an_answer_that_was_lost_is_found_out(own: Nodes) -> None:
    log = await own.open("alpha", {"cluster.publish_timeout": 15.0})
    await log.append(drafts(1))
    for _ in range(3):
        head = log.head
        own.server.pause()
        waiting = asyncio.create_task(log.append(drafts(5)))
        await asyncio.sleep(0.2)
        own.server.resume()
        await asyncio.sleep(0)
        own.server.kill()
        own.server.start()
        assert await waiting == list(range(head + 1, head + 6))
        assert log.head == head + 5


async def test_killing_the_server_again_and_again_loses_and_doubles_nothing(own: Nodes) -> None:
    alpha = await own.open("alpha", {"cluster.publish_timeout": 20.0})
    beta = await own.open("beta", {"cluster.publish_timeout": 20.0})
    heard: list[Record] = []
    beta.listen(heard.extend)
    acknowledged: list[int] = []
    stop = asyncio.Event()

    async def publish(log: JetStreamLog, name: str) -> None:
        n = 0
        while not stop.is_set():
            (id_,) = await log.append([Draft("a:b", {"who": name, "n": n}, key=f"{name}-{n}")])
            acknowledged.append(id_)
            n += 1

    publishers = [
        asyncio.create_task(publish(log, name))
        for log in (alpha, beta)
        for name in (f"{log.host}1", f"{log.host}2")
    ]
    for _ in range(4):
        await asyncio.sleep(0.3)
        own.server.kill()
        own.server.start()
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*publishers)
    await until(lambda: alpha.head == beta.head)
    assert len(set(acknowledged)) == len(acknowledged) == alpha.head == len(heard)
    assert [record.id for record in heard] == list(range(1, alpha.head + 1))
    for name in {record.data["who"] for record in heard}:
        told = [record.data["n"] for record in heard if record.data["who"] == name]
        assert told == list(range(len(told)))


async def test_what_was_accepted_before_the_end_is_in_the_stream(nodes: Nodes) -> None:
    log, other = await nodes.open("alpha"), await nodes.open("beta")
    waiting = [asyncio.create_task(log.append(drafts(3))) for _ in range(20)]
    await asyncio.sleep(0)
    await log.close()
    ids = await asyncio.gather(*waiting)
    assert sorted(id_ for some in ids for id_ in some) == list(range(1, 61))
    await until(lambda: other.head == 60)


async def test_nobody_waits_for_ever_for_a_log_that_ends_while_nats_is_away(own: Nodes) -> None:
    log = await own.open("alpha", {"cluster.publish_timeout": 30.0})
    await log.append(drafts(1))
    own.server.kill()
    await until(lambda: log.trouble is not None)
    waiting = [asyncio.create_task(log.append(drafts(1))) for _ in range(3)]
    await asyncio.sleep(0.1)
    await log.close()
    results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
    assert [type(result) for result in results] == [Draining] * 3


async def test_a_log_ends_at_once_while_an_answer_is_waited_for(own: Nodes) -> None:
    log = await own.open("alpha", {"cluster.publish_timeout": 30.0})
    await log.append(drafts(1))
    own.server.pause()
    waiting = asyncio.create_task(log.append(drafts(1)))
    await asyncio.sleep(0.2)
    own.server.kill()
    await until(lambda: log.trouble is not None)
    await asyncio.wait_for(log.close(), 5)
    with pytest.raises(Draining):
        await waiting


async def test_a_node_starts_from_its_copy_while_nats_is_away(own: Nodes) -> None:
    log = await own.open("alpha")
    await log.append(drafts(3))
    epoch = log.epoch
    await log.close()
    own.server.kill()
    log = await own.open("alpha")
    assert (log.epoch, log.head, log.trouble is None) == (epoch, 3, False)
    own.server.start()
    await until(lambda: log.trouble is None)
    assert await log.append(drafts(1)) == [4]


async def test_without_nats_and_without_a_copy_there_is_nothing_to_serve(own: Nodes) -> None:
    own.server.kill()
    with pytest.raises(OpenError, match="no copy to read from"):
        await own.open("alpha")


async def test_a_stream_that_lost_its_tail_begins_a_new_epoch(own: Nodes) -> None:
    log = await own.open("alpha")
    await log.append(drafts(2))
    kept = own.folder / "backup"
    await log.close()
    own.server.stop()
    shutil.copytree(own.folder / "nats" / "jetstream", kept)
    own.server.start()
    log = await own.open("alpha")
    epoch = log.epoch
    await log.append(drafts(3))
    await log.close()
    own.server.kill()
    own.server.erase()
    shutil.copytree(kept, own.folder / "nats" / "jetstream")
    own.server.start()
    log = await own.open("alpha")
    assert log.epoch != epoch
    assert log.head == 2
    assert await log.append(drafts(1)) == [3]


async def test_a_stream_that_was_made_again_is_noticed_by_a_running_node(own: Nodes) -> None:
    log = await own.open("alpha")
    await log.append(drafts(2))
    replaced: list[str] = []
    log.replaced = replaced.append
    own.server.kill()
    own.server.erase()
    own.server.start()
    other = await own.open("beta")
    await until(lambda: bool(replaced), 30.0)
    assert "new epoch" in replaced[0] or "ends at" in replaced[0]
    assert other.epoch != log.epoch
    with pytest.raises(StoreError, match="cannot go on"):
        await log.append(drafts(1))


async def test_a_stream_that_cannot_be_made_is_refused_with_the_reason(nodes: Nodes) -> None:
    with pytest.raises(OpenError, match=r"cannot be made: replicas > 1 not supported.*\[cluster\]"):
        await nodes.open("alpha", {"cluster.replicas": 3})


async def test_a_stream_that_does_not_fit_is_refused_and_left_alone(nodes: Nodes) -> None:
    client = await nats_client.connect(nodes.server.url)
    try:
        await client.jetstream().add_stream(name=nodes.stream, subjects=["something.else"])
        with pytest.raises(OpenError, match=r"does not fit.*subjects.*cluster\.stream"):
            await nodes.open("alpha")
        info = await client.jetstream().stream_info(nodes.stream)
        assert info.config.subjects == ["something.else"]
    finally:
        await client.close()


async def test_what_somebody_else_writes_into_the_stream_has_its_place_and_harms_nothing(
    nodes: Nodes,
) -> None:
    log = await nodes.open("alpha")
    client = await nats_client.connect(nodes.server.url)
    try:
        forged = b'{"type":"a:b","source":"x","host":"x\\",\\"id\\":1,\\"y","data":{}}'
        for payload in (b"", b"{}", b"\xff\x00", b'{"type":1}', b"[" * 1000, forged):
            await client.jetstream().publish(f"{nodes.stream}.events.x", payload)
    finally:
        await client.close()
    await until(lambda: log.head == 6)
    assert await log.append(drafts(1)) == [7]
    assert {decode_event(body).type for body in await bodies(log)} == {"log:unreadable", "custom:event"}


async def test_a_state_that_a_node_left_serves_one_that_lost_its_copy(nodes: Nodes) -> None:
    settings = {"log.retention_bytes": 65_536}
    alpha = await nodes.open("alpha", settings)
    for _ in range(10):
        await alpha.append([Draft("custom:event", {"pad": "x" * 1000}) for _ in range(50)])
    await alpha.save_state(StateCheckpoint(alpha.head, b"folded"))
    await alpha.append(drafts(1))
    beta = await nodes.open("beta", settings)
    assert beta.first > 1
    assert (beta.head, beta.epoch) == (501, alpha.epoch)
    assert await beta.load_state(beta.head) == StateCheckpoint(500, b"folded")


async def test_a_token_or_password_that_is_wrong_is_said(tmp_path: Path) -> None:
    with NatsProcess(tmp_path / "nats", config='authorization { user: "u", password: "secret" }') as server:
        server.start()
        nodes = Nodes(tmp_path, server)
        with pytest.raises(OpenError, match="Authorization"):
            await nodes.open("alpha")
        log = await nodes.open("beta", {"log.url": server.url.replace("//", "//u:secret@")})
        assert await log.append(drafts(1)) == [1]
        await nodes.close()


async def test_a_damaged_copy_is_made_again_from_the_stream(nodes: Nodes) -> None:
    alpha = await nodes.open("alpha")
    await alpha.append(drafts(500, source="files"), Checkpoint("files", {"a": b"1"}))
    before, epoch = await bodies(alpha), alpha.epoch
    await alpha.close()
    copy = nodes.folder / "alpha" / "copy" / DATABASE_NAME
    os.truncate(copy, copy.stat().st_size // 2)
    again = await nodes.open("alpha")
    assert (again.epoch, await bodies(again)) == (epoch, before)
    assert await again.recall("files") == {"a": b"1"}


async def test_a_copy_that_is_damaged_while_it_is_used_is_replaced(nodes: Nodes) -> None:
    alpha = await nodes.open("alpha")
    await alpha.append(drafts(500))
    replaced = asyncio.Event()
    alpha.replaced = lambda _: replaced.set()
    copy = nodes.folder / "alpha" / "copy" / DATABASE_NAME
    os.truncate(copy, 0)
    async with asyncio.timeout(20):
        await replaced.wait()
    assert "damaged" in str(alpha.trouble)
    await alpha.close()
    again = await nodes.open("alpha")
    assert again.head == 500
    assert await again.append(drafts(1)) == [501]
