"""What the SQLite log promises beyond the contract: restarts, damage, full disks, retention."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from missioncontrol.errors import Damaged, DamagedFile, DiskFull, OpenError, Outdated, StoreError
from missioncontrol.events import EVERYTHING, Draft, Record, decode_event
from missioncontrol.store import Checkpoint, Retention, SqliteLog, StateCheckpoint
from missioncontrol.store.schema import DATABASE_NAME, GUARD_NAME, MIGRATIONS
from missioncontrol.store.work import Call

pytestmark = pytest.mark.anyio


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.01)


async def on_writer(log: SqliteLog, sql: str) -> None:
    """Run a statement on the writer's own connection, outside any transaction."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def work(connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        connection.execute(sql)
        connection.execute("BEGIN IMMEDIATE")

    log._writer.queue.put(Call(work, done))
    await done


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    assert log.new_epoch_reason == "the log is new"
    await log.append(
        [Draft("a:b", {"n": n}, key=f"k{n}") for n in range(700)], Checkpoint("files", {"x": b"y"})
    )
    await log.save_state(StateCheckpoint(700, b"state"))
    epoch = log.epoch
    await log.close()

    log = await SqliteLog.open(tmp_path)
    assert (log.epoch, log.first, log.head, log.new_epoch_reason) == (epoch, 1, 700, None)
    assert await log.append([Draft("a:b", {}, key="k5"), Draft("a:b")]) == [6, 701]
    assert await log.recall("files") == {"x": b"y"}
    assert await log.load_state(701) == StateCheckpoint(700, b"state")
    await log.close()


