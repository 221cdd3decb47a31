"""A real server for tests: started as its users start it, stopped, killed, paused and restarted at will.

For whoever tests an integration of their own:

    from missioncontrol.client import publish
    from missioncontrol.testing import start_server

    def test_my_hook(tmp_path):
        with start_server(tmp_path) as server:
            assert publish(server.url, "custom:event", {"a": 1}) == 1

The process knows nothing of the `MISSION_CONTROL_…` variables of whoever started it, nor of the agents that run in that
user's own home. All times are in seconds.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Literal, Self

from missioncontrol.config import ENVIRONMENT
from missioncontrol.errors import MissionControlError
from missioncontrol.owner_secret import read_secret
from missioncontrol.runtimes.registry import runtimes

START_SECONDS = 30.0
STOP_SECONDS = 30.0
_OWN_PREFIX = "MISSION_CONTROL_"


class ServerFailed(MissionControlError):
    """The server did not become ready; `exit_status` is None where it was still trying, `log` what it said."""

    code = "server_failed"

    def __init__(self, message: str, exit_status: int | None, log: str) -> None:
        super().__init__(f"{message}\n{log}".rstrip())
        self.exit_status = exit_status
        self.log = log


class ServerProcess:
    """A `mission-control serve` in a process of its own; made by `start_server`.

    `url` and `ws_url` are where it answers, from the first `ready` line on the same over restarts.
    """

    def __init__(
        self,
        workspace: Path,
        data: Path,
        *,
        port: int,
        ws_port: int | Literal["none"],
        options: Sequence[str],
        env: Mapping[str, str] | None,
    ) -> None:
        self.workspace = workspace
        self.data = data
        self.url = ""
        self.ws_url = ""
        self._port = port
        self._ws_port = ws_port
        self._options = list(options)
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_OWN_PREFIX) and name not in ENVIRONMENT
        }
        # Transcripts of the user's own agents are none of the test's.
        variables = filter(None, (runtime.variable for runtime in runtimes().values()))
        nowhere = {name: str(data / "no-such-folder") for name in variables}
        # Commands without --url are to find the user's own servers, not those of tests.
        nowhere["XDG_DATA_HOME"] = str(data)
        self._environment = inherited | nowhere | dict(env or {})
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._output = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._running.pid

    @property
    def exit_status(self) -> int | None:
        """The status that the process has ended with, negative for a signal; None while it runs."""
        return self._running.poll()

    @property
    def owner_secret(self) -> str:
        """The owner's secret: the token of a program that decides as the person."""
        return read_secret(self.data)

    @property
    def log(self) -> str:
        """What all processes of this server have said on standard error so far."""
        # Not by seeking: the processes share this file's position and write there.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def start(self, *, timeout: float = START_SECONDS) -> None:
        """Start the process and wait until it is ready.

        Raises:
            ServerFailed: it ended, or is not ready in time.
        """
        command = [
            *(sys.executable, "-m", "missioncontrol.cli", "serve"),
            *("--workspace", str(self.workspace), "--data", str(self.data)),
            *("--port", str(self._port), "--ws-port", str(self._ws_port)),
            *self._options,
        ]
        self._paused = False
        self._output = b""
        self._process = subprocess.Popen(  # noqa: S603 - this very program
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=self._environment,
        )
        try:
            self.url, self.ws_url = self._read_ready_line(monotonic() + timeout)
        except BaseException:
            self.kill()
            raise
        self._port = int(self.url.rpartition(":")[2])
        if self._ws_port != "none":
            self._ws_port = int(self.ws_url.removesuffix("/api/ws").rpartition(":")[2])

    def stop(self, *, timeout: float = STOP_SECONDS) -> int:
        """Send SIGTERM, wait until the server has drained, and return its exit status.

        Raises:
            TimeoutError: it still runs; it was killed.
        """
        self.resume()
        if self.exit_status is None:
            self._running.send_signal(signal.SIGTERM)
        return self.wait(timeout=timeout)

    def wait(self, *, timeout: float = STOP_SECONDS) -> int:
        """Wait until the process has ended, and return its exit status.

        Raises:
            TimeoutError: it still runs; it was killed.
        """
        try:
            status = self._running.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise TimeoutError(f"The server has not ended within {timeout:g} seconds.\n{self.log}") from None
        self._close_output()
        return status

    def kill(self) -> None:
        """Send SIGKILL and wait until the process is gone."""
        self._running.kill()
        self._running.wait()
        self._close_output()

    def restart(self, *, timeout: float = START_SECONDS) -> None:
        """Start again on the same folders and ports; a process that still runs is stopped before.

        Raises:
            ServerFailed: the new process ended, or is not ready in time.
        """
        if self.exit_status is None:
            self.stop()
        self.start(timeout=timeout)

    def pause(self) -> None:
        """Send SIGSTOP: the process stands still, its connections stay open."""
        self._running.send_signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Send SIGCONT to a paused process."""
        if self._paused:
            self._running.send_signal(signal.SIGCONT)
            self._paused = False

    def close(self) -> None:
        """End the process in whatever state it is; what `with` does at its end."""
        if self._process is not None and self.exit_status is None:
            try:
                self.stop()
            except TimeoutError:
                # It was killed, which is all that is wanted here.
                pass
        self._close_output()
        self._log.close()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise ServerFailed("The server was not started.", None, "")
        return self._process

    def read_line(self, word: str, *, timeout: float = START_SECONDS) -> str:
        """Wait for the next line on standard output that begins with a word, and return what follows the word.

        After `ready` a server prints `sign-in URL`, and `sign-in code DIGITS` when a page asks for a code.

        Raises:
            ServerFailed: there is none in time, or the process ended.
        """
        deadline = monotonic() + timeout
        while True:
            line = self._read_line(deadline)
            if line.startswith(f"{word} "):
                return line.removeprefix(f"{word} ")

    def _read_line(self, deadline: float) -> str:
        output = self._running.stdout
        while output is not None and b"\n" not in self._output:
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - monotonic()))
            if not readable:
                raise ServerFailed("The server is not ready in time.", None, self.log)
            piece = os.read(output.fileno(), 4096)
            if not piece:
                status = self._running.wait()
                raise ServerFailed(f"The server ended with status {status}.", status, self.log)
            self._output += piece
        line, _, self._output = self._output.partition(b"\n")
        return line.decode().strip()

    def _read_ready_line(self, deadline: float) -> tuple[str, str]:
        line = self._read_line(deadline)
        word, _, addresses = line.partition(" ")
        url, _, ws_url = addresses.partition(" ")
        if word != "ready" or not ws_url:
            raise ServerFailed(f"The server said {line!r} instead of `ready`.", None, self.log)
        return url, ws_url

    def _close_output(self) -> None:
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


def start_server(
    workspace: str | Path,
    data: str | Path | None = None,
    *,
    port: int = 0,
    ws_port: int | Literal["none"] = "none",
    options: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = START_SECONDS,
) -> ServerProcess:
    """Start a server and wait until it accepts connections.

    Args:
        workspace: the folder that it watches; made where it is missing.
        data: the folder of its log; without one it is next to the workspace, with `-data` at the end of its name.
        port: the port, 0 for a free one, which a restart keeps.
        ws_port: the second port, 0 for a free one, or `none`.
        options: more options of `mission-control serve`.
        env: more environment variables, for instance `{"MISSION_CONTROL_HEARTBEAT_INTERVAL": "0.5"}`.
        timeout: seconds to wait for the `ready` line.

    Raises:
        ServerFailed: it ended, or is not ready in time.
    """
    folder = Path(workspace)
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f"{folder.name}-data")
    server = ServerProcess(
        folder,
        beside if data is None else Path(data),
        port=port,
        ws_port=ws_port,
        options=options,
        env=env,
    )
    try:
        server.start(timeout=timeout)
    except BaseException:
        server.close()
        raise
    return server
