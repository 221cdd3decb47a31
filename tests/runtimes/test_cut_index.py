"""An index that is cut off while SQLite has it mapped, in a process of its own: it would be the one to die."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtimes.test_shared_files import Writer

READER = """
import asyncio, os, signal, sys
from pathlib import Path
import uvloop
from missioncontrol.runtimes.files.cut_index import survive_cut_indexes
from missioncontrol.runtimes.files.database import Database
from missioncontrol.runtimes.records import UnreadableError

def read(database):
    try:
        with database.reading():
            print("read", database.rows("SELECT count(*) FROM numbers")[0][0], flush=True)
    except UnreadableError as error:
        print("unreadable:", error, flush=True)

async def flap(path, until):
    while not until.done():
        whole = os.stat(f"{path}-shm").st_size
        os.truncate(f"{path}-shm", 0)
        os.truncate(f"{path}-shm", max(whole, 32768))
        await asyncio.sleep(0)

async def main(path, size):
    # As a server has some, so that a signal wakes its loop.
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, print)
    survive_cut_indexes()
    first, second = Database(path), Database(path)
    if size < 0:
        reading = asyncio.ensure_future(asyncio.to_thread(lambda: [read(first) for _ in range(3000)]))
        await flap(path, reading)
        print("alive", flush=True)
        return
    await asyncio.to_thread(read, first)
    os.truncate(f"{path}-shm", size)
    # It is cut after it was looked at.
    check, Database._check_index = Database._check_index, lambda self: None
    await asyncio.to_thread(read, first)
    await asyncio.to_thread(read, second)
    Database._check_index = check
    await asyncio.to_thread(read, first)
    first.close()
    second.close()
    print("closed", flush=True)
    input()
    await asyncio.to_thread(read, first)

uvloop.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing can be done about it")
@pytest.mark.parametrize("size", [0, 5_000])
def test_an_index_that_is_cut_off_ends_no_process(tmp_path: Path, size: int) -> None:
    path = tmp_path / "numbers.sqlite"
    writer = Writer(path)
    reader = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", READER, str(path), str(size)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout is not None
    lines = list(iter(reader.stdout.readline, "closed\n"))
    assert lines[0] == "read 1\n"
    assert all(line == "read 1\n" or line.startswith("unreadable: ") for line in lines), lines
    # The writer has it mapped as well, and ends: what was committed is in the log.
    writer.kill()
    Writer(path).close()
    said, _ = reader.communicate("\n", timeout=30)
    assert said == "read 2\n"
    assert reader.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing can be done about it")
def test_an_index_that_is_cut_off_and_made_long_again_all_the_time_ends_no_process(tmp_path: Path) -> None:
    path = tmp_path / "numbers.sqlite"
    writer = Writer(path)
    said = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", READER, str(path), "-1"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    writer.kill()
    assert (said.returncode, said.stdout.splitlines()[-1]) == (0, "alive"), said.stderr
    assert set(said.stdout.splitlines()) - {"alive", "read 1"}
