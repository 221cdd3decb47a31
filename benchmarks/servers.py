"""Start what is measured: servers pinned to one core, the load client pinned to another.

Times are seconds, sizes bytes. The CPU time of a process is the kernel's own clock of it: user and system time of
all its threads, also of those that have ended, in nanoseconds (the fields of `/proc/PID/stat` are the same sum in
steps of 10 ms).
"""

import contextlib
import json
import os
import resource
import select
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = HERE / "build"
PYTHON = ROOT / ".venv" / "bin" / "python"
MISSION_CONTROL = ROOT / ".venv" / "bin" / "mission-control"

SERVER_CORE = 0
LOAD_CORE = 1
START_TIMEOUT = 60.0


class BenchmarkError(Exception):
    """A run that gives no figure: a server that does not start, a load client that gives up."""


@dataclass(frozen=True)
class Peer:
    """One kind of server, and how the load client talks to it."""

    name: str
    protocol: str
    command: Callable[[Path], Sequence[str]]
    path: str = "/"
    control_path: str = "/control"
    await_text: str | None = None

    def load_options(self) -> list[str]:
        """Give the options of the load client that depend on the peer alone."""
        options = ["--protocol", self.protocol, "--path", self.path, "--control-path", self.control_path]
        return options if self.await_text is None else [*options, "--await", self.await_text]


def mission_control_command(folder: Path) -> list[str]:
    """Give the command for the product on an empty workspace, its log in `folder`."""
    workspace = folder / "workspace"
    workspace.mkdir(exist_ok=True)
    options = [
        "--workspace",
        str(workspace),
        "--data",
        str(folder / "data"),
        "--port",
        "0",
        "--ws-port",
        "none",
    ]
    return [str(MISSION_CONTROL), "serve", *options]


PEERS: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            "mission-control",
            "mission",
            mission_control_command,
            path="/api/ws?events=bench:*",
            control_path="/api/ws",
            await_text='"connected"',
        ),
        Peer(
            "bun", "plain", lambda _: [str(HERE / "node_modules/bun/bin/bun.exe"), str(HERE / "peers/bun.ts")]
        ),
        Peer("ws", "plain", lambda _: ["node", str(HERE / "peers/node_ws.mjs")]),
        Peer(
            "socket.io",
            "socketio",
            lambda _: ["node", str(HERE / "peers/socketio.mjs")],
            path="/socket.io/?EIO=4&transport=websocket",
        ),
        Peer("websockets", "plain", lambda _: [str(PYTHON), str(HERE / "peers/python_websockets.py")]),
        Peer("c-naive", "plain", lambda _: [str(BUILD / "floor"), "naive"]),
        Peer("c-coalescing", "plain", lambda _: [str(BUILD / "floor"), "coalescing"]),
    )
}


