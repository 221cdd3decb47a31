"""`serve`: the server in the foreground, from its settings to its last event."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic

import structlog
import uvloop

from missioncontrol.cli.config_watch import ConfigWatch
from missioncontrol.cli.logs import configure_logging
from missioncontrol.cli.running import announced
from missioncontrol.cli.server import sign_in_url
from missioncontrol.cli.settings import (
    COMMAND_LINE,
    TOKEN_VARIABLE,
    ConfigFile,
    DataFolder,
    Host,
    LogUrl,
    Open,
    Port,
    ServerToken,
    Workspace,
    WsPort,
    config_file,
    read_config,
)
from missioncontrol.cli.signals import Terminal, ending_signals, on_ending, show_threads_on
from missioncontrol.config import Config

SWITCH_INTERVAL = 0.001
COLLECTOR_THRESHOLDS = (10_000, 20, 50)

SAME_REQUEST_SECONDS = 1.0
"""A signal so soon after the first asks for the same: `timeout` and wrappers send theirs twice."""

LAST_WORK_SECONDS = 1.0
"""For how long the end waits for what is still done in threads."""

START_PATIENCE_SECONDS = 5.0
"""For how long a start that is asked to end may still go on."""

Reload = tuple[Path, Callable[[], Config]]

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
    output, and a second one, `sign-in URL`, which signs one browser of this machine in; logs go to standard error. The
    tokens of the config file are read again when it changes, and on SIGHUP. SIGTERM, SIGINT (Ctrl-C), SIGHUP (a closed
    terminal, or without a config file; unless it is ignored, as under `nohup`) and SIGQUIT drain: clients are notified,
    everything accepted is kept, the exit status is 0. A second SIGTERM or SIGINT, a second or more after the first
    signal, ends it at once with status 128 and the signal's number.
    SIGUSR1 writes what every thread does to standard error; SIGUSR2 does nothing.

    For example:

        mission-control serve --workspace ~/.openclaw/workspace
        mission-control serve --port 0 --ws-port none
        MISSION_CONTROL_TOKEN=... mission-control serve --host 0.0.0.0
        mission-control serve --config mission-control.toml --open
        mission-control serve --log nats://nats-1:4222,nats-2:4222,nats-3:4222
    """
    flags = {
        "workspace": workspace,
        "data": data,
        "server.host": host,
        "server.port": port,
        "server.ws_port": ws_port,
        "log.url": log,
    }
    settings = read_config(flags, file=config, token=token)
    # A token of the command line or the environment stays what it was.
    own = settings.server.tokens[-1:] if settings.server.tokens[-1:] and _is_own(settings) else []

    def load() -> Config:
        environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
        again = read_config(flags, file=config, environment=environment)
        again.server.tokens += own
        return again

    file = config_file(config)
    return run_server(settings, open_browser=open_, reload=None if file is None else (file, load))


def run_server(
    config: Config,
    *,
    simulation: bool = False,
    open_browser: bool = False,
    last: Callable[[], object] = lambda: None,
    reload: Reload | None = None,
) -> int:
    """Run a server until a signal ends it, and return the exit status.

    Args:
        config: its settings.
        simulation: whether it watches a simulated fleet.
        open_browser: whether to open the dashboard.
        reload: the config file, and what reads it again when it changes or SIGHUP is sent.
        last: called when the server has ended and the process ends here, since a thread of it hangs.

    Raises:
        ConfigError: it cannot start with these settings.
    """
    configure_logging()
    _raise_descriptor_limit()
    # The log's writer thread and the event loop take turns: at the usual 5 ms a busy one would delay the other.
    sys.setswitchinterval(SWITCH_INTERVAL)
    # It shows what a server does that does not answer; without a handler the signal would end the process.
    show_threads_on(signal.SIGUSR1)
    workers = ThreadPoolExecutor(thread_name_prefix="worker")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.get_loop().set_default_executor(workers)
        status = runner.run(_serve(config, simulation, open_browser, reload))
        if not _have_ended(workers):
            # A file system that does not answer, or a browser that runs until it is closed. All that counts is durable.
            logger.warning("threads are left behind", seconds=LAST_WORK_SECONDS)
            last()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    # The loop has put the default actions back, and what follows must not be cut short by a signal that comes twice.
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)
    return status


