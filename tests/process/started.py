"""A command of `mission-control` in a process of its own, with the limits, streams and signals that a test wants."""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from missioncontrol.config import ENVIRONMENT

SECONDS = 30.0


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment without settings of ours, with another home folder, and `more`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MISSION_CONTROL_", "XDG_")) and name not in ENVIRONMENT
    }
    return {**inherited, "HOME": str(home), **more}


class Started:
    """A running command. `shell` is what a shell does before it becomes the command, such as `ulimit -n 256`."""

    def __init__(
        self, arguments: Sequence[str], *, env: Mapping[str, str], folder: Path, shell: str = ""
    ) -> None:
        self._errors = folder / f"stderr-{len(list(folder.glob('stderr-*')))}"
        command = shlex.join([sys.executable, "-m", "missioncontrol.cli", *arguments])
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                ["/bin/bash", "-c", f"{shell or ':'}; exec {command}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                cwd=folder,
            )
        self.url = self.ws_url = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.read_text(errors="replace")

    def ready(self) -> Self:
        """Wait for the `ready` line, and keep its addresses."""
        line = self.line()
        word, _, addresses = line.partition(" ")
        assert word == "ready", (line, self.stderr)
        self.url, _, self.ws_url = addresses.partition(" ")
        return self

    def line(self) -> str:
        """Wait for the next line on standard output; "" when it has ended."""
        output, line, deadline = self.process.stdout, b"", monotonic() + SECONDS
        assert output is not None
        while not line.endswith(b"\n"):
            readable, _, _ = select.select([output], [], [], max(0.0, deadline - monotonic()))
            assert readable, f"no line in time\n{self.stderr}"
            piece = os.read(output.fileno(), 1)
            if not piece:
                break
            line += piece
        return line.decode().strip()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def status(self) -> int:
        """Wait until it has ended, and return its exit status; negative for a signal."""
        return self.process.wait(SECONDS)