def prepare(peers: Sequence[str]) -> None:
    """Build the C programs, install the JavaScript peers where they are wanted, and allow many descriptors."""
    compile_c(HERE / "load" / "fanout_load.c")
    compile_c(HERE / "peers" / "floor.c")
    if {"bun", "ws", "socket.io"} & set(peers) and not (HERE / "node_modules").is_dir():
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True, stdout=subprocess.DEVNULL
        )
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def compile_c(source: Path) -> None:
    """Compile one C file into the build folder unless that is newer than its source."""
    BUILD.mkdir(exist_ok=True)
    program = BUILD / source.stem
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return
    flags = ["-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "-o", str(program), str(source)], check=True)


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Give `command` as it runs on one core; on a machine with fewer cores, on the last there is."""
    allowed = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", str(allowed[min(core, len(allowed) - 1)]), *command]


def read_line(stream: IO[bytes], timeout: float) -> str:
    """Read one line from an unbuffered pipe within `timeout` seconds; empty at its end."""
    deadline = time.monotonic() + timeout
    line = bytearray()
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise BenchmarkError(f"nothing came within {timeout:g} s")
        piece = os.read(stream.fileno(), 1) if not line else os.read(stream.fileno(), 4096)
        if not piece:
            break
        line += piece
    return line.decode().strip()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that this program started: politely, and after ten seconds for good."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


@dataclass(frozen=True)
class Server:
    """A server that accepts connections."""

    peer: Peer
    process: subprocess.Popen[bytes]
    port: int
    folder: Path
    start_seconds: float

    def cpu_seconds(self) -> float:
        """Give the CPU time of all its threads since it started, in seconds."""
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def pss_bytes(self) -> int:
        """Give its proportional set size in bytes."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text(encoding="ascii")
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        raise BenchmarkError("no Pss in smaps_rollup")


def clean_environment(folder: Path) -> dict[str, str]:
    """Give an environment without settings of the product, its home folder inside `folder`."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MISSION_CONTROL_", "MC_", "WS_PORT"))}
    home = folder / "home"
    home.mkdir(exist_ok=True)
    return {**kept, "HOME": str(home), "XDG_DATA_HOME": str(home / "share"), "NODE_ENV": "production"}


def port_of(line: str) -> int:
    """Read the port from what a server prints: `ready http://HOST:PORT ws://…`, or the number alone."""
    word = line.split()[1].rsplit(":", 1)[1] if line.startswith("ready ") else line
    if not word.isdigit():
        raise BenchmarkError(f"not a port: {line!r}")
    return int(word)


@contextlib.contextmanager
def running(peer: Peer, folder: Path | None = None, core: int = SERVER_CORE) -> Iterator[Server]:
    """Run a server on its core until the block ends; its files are in `folder`, or in a temporary one."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        log = stack.enter_context((folder / "stderr").open("wb"))
        command = pinned(core, peer.command(folder))
        begin = time.monotonic()
        try:
            process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                cwd=HERE,
                env=clean_environment(folder),
            )
        except OSError as error:
            raise BenchmarkError(f"{peer.name} does not start: {error}") from error
        stack.callback(stop, process)
        assert process.stdout is not None
        try:
            port = port_of(read_line(process.stdout, START_TIMEOUT))
        except BenchmarkError as error:
            said = (folder / "stderr").read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"{peer.name} does not start: {error}\n{said}") from error
        yield Server(peer, process, port, folder, time.monotonic() - begin)


@dataclass(frozen=True)
class LoadResult:
    """What the load client saw; latencies in milliseconds, `bytes` per message without the frame's header."""

    clients: int
    connect_s: float
    seconds: float
    expected: int
    delivered: int
    lost: int
    duplicates: int
    reordered: int
    closed: int
    refused: int
    unknown: int
    bytes: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    own_cpu_s: float

    @property
    def faults(self) -> int:
        """Everything that must be zero: lost, doubled, reordered, closed and refused."""
        return self.lost + self.duplicates + self.reordered + self.closed + self.refused + self.unknown


class Load:
    """The load client in C, on its own core."""

    def __init__(self, server: Server, *options: str, timeout: float = 120.0, core: int = LOAD_CORE) -> None:
        """Start it against `server`; `timeout` in seconds is for connecting and for the run, each."""
        self.timeout = timeout
        command = [str(BUILD / "fanout_load"), "--port", str(server.port), *server.peer.load_options()]
        command += [*options, "--timeout", str(timeout)]
        self.process = subprocess.Popen(
            pinned(core, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        stop(self.process)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = read_line(self.process.stdout, self.timeout + 10)
        if not line:
            raise BenchmarkError("the load client gave up")
        return line

    def wait_ready(self) -> None:
        """Wait until every connection is open and subscribed."""
        line = self._line()
        if line != "ready":
            raise BenchmarkError(f"the load client said {line!r}")

    def begin(self) -> None:
        """Let it publish, or end where it only holds connections."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")

    def result(self) -> LoadResult:
        """Wait for the figures."""
        return LoadResult(**json.loads(self._line()))


def machine() -> dict[str, str | int]:
    """Describe the machine, for the record next to the figures."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown")
    return {"cpu": model, "cores": os.cpu_count() or 0, "kernel": os.uname().release}
