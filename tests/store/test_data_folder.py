"""Whatever is under the name of a file of the data folder, a log opens or says in one sentence what is in its way."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from missioncontrol.errors import OpenError
from missioncontrol.events import Draft
from missioncontrol.store.damage import note_damage
from missioncontrol.store.schema import TailGuard
from missioncontrol.store.sqlite import SqliteLog

pytestmark = pytest.mark.anyio

NAMES = [
    *("lock", "head", "damaged"),
    *("events.sqlite", "events.sqlite-wal", "events.sqlite-shm", "events.sqlite-journal"),
]
NOBODY = 65_534


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


MADE: dict[str, Callable[[Path], object]] = {
    "is a folder": Path.mkdir,
    "is a named pipe": os.mkfifo,
    "is a socket": make_socket,
    "is a symbolic link into a folder that does not exist": lambda path: path.symlink_to("nowhere/at/all"),
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name, as a socket needs it, that every user may read."""
    made = Path(tempfile.mkdtemp())
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", MADE)
async def test_what_is_no_file_is_named(folder: Path, name: str, kind: str) -> None:
    MADE[kind](folder / name)
    with pytest.raises(OpenError) as refused:
        await SqliteLog.open(folder)
    message = str(refused.value)
    assert message.startswith(f"{folder / name} {kind};")
    assert message.endswith("Move it away, or choose another folder with --data.")
    assert "\n" not in message
    # Nothing of it is held: once it is out of the way the log opens.
    (folder / name).rename(folder / "away")
    log = await SqliteLog.open(folder)
    assert await log.append([Draft("custom:event", {})]) == [log.head]
    await log.close()


async def test_a_link_to_a_file_that_is_still_to_be_made_is_followed(folder: Path) -> None:
    (folder / "large").mkdir()
    (folder / "data").mkdir()
    (folder / "data" / "events.sqlite").symlink_to(folder / "large" / "events.sqlite")
    log = await SqliteLog.open(folder / "data")
    await log.append([Draft("custom:event", {})])
    await log.close()
    assert (folder / "large" / "events.sqlite").read_bytes().startswith(b"SQLite format 3\0")


def test_a_file_that_may_not_be_read_is_named(folder: Path) -> None:
    guard = folder / "head"
    guard.touch(0o600)
    guard.chmod(0o000)

    def refusal() -> str:
        with pytest.raises(OpenError) as refused:
            TailGuard(folder)
        return str(refused.value)

    wanted = f"{guard} cannot be opened (Permission denied). Check its owner and its mode, or choose another"
    if os.geteuid() != 0:
        assert refusal().startswith(wanted)
        return
    # Root may read anything, so another user has to try.
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(NOBODY)
            status = 0 if refusal().startswith(wanted) else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_note_of_damage_waits_for_no_reader_of_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "damaged")
    note_damage(folder, "a page is damaged")
    (folder / "damaged").unlink()
    note_damage(folder, "a page is damaged")
    assert (folder / "damaged").read_text().endswith(" a page is damaged\n")
