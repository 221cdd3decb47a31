"""The config file of a running server: its tokens are read again when it changes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from missioncontrol.config import Config
from missioncontrol.errors import ConfigError

CHECK_SECONDS = 0.4
"""How often the file is checked, so that what is revoked there is closed within a second."""
SETTLE_SECONDS = 0.1
"""How long the file must stay as it is before it is read: an editor that writes in place empties it first."""
MAX_SETTLES = 5
"""After so many of these it is read whatever it is; an empty file is, too."""

logger = structlog.get_logger("missioncontrol.cli")

_Signature = tuple[int, int, int] | None


class ConfigWatch:
    """Follows one config file."""

    def __init__(self, file: Path, load: Callable[[], Config], apply: Callable[[Config], int]) -> None:
        """Begin with the file as it is.

        Args:
            file: the config file.
            load: reads all settings again.
            apply: takes the tokens of new settings over, and returns how many connections were closed.
        """
        self._file = file
        self._load = load
        self._apply = apply
        self._asked = asyncio.Event()
        self._seen = _signature(file)

    def reload(self) -> None:
        """Read the file now, whether it has changed or not."""
        self._asked.set()

    async def run(self) -> None:
        """Follow the file until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._asked.wait()
            found = await asyncio.to_thread(_signature, self._file)
            if found == self._seen and not self._asked.is_set():
                continue
            self._asked.clear()
            self._seen = found = await self._settled(found)
            if found is None:
                logger.warning("the config file is gone; the tokens stay", file=str(self._file))
                continue
            try:
                config = await asyncio.to_thread(self._load)
                closed = self._apply(config)
            except ConfigError as error:
                logger.warning("the config file was not taken; the tokens stay", reason=str(error))
            except Exception as error:
                # Whatever it is, the next version of the file is read again: a token may be revoked by it.
                reason = f"{type(error).__name__}: {error}"
                logger.warning("the config file was not taken; the tokens stay", reason=reason)
            else:
                logger.info("read the config file again", tokens=len(config.server.tokens), closed=closed)

    async def _settled(self, found: _Signature) -> _Signature:
        """Return what the file looks like once it does not change any more."""
        for _ in range(MAX_SETTLES):
            await asyncio.sleep(SETTLE_SECONDS)
            before, found = found, await asyncio.to_thread(_signature, self._file)
            if found == before and found is not None and found[1] > 0:
                break
        return found


def _signature(file: Path) -> _Signature:
    try:
        status = os.stat(file)  # noqa: PTH116 - follows links, as reading does
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
