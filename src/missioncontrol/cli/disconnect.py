"""`disconnect`: take back what `connect` has written."""

from collections.abc import Callable
from pathlib import Path

from cyclopts import App

from missioncontrol.cli.connect import Settings, options_of
from missioncontrol.cli.connections.settings_file import SettingsFile
from missioncontrol.runtimes.base import Runtime
from missioncontrol.runtimes.connection import SettingsConnection
from missioncontrol.runtimes.registry import runtimes

disconnect = App(name="disconnect", help="Take back what `connect` has written into a runtime's settings.")


def _command_of(runtime: Runtime, connection: SettingsConnection) -> Callable[..., int]:
    """Make `disconnect NAME`."""

    usual_file = connection.file_options()

    def disconnect_runtime(
        *,
        where: options_of(connection.file_options) = usual_file,  # type: ignore[valid-type]
        settings: Settings = None,
    ) -> int:
        file = SettingsFile(settings or connection.settings_files(where)[0])
        print(_done(runtime.title, file.path, file.change(connection.disconnected)))
        return 0

    return disconnect_runtime


for _runtime in runtimes().values():
    _connection = _runtime.connection
    if isinstance(_connection, SettingsConnection):
        _command = _command_of(_runtime, _connection)
        _command.__doc__ = _connection.disconnect_help
        disconnect.command(_command, name=_runtime.name)


def _done(runtime: str, path: Path, changed: bool) -> str:
    return (
        f"{runtime} is disconnected: our part is out of {path}."
        if changed
        else f"{runtime} is not connected in {path}."
    )
