"""A database that is damaged while a server has it open: nothing is accepted that cannot be read back."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from missioncontrol.testing import ServerFailed, ServerProcess, start_server
from tests.process.server_probe import call

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

STEP = "custom:step"
PAD = "x" * 2_000


def database(server: ServerProcess) -> Path:
    return server.data / "events.sqlite"


class Publishing:
    """Publishes numbered events; `acknowledged` are the ids by number, `problem` is the newest refusal."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._next = 0
        self.acknowledged: dict[int, int] = {}
        self.problem: dict[str, Any] = {}

    def publish(self, count: int = 1) -> int:
        numbers = range(self._next, self._next + count)
        self._next += count
        events = [{"type": STEP, "data": {"n": n, "pad": PAD}} for n in numbers]
        status, answer = call(self._server, "/api/events", events)
        if status == 201:
            self.acknowledged |= dict(zip(numbers, answer["ids"], strict=True))
        else:
            self.problem = answer
        return status

    def publish_until_refused(self, seconds: float = 20.0) -> None:
        deadline = monotonic() + seconds
        while self.publish() == 201:
            assert monotonic() < deadline, "everything is accepted"
            sleep(0.02)


def read_all(server: ServerProcess) -> tuple[str, dict[int, int]]:
    """Return the epoch, and the ids of all steps by their number."""
    found: dict[int, int] = {}
    _, snapshot = call(server, "/api/snapshot")
    epoch = snapshot["cursor"].partition(":")[0]
    cursor = f"{epoch}:0"
    while True:
        status, page = call(server, f"/api/events?since={cursor}&limit=1000")
        assert status == 200, page
        found |= {event["data"]["n"]: event["id"] for event in page["events"] if event["type"] == STEP}
        if page["cursor"] == cursor:
            return epoch, found
        cursor = page["cursor"]


def begin(server: ServerProcess) -> tuple[Publishing, str]:
    """Fill a log of several MiB, whose beginning is in the database and whose end is in the write-ahead log."""
    publishing = Publishing(server)
    for _ in range(10):
        assert publishing.publish(250) == 201
    epoch, found = read_all(server)
    assert found == publishing.acknowledged
    return publishing, epoch


def cut_to_nothing(path: Path) -> None:
    os.truncate(path, 0)


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite_the_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(random.Random(1).randbytes(4096))


