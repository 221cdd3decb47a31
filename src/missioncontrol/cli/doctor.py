"""`doctor`: does everything that the server needs hold on this machine, and what to do where it does not.

Each check looks and changes nothing; none needs a network beyond this machine, but for the NATS
servers where the settings name some.
"""

from __future__ import annotations

import errno
import os
import platform
import resource
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, time
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from missioncontrol.cli.running import read_running
from missioncontrol.cli.settings import (
    ClientToken,
    ConfigFile,
    DataFolder,
    Host,
    Json,
    LogUrl,
    Port,
    Workspace,
    WsPort,
    read_config,
    read_token,
)
from missioncontrol.cli.status import ask_health
from missioncontrol.client import ClientError
from missioncontrol.config import Config
from missioncontrol.events.sentences import clean, size
from missioncontrol.runtimes import registry

CheckResult = Literal["ok", "warn", "fail"]

LEAST_PYTHON = (3, 11)
LEAST_SQLITE = (3, 35, 0)
"""The first with RETURNING; WAL and the rest are older."""
LEAST_NATS = (2, 12)
LEAST_FREE_BYTES = 64 * 1024 * 1024
RELEASED = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
MAX_CLOCK_SKEW = 5.0
SPARE_DESCRIPTORS = 256
COUNT_SECONDS = 2.0
HEALTH_SECONDS = 3.0
_replies = msgspec.json.Decoder(dict[str, object])
TAKEN = "another program uses it"
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


class Check(msgspec.Struct, frozen=True):
    """What one check has found; `advice` says what to do where it is not ok."""

    name: str
    verdict: CheckResult
    found: str
    advice: str = ""


def doctor(
    *,
    workspace: Workspace = None,
    data: DataFolder = None,
    host: Host = None,
    port: Port = None,
    ws_port: WsPort = None,
    config: ConfigFile = None,
    log: LogUrl = None,
    token: ClientToken = None,
    json: Json = False,
) -> int:
    """Check that everything the server needs holds on this machine.

    It takes the settings as `serve` does, so give it the same flags. The exit status is 1 where a check fails.

    For example:

        mission-control doctor
        mission-control doctor --workspace ~/fleet --port 4001
        mission-control doctor --json
    """
    settings = read_config(
        {
            "workspace": workspace,
            "data": data,
            "server.host": host,
            "server.port": port,
            "server.ws_port": ws_port,
            "log.url": log,
        },
        file=config,
    )
    checks = list(examine(settings, read_token(token)))
    if json:
        print(msgspec.json.encode(checks).decode())
    else:
        _show(checks, Console(file=sys.stdout, highlight=False, markup=False, emoji=False))
    return 1 if any(check.verdict == "fail" for check in checks) else 0


def examine(config: Config, token: str | None) -> Iterator[Check]:
    """Make all checks for a server with these settings."""
    yield check_python()
    yield check_sqlite()
    yield check_workspace(config.workspace_path)
    yield check_runtimes(config)
    yield check_data(config.data_path, config.log.retention_bytes)
    for address in config.nats_servers:
        yield check_nats(address)
    yield check_inotify(config.workspace_path)
    yield check_descriptors(config.server.max_clients)
    running: dict[str, object] | None = None
    server = config.server
    for flag, port, asked_for in (
        ("--port", server.wanted_port, server.port != "auto"),
        ("--ws-port", server.wanted_ws_port, server.ws_port != "auto"),
    ):
        if port is None:
            continue
        check, health = check_port(server.host, port, flag, token)
        running = running or health
        if check.verdict == "fail" and check.found == TAKEN and not asked_for:
            other = "another one is taken" if flag == "--port" else "it is left out"
            check = Check(check.name, "warn", f"{TAKEN}; {other}", f"{flag} names a port for good.")
        yield check
    if running is None and (found := read_running(config.data_path)) is not None:
        with suppress(ClientError):
            running = ask_health(found.url, token, timeout=HEALTH_SECONDS)
    yield check_clock(running)
    yield check_server(running)


