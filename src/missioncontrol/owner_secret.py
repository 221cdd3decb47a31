"""The owner's secret: the file that shows that a command or a browser belongs to the person who runs the server.

It is made at the first start, in the data folder, with the mode 0600.
"""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from missioncontrol.errors import ConfigError
from missioncontrol.temporary import replace_file

FILE_NAME = "owner.key"
SECRET_PREFIX = "mc_owner_"  # noqa: S105 - what the secret begins with
MAX_SECRET_BYTES = 200


def new_secret() -> str:
    """Make a secret."""
    return SECRET_PREFIX + secrets.token_urlsafe(32)


def load_secret(data: Path) -> str:
    """Return the owner's secret of a data folder; the first time it is made.

    Raises:
        ConfigError: the file cannot be read or written, or belongs to another user.
    """
    path = data / FILE_NAME
    try:
        try:
            return read_secret(data)
        except FileNotFoundError:
            replace_file(path, new_secret().encode() + b"\n", 0o600)
            return read_secret(data)
    except OSError as error:
        raise ConfigError(
            f"The owner's secret {path} cannot be read or made: {error.strerror or error}. It must be a file of this "
            f"user with the mode 0600; remove it to have another one made, which signs all browsers out."
        ) from None


def read_secret(data: Path) -> str:
    """Read the owner's secret of a data folder.

    Raises:
        OSError: there is none, it belongs to another user, or others may read it.
    """
    descriptor = os.open(data / FILE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(1, "it is no file of this user")
        if status.st_mode & 0o077:
            raise PermissionError(1, "other users may read it")
        text = os.read(descriptor, MAX_SECRET_BYTES).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)
    if not text.startswith(SECRET_PREFIX) or len(text) < len(SECRET_PREFIX) + 32:
        raise OSError(22, "it is not a secret that Mission Control has made")
    return text
