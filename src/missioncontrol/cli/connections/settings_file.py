"""A runtime's settings file: changed whole or not at all, also while others change it.

Invariants:

- nobody ever sees half a file: the new one is written next to it, flushed to the disk, and renamed over it;
- a symbolic link stays one, and the file behind it is changed; mode and owner stay;
- two of us at once take turns, by a lock on the folder; if the runtime itself changes the file meanwhile, its
  change is taken in;
- a file that cannot be understood, or that its owner has made read-only, is left alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from missioncontrol.errors import ConfigError
from missioncontrol.temporary import open_temporary, remove_left_over

TRIES = 5
NEW_MODE = 0o600
"""Of a file that is made here: it may come to hold a token."""

_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class SettingsFile:
    """A settings file by its path; it need not be there."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser()

    def read(self) -> str:
        """Return the text, "" where there is no file.

        Raises:
            ConfigError: it cannot be read, or is not UTF-8.
        """
        return (self._read() or b"").decode("utf-8").removeprefix(_MARK)

    def change(self, edit: Callable[[str], str]) -> bool:
        """Change the file; says whether anything was different.

        Args:
            edit: makes the new text of the old one, "" where there is no file yet. It may be called again.

        Raises:
            ConfigError: `edit` refuses the text, or the file cannot be read or written; nothing has changed then.
        """
        real = Path(os.path.realpath(self.path))
        for _ in range(TRIES):
            before = self._read()
            text = (before or b"").decode("utf-8")
            mark = _MARK if text.startswith(_MARK) else ""
            try:
                after = (mark + edit(text.removeprefix(mark))).encode("utf-8")
            except ConfigError as error:
                raise ConfigError(f"{self.path}: {error}") from None
            if after == (before or b""):
                return False
            try:
                real.parent.mkdir(parents=True, exist_ok=True)
                with _locked(real.parent):
                    if self._read() == before:
                        _replace(real, after)
                        return True
            except OSError as error:
                raise ConfigError(f"{self.path} cannot be written ({error.strerror}).") from None
        raise ConfigError(f"{self.path} is changed again and again by something else; try again.")

    def _read(self) -> bytes | None:
        try:
            content = self.path.read_bytes()
            content.decode("utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path} is not UTF-8; nothing was changed.") from None
        except OSError as error:
            raise ConfigError(
                f"{self.path} cannot be read ({error.strerror}); nothing was changed."
            ) from None
        return content


def _replace(path: Path, content: bytes) -> None:
    """Put a file in another one's place."""
    try:
        old = path.stat()
    except FileNotFoundError:
        old = None
    if old is not None and not old.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(f"{path} is read-only; make it writable first (chmod u+w), or use --print.")
    remove_left_over(path)
    descriptor, beside = open_temporary(path, NEW_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if old is not None:
                with suppress(PermissionError):
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(old.st_mode))
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _flush_folder(path.parent)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be alone among us in changing files of a folder; where folders cannot be locked, do without."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _flush_folder(folder: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
