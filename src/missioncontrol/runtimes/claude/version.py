"""Which release of Claude Code is installed here: as its own command says, else as its newest transcript does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from missioncontrol.runtimes.claude.settings import Version

ASK_SECONDS = 10.0
_TAIL_BYTES = 64 * 1024
_SAID = re.compile(r"^(\d+)\.(\d+)\.(\d+)\b")
_WRITTEN = re.compile(rb'"version": ?"(\d+)\.(\d+)\.(\d+)')


def installed(environment: Mapping[str, str] = os.environ) -> Version | None:
    """Return the release; None where it cannot be found out."""
    return _said(environment) or _written(environment)


def _said(environment: Mapping[str, str]) -> Version | None:
    command = shutil.which("claude", path=environment.get("PATH"))
    if command is None:
        return None
    with suppress(OSError, subprocess.SubprocessError, UnicodeDecodeError):
        done = subprocess.run(  # noqa: S603 - the program that is to be connected, as the user would call it
            [command, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=False,
        )
        if match := _SAID.match(done.stdout.strip()):
            return int(match[1]), int(match[2]), int(match[3])
    return None


def _written(environment: Mapping[str, str]) -> Version | None:
    folder = Path(environment.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser() / "projects"
    try:
        newest = max(folder.glob("*/*.jsonl"), key=lambda path: path.stat().st_mtime, default=None)
        if newest is None:
            return None
        with newest.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            found = _WRITTEN.findall(file.read())
    except OSError:
        return None
    return (int(found[-1][0]), int(found[-1][1]), int(found[-1][2])) if found else None