def cut_the_write_ahead_log(path: Path) -> None:
    wal = path.with_name("events.sqlite-wal")
    os.truncate(wal, wal.stat().st_size // 3)


def overwrite_the_write_ahead_log(path: Path) -> None:
    wal = path.with_name("events.sqlite-wal")
    with wal.open("r+b") as file:
        file.write(bytes(wal.stat().st_size))


DAMAGE: list[Callable[[Path], None]] = [
    cut_to_nothing,
    cut_in_half,
    overwrite_the_header,
    cut_the_write_ahead_log,
    overwrite_the_write_ahead_log,
]


def check_refused(server: ServerProcess, publishing: Publishing) -> None:
    assert publishing.problem["code"] == "damaged", publishing.problem
    assert publishing.problem["status"] == 503
    assert "Restore a backup" in publishing.problem["detail"]
    status, health = call(server, "/health")
    assert status == 503
    assert "damaged" in health["reason"]
    assert "events.sqlite" in health["reason"]
    # It stays so: nothing is accepted in between.
    assert [publishing.publish() for _ in range(5)] == [503] * 5


def refused_start(server: ServerProcess) -> str | None:
    """Start a server; return why that was refused, or None where it runs."""
    try:
        server.start()
    except ServerFailed as error:
        refused = error
    else:
        return None
    assert refused.exit_status == 2
    assert "is damaged" in str(refused)
    return str(refused)


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
def test_a_damaged_database_accepts_nothing_and_the_next_start_says_what_to_do(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        damage(database(server))
        publishing.publish_until_refused()
        check_refused(server, publishing)
        server.kill()
        refused = refused_start(server)
        if refused is None:
            assert damage not in (cut_to_nothing, cut_in_half)
        else:
            # What is said to do is right: another log begins, whose clients know that it is another one.
            assert "a new log begins" in refused
            for path in tmp_path.glob("data/events.sqlite*"):
                path.rename(tmp_path / path.name)
            server.start()
        again, found = read_all(server)
        if again == epoch:
            # The write-ahead log had what was overwritten.
            assert found.items() >= publishing.acknowledged.items()
        else:
            assert "are known to have existed" in server.log
            assert found.items() <= publishing.acknowledged.items()
        assert Publishing(server).publish() == 201


def test_a_server_killed_at_once_after_its_database_was_cut_does_not_start_with_a_loss_that_nobody_sees(
    tmp_path: Path,
) -> None:
    for damage in (cut_to_nothing, cut_in_half):
        data = tmp_path / damage.__name__
        with start_server(tmp_path / "workspace", data) as server:
            begin(server)
            server.pause()
            damage(database(server))
            server.kill()
            assert refused_start(server) is not None


def test_pages_that_were_overwritten_are_found_when_they_are_read(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        size = database(server).stat().st_size
        with database(server).open("r+b") as file:
            file.seek(size // 4 // 4096 * 4096)
            file.write(random.Random(2).randbytes(size // 2))
        deadline = monotonic() + 20
        while call(server, "/health")[0] == 200:
            assert monotonic() < deadline
            for at in range(0, 2_500, 500):
                call(server, f"/api/events?since={epoch}:{at}&limit=1000")
        publishing.publish_until_refused()
        check_refused(server, publishing)
        server.kill()
        assert refused_start(server) is not None


@pytest.mark.parametrize("suffixes", [["-wal"], ["-shm"], ["-wal", "-shm"]], ids="".join)
def test_files_next_to_the_database_may_be_removed_and_nothing_is_lost(
    tmp_path: Path, suffixes: list[str]
) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        for turn in range(3):
            for suffix in suffixes:
                database(server).with_name(f"events.sqlite{suffix}").unlink()
            if turn == 1:
                # Nobody publishes: it is noticed all the same.
                deadline = monotonic() + 20
                while not all(
                    database(server).with_name(f"events.sqlite{suffix}").exists() for suffix in suffixes
                ):
                    assert monotonic() < deadline
                    sleep(0.02)
            assert [publishing.publish() for _ in range(10)] == [201] * 10
            assert read_all(server) == (epoch, publishing.acknowledged)
        assert call(server, "/health")[0] == 200
        server.kill()
        server.start()
        assert read_all(server) == (epoch, publishing.acknowledged)


def test_a_database_that_was_replaced_is_not_written_to_and_the_next_start_begins_another_epoch(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        assert Publishing(server).publish() == 201
        server.stop()
        shutil.copy(database(server), tmp_path / "older.sqlite")
        server.start()
        publishing, epoch = Publishing(server), read_all(server)[0]
        assert publishing.publish(50) == 201
        (tmp_path / "older.sqlite").replace(database(server))
        publishing.publish_until_refused()
        assert publishing.problem["code"] == "damaged"
        server.kill()
        for suffix in ("-wal", "-shm"):
            database(server).with_name(f"events.sqlite{suffix}").unlink(missing_ok=True)
        (server.data / "damaged").touch()
        server.start()
        again, found = read_all(server)
        assert again != epoch
        assert found == {0: 1}
        assert "log.new_epoch" in server.log


def test_a_database_that_was_removed_accepts_nothing_and_the_next_start_begins_another_epoch(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        database(server).unlink()
        publishing.publish_until_refused()
        check_refused(server, publishing)
        server.kill()
        server.start()
        again, found = read_all(server)
        assert again != epoch
        assert found == {}
        assert "are known to have existed" in server.log


def test_a_database_that_was_moved_away_is_written_to_again_when_it_is_put_back(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        database(server).rename(tmp_path / "elsewhere")
        publishing.publish_until_refused()
        assert "put it back" in publishing.problem["detail"].lower()
        (tmp_path / "elsewhere").rename(database(server))
        deadline = monotonic() + 20
        while publishing.publish() != 201:
            assert monotonic() < deadline
            sleep(0.05)
        again, found = read_all(server)
        assert again == epoch
        # What was refused in doubt may be there; what was acknowledged is.
        assert found.items() >= publishing.acknowledged.items()
        server.kill()
        server.start()
        assert read_all(server) == (epoch, found)


def test_an_older_release_s_note_of_the_tail_is_read(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing, epoch = begin(server)
        server.stop()
        noted = (server.data / "head").read_text().split()[0]
        (server.data / "head").write_text(f"{noted}\n")
        server.start()
        assert read_all(server) == (epoch, publishing.acknowledged)
        with sqlite3.connect(f"file:{database(server)}?mode=ro", uri=True) as opened:
            assert opened.execute("SELECT count(*) FROM events").fetchone()[0] >= 2_500
        opened.close()