def check_python() -> Check:
    """Is this Python one that the server runs on."""
    version = platform.python_version()
    if sys.version_info[:2] < LEAST_PYTHON:
        return Check("python", "fail", version, "Install Python 3.11 or a later one.")
    return Check("python", "ok", version)


def check_sqlite() -> Check:
    """Can the SQLite in this Python hold the log."""
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        return Check(
            "sqlite", "fail", version, f"Use a Python whose sqlite3 has SQLite {least} or a later one."
        )
    return Check("sqlite", "ok", version)


def check_workspace(folder: Path) -> Check:
    """Can the workspace be read, and are there agents in it."""
    try:
        next(folder.iterdir(), None)
        agents = next((a for a in (folder / "mission-control/agents", folder / "agents") if a.is_dir()), None)
        count = 0 if agents is None else sum(1 for entry in agents.iterdir() if entry.is_dir())
    except OSError as error:
        advice = "Name another folder with --workspace, or let this user read it."
        return Check("workspace", "fail", f"{folder}: {error.strerror}", advice)
    if not count:
        advice = "Agents are folders below agents/ or mission-control/agents/; is this the right workspace?"
        return Check("workspace", "warn", f"{folder}: no agents", advice)
    return Check("workspace", "ok", f"{folder}: {count} agent{'' if count == 1 else 's'}")


def check_runtimes(config: Config) -> Check:
    """Which runtimes have left transcripts here, and are those there that the settings name."""
    sources = config.sources
    places = registry.find_all(sources, config.workspace_path)
    there = [f"{name} at {place.folder}" for name, place in places.items() if place.folder.is_dir()]
    missing = [
        f"sources.{name} names {sources.place_of(name)}, which is no folder"
        for name, place in places.items()
        if sources.place_of(name) != "auto" and not place.folder.is_dir()
    ]
    if missing:
        return Check(
            "runtimes", "warn", "; ".join([*missing, *there]), "Name the folder that the runtime writes."
        )
    return Check("runtimes", "ok", "; ".join(there) or "none has left transcripts here")


def check_data(folder: Path, wanted: int) -> Check:
    """Can the log be written, and has it room for what it is to keep (`wanted`, in bytes)."""
    # The folder may not exist yet: then what counts is the nearest one that does.
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            "data",
            "fail",
            f"{existing} cannot be written",
            "Name another folder with --data, or let this user write it.",
        )
    free = shutil.disk_usage(existing).free
    found = f"{folder}: {size(free)} free"
    if free < LEAST_FREE_BYTES:
        return Check(
            "data", "fail", found, "Make room on this disk, or name a folder on another one with --data."
        )
    if free < wanted:
        advice = f"The log may grow to {size(wanted)}: make room, or lower log.retention_bytes."
        return Check("data", "warn", found, advice)
    return Check("data", "ok", found)


def check_nats(address: str) -> Check:
    """Does a NATS server answer, new enough and with JetStream; it says so to whoever connects."""
    parts = urlsplit(address)
    where = f"{parts.hostname}:{parts.port or 4222}"
    try:
        with socket.create_connection(
            (parts.hostname or "", parts.port or 4222), HEALTH_SECONDS
        ) as connection:
            connection.settimeout(HEALTH_SECONDS)
            said = connection.makefile("rb").readline(65_536)
        info = _replies.decode(said.removeprefix(b"INFO "))
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return Check(
            "NATS", "fail", f"{where} does not answer: {reason}", "Start it, or name another one with --log."
        )
    version = str(info.get("version"))
    found = f"{where}: nats-server {version}"
    if tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit()) < LEAST_NATS:
        return Check("NATS", "fail", found, "Update it: 2.12 is the first with atomic batches.")
    if not info.get("jetstream"):
        return Check(
            "NATS", "fail", f"{found}, without JetStream", "Start it with -js, or enable it in its config."
        )
    return Check("NATS", "ok", found)