async def test_a_large_commit_is_delivered_in_slices_between_which_the_loop_goes_on(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    seen: list[int] = []
    turns: list[int] = []

    def listener(records: Sequence[Record]) -> None:
        assert records[-1].id == log.head
        seen.extend(record.id for record in records)
        time.sleep(0.004)

    log.listen(listener)

    async def count_turns() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    large = asyncio.create_task(log.append([Draft("a:b", {"n": n}) for n in range(5_000)]))
    task = Draft("task:created", {"task": {"id": "T"}})
    next_one = asyncio.create_task(log.append([task]))
    await asyncio.sleep(0)
    with pytest.raises(Outdated):
        await log.append([task], after=0)
    # What it is about has been delivered by now, and everything before it.
    assert len(seen) == 5_001
    assert await large == list(range(1, 5_001))
    assert await next_one == [5_001]
    counting.cancel()
    assert seen == list(range(1, 5_002))
    assert len(set(turns) - {0, 5_000, 5_001}) > 3
    await log.close()


async def test_a_log_that_is_closed_has_delivered_everything(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    seen: list[int] = []

    def listener(records: Sequence[Record]) -> None:
        seen.extend(record.id for record in records)
        time.sleep(0.02)

    log.listen(listener)
    appending = asyncio.create_task(log.append([Draft("a:b", {"n": n}) for n in range(3_000)]))
    await asyncio.sleep(0)
    await log.close()
    assert await appending == seen == list(range(1, 3_001))


async def test_a_lost_tail_begins_a_new_epoch(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    await log.close()
    old = (tmp_path / DATABASE_NAME).read_bytes()
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    epoch = log.epoch
    await log.close()

    (tmp_path / DATABASE_NAME).write_bytes(old)
    log = await SqliteLog.open(tmp_path)
    assert log.epoch != epoch
    assert log.head == 1
    assert log.new_epoch_reason is not None
    assert "2" in log.new_epoch_reason
    await log.close()


async def test_a_machine_that_went_down_begins_a_new_epoch_unless_commits_were_synced(tmp_path: Path) -> None:
    for synchronous, changes in (("normal", True), ("full", False)):
        folder = tmp_path / synchronous
        log = await SqliteLog.open(folder, synchronous=synchronous)
        epoch = log.epoch
        await log.close()
        with sqlite3.connect(folder / DATABASE_NAME) as database:
            database.execute("UPDATE meta SET value = 'another boot' WHERE key = 'boot'")
            database.execute("UPDATE meta SET value = '0' WHERE key = 'clean'")
        database.close()
        log = await SqliteLog.open(folder, synchronous=synchronous)
        assert (log.epoch != epoch) is changes
        await log.close()


async def test_a_missing_guard_is_no_loss(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    epoch = log.epoch
    await log.close()
    (tmp_path / GUARD_NAME).unlink()
    log = await SqliteLog.open(tmp_path)
    assert log.epoch == epoch
    await log.close()


async def test_a_folder_that_is_made_is_nobody_elses_to_read(tmp_path: Path) -> None:
    await (await SqliteLog.open(tmp_path / "log")).close()
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700


async def test_a_folder_in_use_is_refused_with_the_holder_named(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    with pytest.raises(OpenError, match="in use by another mission-control"):
        await SqliteLog.open(tmp_path)
    await log.close()
    await (await SqliteLog.open(tmp_path)).close()


async def test_a_foreign_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE_NAME) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    database.close()
    before = (tmp_path / DATABASE_NAME).read_bytes()
    with pytest.raises(OpenError, match="another program"):
        await SqliteLog.open(tmp_path)
    assert (tmp_path / DATABASE_NAME).read_bytes() == before


async def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / DATABASE_NAME).write_bytes(b"this is no database, " * 500)
    before = (tmp_path / DATABASE_NAME).read_bytes()
    with pytest.raises(OpenError, match="damaged"):
        await SqliteLog.open(tmp_path)
    assert (tmp_path / DATABASE_NAME).read_bytes() == before


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await (await SqliteLog.open(tmp_path)).close()
    with sqlite3.connect(tmp_path / DATABASE_NAME) as database:
        recorded = database.execute("SELECT version, name FROM migrations").fetchall()
        database.execute("INSERT INTO migrations VALUES (99, 'from the future', '')")
    database.close()
    assert recorded == [(number, name) for number, (name, _) in enumerate(MIGRATIONS, 1)]
    with pytest.raises(OpenError, match="newer release"):
        await SqliteLog.open(tmp_path)


async def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OpenError, match="cannot be used"):
        await SqliteLog.open(tmp_path / "file" / "data")


async def test_a_full_disk_refuses_appends_says_why_and_recovers_by_itself(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b", {}, key="kept")])
    await on_writer(log, "PRAGMA max_page_count = 1")
    big = [Draft("a:b", {"pad": "x" * 2000}) for _ in range(300)]
    with pytest.raises(DiskFull, match="make room"):
        await log.append(big, Checkpoint("files", {"x": b"y"}))
    assert log.trouble is not None
    assert log.head == 1
    assert await log.recall("files") == {}
    await on_writer(log, "PRAGMA max_page_count = 1000000")
    await eventually(lambda: log.trouble is None)
    assert (await log.append(big))[0] == 2
    assert len((await log.read(0, EVERYTHING, max_bytes=10**9)).bodies) == 301
    await log.close()


async def test_a_database_that_was_taken_away_refuses_appends(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    (tmp_path / DATABASE_NAME).unlink()
    with pytest.raises(Damaged, match="removed or replaced"):
        await log.append([Draft("a:b")])
    assert log.head == 1
    await log.close()


async def test_an_unexpected_failure_is_told_and_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await SqliteLog.open(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(log._writer, "_write", lambda *_: 1 / 0)
        with pytest.raises(StoreError, match="ZeroDivisionError"):
            await log.append([Draft("a:b")])
    assert await log.append([Draft("a:b")]) == [1]
    await log.close()


async def test_a_commit_that_fails_after_it_was_kept_is_told_to_listeners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = await SqliteLog.open(tmp_path)
    heard: list[int] = []
    log.listen(lambda records: heard.extend(record.id for record in records))
    with monkeypatch.context() as patch:
        patch.setattr(log._writer._guard, "write", lambda *_: 1 / 0)
        with pytest.raises(StoreError):
            await log.append([Draft("a:b"), Draft("a:c")])
    assert heard == [1, 2]
    assert await log.append([Draft("a:b")]) == [3]
    assert heard == [1, 2, 3]
    await log.close()


async def test_too_much_is_trimmed_in_steps_and_the_newest_stays(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path, retention=Retention(bytes=100_000))
    await log.append([Draft("a:b", {"pad": "x" * 100}, key=f"k{n}") for n in range(5_000)])
    log._writer._trim_at = 0.0
    await log.append([Draft("a:b")])
    await eventually(lambda: log.first > 4_450)
    page = await log.read(0, EVERYTHING, limit=10_000)
    assert decode_event(page.bodies[0]).id == page.first == log.first
    assert page.last == 5_001
    assert (
        80_000 < sum(map(len, (await log.read(0, EVERYTHING, limit=9999, max_bytes=10**9)).bodies)) <= 100_000
    )
    # A key is held as long as its event.
    assert await log.append([Draft("a:b", {}, key="k0"), Draft("a:b", {}, key="k4990")]) == [5_002, 4_991]
    await log.close()


async def test_the_old_is_trimmed_by_age(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path, retention=Retention(seconds=0.01))
    await log.append([Draft("a:b") for _ in range(10)])
    await log.save_state(StateCheckpoint(2, b"old"))
    await log.save_state(StateCheckpoint(5, b"older than the oldest event"))
    await eventually(lambda: log.first == 10)
    await log.close()
    log = await SqliteLog.open(tmp_path)
    assert (log.first, log.head) == (10, 10)
    assert await log.load_state(4) is None
    assert await log.load_state(10) == StateCheckpoint(5, b"older than the oldest event")
    await log.close()


async def test_a_flood_shares_commits(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await asyncio.gather(*(log.append([Draft("a:b")]) for _ in range(2_000)))
    assert log.head == 2_000
    assert log.figures.commits < 1_000
    assert log.figures.queued == 0
    await log.close()


async def test_a_caller_that_goes_away_takes_nothing_back(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    task = asyncio.create_task(log.append([Draft("a:b")]))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await log.append([Draft("a:b")]) == [2]
    await log.close()


def overwrite(folder: Path, sql: str, *values: object) -> None:
    """Change rows behind the log's back, as a disk may."""
    with sqlite3.connect(folder / DATABASE_NAME) as database:
        database.execute(sql, values)
    database.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0" * 300,
        b"\xff\xfe\xfd" * 100,
        b'{"type":"a:b"\n"id":3}',
        b'{"type":"a:b","id":3',
        b"no JSON at all",
    ],
)
async def test_an_event_whose_body_is_damaged_has_its_place_and_nothing_more_is_accepted(
    tmp_path: Path, body: bytes
) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b", {"n": n}) for n in range(5)])
    overwrite(tmp_path, "UPDATE events SET body = ? WHERE id = 3", body)
    page = await log.read(0, EVERYTHING)
    assert [decode_event(one).id for one in page.bodies] == [1, 2, 3, 4, 5]
    assert page.illegible == (3,)
    assert [decode_event(one).type for one in page.bodies] == ["a:b", "a:b", "log:unreadable", "a:b", "a:b"]
    assert [record.type for record in await log.newest(EVERYTHING, limit=3)] == [
        "a:b",
        "a:b",
        "log:unreadable",
    ]
    assert log.figures.unreadable == 1
    with pytest.raises(Damaged, match="events cannot be read"):
        await log.append([Draft("a:b")])
    assert log.trouble is not None
    await log.close()
    with pytest.raises(DamagedFile, match="the event 3 cannot be read"):
        await SqliteLog.open(tmp_path)


async def test_a_key_that_is_no_text_is_damage_and_ends_no_thread(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b", key="k")], Checkpoint("files", {"x": b"y"}))
    overwrite(tmp_path, "UPDATE source_memory SET key = CAST(x'ff' AS TEXT)")
    with pytest.raises(Damaged, match="a row cannot be read"):
        await log.recall("files")
    with pytest.raises(Damaged):
        await log.append([Draft("a:b")])
    assert len((await log.read(0, EVERYTHING)).bodies) == 1
    await log.close()


async def test_a_restored_database_is_accepted_again_in_another_epoch(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path / "log")
    await log.append([Draft("a:b") for _ in range(50)])
    await log.close()
    shutil.copytree(tmp_path / "log", tmp_path / "backup")
    log = await SqliteLog.open(tmp_path / "log")
    await log.append([Draft("a:b") for _ in range(5_000)])
    epoch = log.epoch
    os.truncate(tmp_path / "log" / DATABASE_NAME, 0)
    with pytest.raises(Damaged, match="was cut"):
        await log.append([Draft("a:b")])
    await log.close()
    with pytest.raises(DamagedFile, match="is damaged"):
        await SqliteLog.open(tmp_path / "log")
    for suffix in ("", "-wal", "-shm"):
        (tmp_path / "log" / f"{DATABASE_NAME}{suffix}").unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup" / DATABASE_NAME, tmp_path / "log")
    log = await SqliteLog.open(tmp_path / "log")
    assert log.epoch != epoch
    await log.append([Draft("a:b")])
    await eventually(lambda: log.head == 52)
    # The loss is told, as an event that everybody sees.
    (told,) = [record for record in await log.newest(EVERYTHING, limit=9) if record.type == "system:alert"]
    assert "has begun a new epoch" in told.data["message"]
    await log.close()


async def test_a_database_that_was_moved_away_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    (tmp_path / DATABASE_NAME).rename(tmp_path / "elsewhere")
    # No reader has a connection yet.
    with pytest.raises(StoreError):
        await log.read(0, EVERYTHING)
    assert not (tmp_path / DATABASE_NAME).exists()
    (tmp_path / "elsewhere").rename(tmp_path / DATABASE_NAME)
    await eventually(lambda: log.trouble is None)
    assert len((await log.read(0, EVERYTHING)).bodies) == 1
    assert (await log.append([Draft("a:b")]))[0] >= 2
    await log.close()


@pytest.mark.skipif(sys.platform != "linux", reason="where open files are listed")
async def test_too_many_open_files_are_named_and_take_nothing_that_was_accepted(tmp_path: Path) -> None:
    log = await SqliteLog.open(tmp_path)
    await log.append([Draft("a:b")])
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    try:
        highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 4, before[1]))
        with suppress(OSError):
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        assert await log.append([Draft("a:b")]) == [2]
        with pytest.raises(StoreError, match="Too many files"):
            await log.read(0, EVERYTHING)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len((await log.read(0, EVERYTHING)).bodies) == 2
    assert await log.append([Draft("a:b")]) == [3]
    await log.close()
