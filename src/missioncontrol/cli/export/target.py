"""Where an export goes: standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from missioncontrol.errors import ConfigError
from missioncontrol.temporary import open_temporary, remove_left_over

STANDARD_OUTPUT = "-"


@contextmanager
def open_target(name: str, *, force: bool) -> Iterator[IO[bytes]]:
    """Open what an export is written to.

    A file is written next to its place under another name, synced, and put there at the end; when something fails,
    nothing is left behind.

    Raises:
        ConfigError: there is a file already and `force` is False, or it cannot be written.
    """
    if name == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name).expanduser()
    if path.exists() and not path.is_file():
        if path.is_dir():
            raise ConfigError(f"{path} is a folder; name a file in it.")
        # A pipe or a device: there is no place to put a file.
        with path.open("wb") as output:
            yield output
        return
    if path.exists() and not force:
        raise _refusal(path)
    remove_left_over(path)
    try:
        descriptor, beside = open_temporary(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.") from None
    try:
        with os.fdopen(descriptor, "wb", buffering=1024 * 1024) as output:
            yield output
            output.flush()
            os.fsync(output.fileno())
        _put(beside, path, force=force)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _put(beside: Path, path: Path, *, force: bool) -> None:
    if force:
        beside.replace(path)
        return
    try:
        # A link never replaces: whoever has made this file meanwhile keeps it.
        os.link(beside, path)
    except FileExistsError:
        raise _refusal(path) from None
    except OSError:
        if path.exists():
            raise _refusal(path) from None
        beside.replace(path)


def _refusal(path: Path) -> ConfigError:
    return ConfigError(f"{path} exists already; name another file, or replace it with --force.")
