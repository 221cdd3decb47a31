"""Files and folders that no other user can read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from missioncontrol.private_files import (
    create_private_database,
    make_private_folder,
    open_private,
    write_private,
)

NOBODY = 65_534


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_that_are_missing_are_private_up_to_the_first_existing_one(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    make_private_folder(there / "a" / "b")
    assert (mode(there), mode(there / "a"), mode(there / "a" / "b")) == (0o755, 0o700, 0o700)


def test_an_existing_folder_is_closed_and_a_read_only_one_stays_read_only(tmp_path: Path) -> None:
    for before, after in ((0o777, 0o700), (0o2775, 0o700), (0o555, 0o500)):
        folder = tmp_path / f"{before:o}"
        folder.mkdir()
        folder.chmod(before)
        make_private_folder(folder)
        assert mode(folder) == after


def test_files_are_private_from_the_moment_they_exist(tmp_path: Path) -> None:
    write_private(tmp_path / "note", "text")
    os.close(open_private(tmp_path / "lock", os.O_RDWR | os.O_CREAT))
    create_private_database(tmp_path / "a.sqlite")
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_existing_files_are_closed_and_keep_what_is_in_them(tmp_path: Path) -> None:
    for name in ("lock", "a.sqlite", "a.sqlite-wal"):
        (tmp_path / name).write_text("content")
        (tmp_path / name).chmod(0o666)
    os.close(open_private(tmp_path / "lock", os.O_RDWR))
    create_private_database(tmp_path / "a.sqlite")
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}
    assert {path.read_text() for path in tmp_path.iterdir()} == {"content"}


def test_a_folder_of_all_users_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(PermissionError, match="shared by all users"):
        make_private_folder(shared)
    assert mode(shared) == 0o1777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("permissions", [0o700, 0o755])
def test_root_uses_no_folder_of_another_user(tmp_path: Path, permissions: int) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=permissions)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match=r"belongs to another user.*root"):
        make_private_folder(folder)
    assert mode(folder) == permissions


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_link_of_another_user_in_the_folder_is_refused(tmp_path: Path) -> None:
    folder, victim = tmp_path / "data", tmp_path / "victim"
    folder.mkdir(mode=0o700)
    link = folder / "events.sqlite"
    link.symlink_to(victim)
    make_private_folder(folder)
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(PermissionError, match=r"'events.sqlite' in it is a link"):
        make_private_folder(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize(
    ("owner", "refused"), [(1234, True), (0, False)], ids=["of another user", "a volume of root"]
)
def test_a_folder_that_cannot_be_closed_is_refused_where_another_user_owns_it(
    tmp_path: Path, owner: int, refused: bool
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o777)
    os.chown(folder, owner, owner)
    child = os.fork()
    if child == 0:
        # Another user may not come this far down the folders above: the folder is reached as the current one.
        os.chdir(folder)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            make_private_folder(Path())
            os._exit(0)
        except PermissionError:
            os._exit(1)
        except BaseException:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == int(refused)
    assert mode(folder) == 0o777


def test_files_that_vanish_while_the_folder_is_checked_are_no_failure(tmp_path: Path) -> None:
    """SQLite makes and removes its journal at any moment."""
    folder, stop = tmp_path / "data", Event()
    folder.mkdir(mode=0o700)

    def churn() -> None:
        while not stop.is_set():
            for name in ("a", "b", "c"):
                (folder / name).touch()
                (folder / name).unlink()

    thread = Thread(target=churn)
    thread.start()
    try:
        for _ in range(2_000):
            make_private_folder(folder)
    finally:
        stop.set()
        thread.join()