def check_inotify(folder: Path, limits: Path = Path("/proc/sys/fs/inotify")) -> Check:
    """Does the system let this user watch every folder of the workspace."""
    try:
        watches = int((limits / "max_user_watches").read_text())
        instances = int((limits / "max_user_instances").read_text())
    except (OSError, ValueError):
        return Check("inotify", "ok", "no limits on this system")
    folders, whole = _count_folders(folder)
    found = f"{folders:,}{'' if whole else ' or more'} folders, {watches:,} watches for this user"
    if folders > watches or instances < 1:
        needed = max(524_288, folders * 2)
        return Check(
            "inotify", "fail", found, f"Raise the limit: sudo sysctl fs.inotify.max_user_watches={needed}"
        )
    if folders > watches // 2:
        return Check(
            "inotify",
            "warn",
            found,
            f"Other programs watch too: sudo sysctl fs.inotify.max_user_watches={watches * 4}",
        )
    return Check("inotify", "ok", found)


def check_descriptors(clients: int) -> Check:
    """Does the system let the server have as many connections as it is set to take."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return Check("file descriptors", "ok", "no limit")
    found = f"{hard:,} for a process, {clients:,} clients are allowed"
    if hard < clients + SPARE_DESCRIPTORS:
        advice = f"Raise the limit (ulimit -Hn {clients + SPARE_DESCRIPTORS}), or lower server.max_clients."
        return Check("file descriptors", "warn", found, advice)
    return Check("file descriptors", "ok", found)


def check_port(host: str, port: int, flag: str, token: str | None) -> tuple[Check, dict[str, object] | None]:
    """Can the port be listened on, or is our own server on it already; then also return that one's health."""
    name = f"port {port}" if port else "port (any)"
    if port == 0:
        return Check(name, "ok", "a free one is taken"), None
    trouble = _try_port(host, port)
    if trouble is None:
        return Check(name, "ok", "free"), None
    if trouble.errno == errno.EADDRINUSE:
        near = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
        url = f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"
        try:
            health = ask_health(url, token, timeout=HEALTH_SECONDS)
        except ClientError:
            health = {}
        if "status" in health and "timestamp" in health:
            return Check(name, "ok", "a Mission Control server is running on it"), health
        return Check(name, "fail", TAKEN, f"Stop that program, or choose another port with {flag}."), None
    advice = f"Choose another port with {flag} or another address with --host."
    return Check(name, "fail", trouble.strerror or str(trouble), advice), None


def check_clock(health: dict[str, object] | None) -> Check:
    """Does the clock tell a time that can be, and the same as the running server's."""
    now = time()
    found = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    advice = "Set the clock, and keep it right with NTP: events carry its time."
    if now < RELEASED:
        return Check("clock", "fail", found, advice)
    if health is not None:
        try:
            skew = now - datetime.fromisoformat(str(health.get("timestamp"))).timestamp()
        except ValueError:
            skew = 0.0
        if abs(skew) > MAX_CLOCK_SKEW:
            return Check("clock", "warn", f"{found}, {skew:+.0f} s from the server's", advice)
    return Check("clock", "ok", found)


def check_server(health: dict[str, object] | None) -> Check:
    """Is the running server well, if there is one."""
    if health is None:
        return Check("server", "ok", "not running; start it with `mission-control serve`")
    status = clean(health.get("status"))
    if status != "ok":
        reason = clean(health.get("reason") or "it does not say why")
        return Check("server", "fail", f"{status}: {reason}", "See the server's own log for more.")
    return Check("server", "ok", "running and well")


def _count_folders(top: Path) -> tuple[int, bool]:
    """Count folders as far as a short time goes; say whether that was all of them."""
    until = monotonic() + COUNT_SECONDS
    count = 0
    for _, folders, _ in os.walk(top):
        folders[:] = [name for name in folders if name not in {".git", "node_modules"}]
        count += 1
        if monotonic() > until:
            return count, False
    return count, True


def _try_port(host: str, port: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _show(checks: list[Check], console: Console) -> None:
    table = Table.grid(padding=(0, 2))
    for check in checks:
        table.add_row(
            Text(check.verdict, style=_STYLES[check.verdict]),
            check.name,
            clean(check.found) + (f"\n{check.advice}" if check.advice else ""),
        )
    console.print(table)
