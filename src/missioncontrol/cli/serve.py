"""`serve`: the server in the foreground, from its settings to its last event."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
import webbrowser
from contextlib import suppress

import structlog
import uvloop

from missioncontrol.cli.logs import configure_logging
from missioncontrol.cli.settings import (
    ConfigFile,
    DataFolder,
    Host,
    LogUrl,
    Open,
    Port,
    ServerToken,
    Workspace,
    WsPort,
    read_config,
)
from missioncontrol.config import Config

SWITCH_INTERVAL = 0.001
COLLECTOR_THRESHOLDS = (10_000, 20, 50)

logger = structlog.get_logger("missioncontrol.cli")


def serve(
    *,
    workspace: Workspace = None,
    data: DataFolder = None,
    host: Host = None,
    port: Port = None,
    ws_port: WsPort = None,
    config: ConfigFile = None,
    log: LogUrl = None,
    token: ServerToken = None,
    open_: Open = False,
) -> int:
    """Watch a workspace and serve its events until it is told to stop.

    When it accepts connections it prints one line, `ready http://HOST:PORT ws://HOST:PORT/api/ws`, on standard
    output; logs go to standard error. SIGTERM and SIGINT (Ctrl-C) drain: clients are told, everything accepted is
    kept, the exit status is 0. A second signal ends it at once.

    For example:

        mission-control serve --workspace ~/.openclaw/workspace
        mission-control serve --port 0 --ws-port none
        MISSION_CONTROL_TOKEN=... mission-control serve --host 0.0.0.0
        mission-control serve --config mission-control.toml --open
        mission-control serve --log nats://nats-1:4222,nats-2:4222,nats-3:4222
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
        token=token,
    )
    return run_server(settings, open_browser=open_)


def run_server(config: Config, *, simulation: bool = False, open_browser: bool = False) -> int:
    """Run a server until a signal ends it, and return the exit status.

    Raises:
        ConfigError: it cannot start with these settings.
    """
    configure_logging()
    _raise_descriptor_limit()
    # The log's writer thread and the event loop take turns: at the usual 5 ms a busy one would delay the other.
    sys.setswitchinterval(SWITCH_INTERVAL)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(config, simulation=simulation, open_browser=open_browser))


async def _serve(config: Config, *, simulation: bool, open_browser: bool) -> int:
    # Here, so that the other commands start quickly: the server is most of what there is to import.
    from missioncontrol.app import MissionControl

    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def stop(number: signal.Signals) -> None:
        if told.is_set():
            os._exit(128 + number)
        told.set()
        logger.info("stopping", signal=number.name)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    server = MissionControl(config, simulation=simulation)
    await server.start()
    try:
        if not told.is_set():
            logger.info(
                "serving",
                url=server.url,
                workspace=str(config.workspace_path),
                data=str(config.data_path),
                simulation=simulation,
            )
            # What is there now stays: the collector need not look at it again, nor as often as it would.
            gc.collect()
            gc.freeze()
            gc.set_threshold(*COLLECTOR_THRESHOLDS)
            _give_memory_back()
            print(f"ready {server.url} {server.ws_url}", flush=True)
            if open_browser:
                # Not awaited: some browsers only return when they are closed.
                loop.run_in_executor(None, webbrowser.open, server.url)
        ended = asyncio.ensure_future(server.wait_closed())
        asked = asyncio.ensure_future(told.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ended, asked):
            waiting.cancel()
    finally:
        await server.stop()
    logger.info("stopped")
    return 0 if told.is_set() else 1


def _give_memory_back() -> None:
    """Give back what the start has needed and nobody needs any more; glibc alone keeps it, and can be told."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _raise_descriptor_limit() -> None:
    """Every client is a descriptor: take as many as the system lets this process have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as error:
            logger.warning("few file descriptors", soft=soft, hard=hard, error=str(error))