def _is_own(settings: Config) -> bool:
    return settings.server.tokens[-1].name == COMMAND_LINE


def _have_ended(workers: ThreadPoolExecutor) -> bool:
    """Let the threads end what they do, for a limited time; say whether they have."""
    ending = threading.Thread(target=workers.shutdown, kwargs={"cancel_futures": True}, daemon=True)
    ending.start()
    ending.join(LAST_WORK_SECONDS)
    return not ending.is_alive()


async def _serve(config: Config, simulation: bool, open_browser: bool, reload: Reload | None) -> int:
    # Here, so that the other commands start quickly: the server is most of what there is to import.
    from missioncontrol.app import MissionControl
    from missioncontrol.runtimes.files.cut_index import survive_cut_indexes

    survive_cut_indexes()
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    first_at = 0.0

    watch: ConfigWatch | None = None
    terminal = Terminal()

    def stop(number: signal.Signals) -> None:
        nonlocal first_at
        if number == signal.SIGHUP and reload is not None and not terminal.is_gone():
            if watch is not None:
                watch.reload()
            return
        if not told.is_set():
            told.set()
            first_at = monotonic()
            logger.info("stopping", signal=number.name)
        elif number in (signal.SIGTERM, signal.SIGINT) and monotonic() - first_at >= SAME_REQUEST_SECONDS:
            # What was acknowledged is durable by then.
            os._exit(128 + number)

    on_ending(loop, stop)
    loop.add_signal_handler(signal.SIGUSR2, logger.info, "SIGUSR2 has no meaning here")
    server = MissionControl(config, simulation=simulation)
    starting = asyncio.ensure_future(server.start())
    asked = asyncio.ensure_future(told.wait())
    await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        await asyncio.wait({starting}, timeout=START_PATIENCE_SECONDS)
        if not starting.done():
            # It waits for something that may never come, such as NATS servers. Nothing was promised to any client yet.
            logger.info("stopped before it was ready")
            os._exit(0)
    asked.cancel()
    await starting
    stack = ExitStack()
    following: asyncio.Task[None] | None = None
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
            place = announced(server.url, server.ws_url, config.workspace_path, config.data_path)
            stack.enter_context(place)
            _announce(f"ready {server.url} {server.ws_url}")
            server.show_codes(lambda code: _announce(f"sign-in code {code}"))
            _announce(f"sign-in {sign_in_url(server.url, server.new_sign_in_link())}")
            if open_browser:
                # Not awaited: some browsers only return when they are closed.
                link = sign_in_url(server.url, server.new_sign_in_link())
                loop.run_in_executor(None, webbrowser.open, link)
            if reload is not None:
                watch = ConfigWatch(*reload, server.replace_tokens)
                following = asyncio.create_task(watch.run())
        ended = asyncio.ensure_future(server.wait_closed())
        asked = asyncio.ensure_future(told.wait())
        await asyncio.wait({ended, asked}, return_when=asyncio.FIRST_COMPLETED)
        for waiting in (ended, asked):
            waiting.cancel()
    finally:
        if following is not None:
            following.cancel()
        # No command is sent to a server that drains.
        stack.close()
        await server.stop()
    logger.info("stopped")
    return 0 if told.is_set() else 1


def _announce(line: str) -> None:
    """Print a line on standard output; a server goes on where no program reads it any more."""
    try:
        print(line, flush=True)
    except OSError as error:
        logger.warning("the ready line cannot be written", error=str(error), line=line)
        # Else the interpreter's own last flush would fail over it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
