"""What a disk can do to the log, each named for what it is: read-only, a limit, an error. Nothing is lost by any."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from missioncontrol.testing import start_server
from tests.process.server_probe import call
from tests.process.test_damaged_log import Publishing, read_all

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    """A file system on a device of its own, or skip the test where none can be made."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(32 * 1024 * 1024)
    for command in (["mkfs.ext4", "-q", str(image)], ["mount", "-o", "loop", str(image), str(folder)]):
        if shutil.which(command[0]) is None:
            pytest.skip(f"there is no {command[0]} here")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"a file system cannot be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_file_system_that_became_read_only_is_called_so_and_nothing_is_lost(
    ext4: Path, tmp_path: Path
) -> None:
    with start_server(tmp_path / "workspace", ext4 / "data") as server:
        publishing = Publishing(server)
        assert publishing.publish(100) == 201
        # What a kernel does that finds the file system in disorder.
        subprocess.run(["mount", "-o", "remount,abort", str(ext4)], check=True)
        publishing.publish_until_refused()
        assert publishing.problem["code"] == "read_only"
        assert "Read-only file system" in publishing.problem["detail"]
        status, health = call(server, "/health")
        assert status == 503
        assert "Read-only file system" in health["reason"]
        assert read_all(server)[1] == publishing.acknowledged
        server.kill()


def test_a_limit_of_the_size_of_files_is_named_and_writing_goes_on_when_it_is_gone(tmp_path: Path) -> None:
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing = Publishing(server)
        assert publishing.publish(100) == 201
        epoch, _ = read_all(server)
        before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        size = max(path.stat().st_size for path in server.data.glob("events.sqlite*"))
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size + 100_000, before[1]))
        publishing.publish_until_refused()
        assert publishing.problem["code"] == "disk_full"
        assert "ulimit -f" in publishing.problem["detail"]
        assert read_all(server)[1].items() >= publishing.acknowledged.items()
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
        deadline = monotonic() + 20
        while call(server, "/health")[0] != 200:
            assert monotonic() < deadline
            sleep(0.05)
        assert publishing.publish(100) == 201
        server.kill()
        server.start()
        again, found = read_all(server)
        assert again == epoch
        assert found.items() >= publishing.acknowledged.items()


def test_a_disk_that_reports_errors_is_named_and_writing_goes_on_when_it_is_well(tmp_path: Path) -> None:
    if shutil.which("strace") is None:
        pytest.skip("there is no strace here, which makes system calls fail")
    with start_server(tmp_path / "workspace", tmp_path / "data") as server:
        publishing = Publishing(server)
        assert publishing.publish(100) == 201
        command = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.pid)]
        failing = subprocess.Popen(
            [*command, "-e", "trace=pwrite64,fsync", "-e", "inject=pwrite64,fsync:error=EIO"],
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = monotonic() + 20
            while publishing.publish() == 201:
                if failing.poll() is not None:
                    pytest.skip("system calls cannot be made to fail here: strace may not attach")
                assert monotonic() < deadline
                sleep(0.05)
        finally:
            failing.terminate()
            failing.wait()
        assert publishing.problem["code"] == "store"
        assert "reports errors" in publishing.problem["detail"]
        deadline = monotonic() + 20
        while call(server, "/health")[0] != 200:
            assert monotonic() < deadline
            sleep(0.05)
        assert publishing.publish(100) == 201
        assert read_all(server)[1].items() >= publishing.acknowledged.items()


def test_a_data_folder_whose_files_may_not_be_changed_is_refused_with_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with start_server(tmp_path / "workspace", data) as server:
        server.stop()
        locked = data / "events.sqlite"
        done = subprocess.run(["chattr", "+i", str(locked)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"files cannot be made immutable here: {done.stderr.strip()}")
        try:
            with pytest.raises(Exception, match="cannot be written"):
                server.start()
        finally:
            subprocess.run(["chattr", "-i", str(locked)], check=True)
        server.start()
