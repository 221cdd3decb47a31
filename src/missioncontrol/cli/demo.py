"""`demo`: the same server over a simulated fleet, in a folder of its own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from missioncontrol.cli.serve import run_server
from missioncontrol.cli.settings import Host, Open, Port, WsPort, read_config
from missioncontrol.errors import ConfigError

MARK = ".mission-control-demo"
"""The file that says that a folder is a demo's, so that a later demo may go on in it."""


def demo(
    *,
    workspace: Annotated[
        str | None,
        Parameter(help="A folder that is empty, new, or a former demo's. Default: a temporary one."),
    ] = None,
    data: Annotated[
        str | None, Parameter(help="The folder for the log. Default: beside the workspace.")
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
    temporary = None if workspace is not None else Path(tempfile.mkdtemp(prefix="mission-control-demo-"))
    try:
        folder = Path(workspace).expanduser().resolve() if workspace is not None else None
        if folder is None:
            # One of both is set, always.
            folder = Path(str(temporary)) / "workspace"
        _claim(folder)
        beside = folder.with_name(f"{folder.name}-data")
        config = read_config(
            {
                "workspace": str(folder),
                "data": str(beside) if data is None else data,
                "server.host": host,
                "server.port": port,
                "server.ws_port": ws_port,
                # The transcripts of real agents have no place in a simulation: it writes its own.
                "sources.openclaw": str(folder.with_name(f"{folder.name}-openclaw")),
                "sources.claude": "off",
                "sources.codex": "off",
            }
        )
        return run_server(config, simulation=True, open_browser=open_)
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _claim(folder: Path) -> None:
    """Make the folder a demo's, if it may be one.

    Raises:
        ConfigError: it has content that is not a demo's, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / MARK).is_file():
            if any(folder.iterdir()):
                raise ConfigError(
                    f"The folder {folder} is neither empty nor a former demo's, so the simulation does not "
                    f"write into it; name another one, or watch it with `mission-control serve`."
                )
            (folder / MARK).write_text("A simulated fleet writes here; made by `mission-control demo`.\n")
    except OSError as error:
        raise ConfigError(f"The folder {folder} cannot be used: {error.strerror or error}.") from None
