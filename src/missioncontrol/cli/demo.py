"""`demo`: the same server over a simulated fleet, in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import time
from typing import Annotated

from cyclopts import Parameter

from missioncontrol.cli.serve import run_server
from missioncontrol.cli.settings import Host, Open, Port, WsPort, read_config
from missioncontrol.cli.signals import before_early_end
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.registry import runtimes
from missioncontrol.temporary import LEFT_OVER_SECONDS

PREFIX = "mission-control-demo-"
"""How the names of temporary folders begin."""


def demo(
    *,
    workspace: Annotated[
        str | None,
        Parameter(help="A folder that is empty, new, or a former demo's. Default: a temporary one."),
    ] = None,
    data: Annotated[
        str | None, Parameter(help="The folder for the log. Default: next to the workspace.")
    ] = None,
    host: Host = None,
    port: Port = None,
    ws_port: WsPort = None,
    open_: Open = False,
) -> int:
    """Run the server over a simulated fleet of a dozen agents.

    The fleet writes a workspace of its own, and the server reads it as it would any other; everything that is
    shown is marked as a simulation. Nothing outside the demo's own folders is read or written.

    For example:

        mission-control demo --open
        mission-control demo --port 0 --ws-port none
        mission-control demo --workspace /tmp/fleet
    """
    temporary = None
    if workspace is None:
        try:
            _remove_left_demos(Path(tempfile.gettempdir()))
            temporary = Path(tempfile.mkdtemp(prefix=PREFIX))
            before_early_end(partial(_remove, temporary))
        except OSError as error:
            raise ConfigError(
                f"There is no folder for temporary files ({error.strerror}); name one with --workspace."
            ) from None
    try:
        folder = Path(workspace).expanduser().resolve() if workspace is not None else None
        if folder is None:
            # One of both is set, always.
            folder = Path(str(temporary)) / "workspace"
        _claim(folder)
        from missioncontrol.runtimes.registry import simulated

        beside = folder.with_name(f"{folder.name}-data")
        config = read_config(
            {
                "workspace": str(folder),
                "data": str(beside) if data is None else data,
                "server.host": host,
                "server.port": port,
                "server.ws_port": ws_port,
                # The transcripts of real agents have no place in a simulation: it writes its own.
                **{f"sources.{name}": "off" for name in runtimes()},
                f"sources.{simulated.RUNTIME}": str(folder.with_name(f"{folder.name}-{simulated.RUNTIME}")),
            }
        )
        return run_server(config, simulation=True, open_browser=open_, last=partial(_remove, temporary))
    finally:
        _remove(temporary)


def _remove(folder: Path | None) -> None:
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_demos(folder: Path) -> None:
    """Remove the temporary folders of demos that were killed: those whose log no process holds."""
    from missioncontrol.store.schema import LOCK_NAME

    for left in folder.glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = left.stat(follow_symlinks=False)
            if status.st_uid != os.geteuid() or time() - status.st_mtime < LEFT_OVER_SECONDS:
                continue
            with (left / "workspace-data" / LOCK_NAME).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)


def _claim(folder: Path) -> None:
    """Make the folder a demo's, if it may be one.

    Raises:
        ConfigError: it has content that is not a demo's, or cannot be written.
    """
    # Here, so that the help of the command appears quickly.
    from missioncontrol.app.simulation.simulation import MARK, MARK_TEXT

    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).is_file():
            if any(folder.iterdir()):
                raise ConfigError(
                    f"The folder {folder} is neither empty nor a former demo's, so the simulation does not "
                    f"write into it; name another one, or watch it with `mission-control serve`."
                )
            (folder / MARK).write_text(MARK_TEXT)
    except OSError as error:
        raise ConfigError(f"The folder {folder} cannot be used: {error.strerror or error}.") from None
