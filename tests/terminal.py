"""A real terminal for tests: tmux draws it, presses its keys, and says what stands on the screen."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep

SHELL_PROMPT = "ready-to-go$ "
SHELL = "bash --noprofile --norc"


class Terminal:
    """A shell in a window of a tmux server of its own, of a size that the test says."""

    def __init__(
        self,
        folder: Path,
        width: int,
        height: int,
        *,
        shell: str = SHELL,
        env: Mapping[str, str] | None = None,
    ) -> None:
        program = shutil.which("tmux")
        assert program is not None, "There is no tmux; `make terminals` installs it."
        self._closed = False
        self._tmux = [program, "-S", str(folder / "tmux"), "-f", "/dev/null"]
        known = {**os.environ, "TERM": "tmux-256color", "LC_ALL": "C.UTF-8", **(env or {})}
        for name in ("NO_COLOR", "TMUX"):
            known.pop(name, None)
        size = ["-x", str(width), "-y", str(height)]
        self._run("new-session", "-d", *size, f"env PS1='{SHELL_PROMPT}' {shell}", env=known)
        self.wait_for(SHELL_PROMPT.strip())

    def _run(self, *arguments: str, env: dict[str, str] | None = None) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], env=env, capture_output=True, text=True, timeout=20, check=True
        )
        return done.stdout

    def close(self) -> None:
        """End it; twice does nothing."""
        if not self._closed:
            self._closed = True
            self._run("kill-server")

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def resize(self, width: int, height: int) -> None:
        self._run("resize-window", "-x", str(width), "-y", str(height))

    def ask(self, form: str) -> str:
        return self._run("display-message", "-p", form).strip()

    def screen(self, *, codes: bool = False) -> str:
        return self._run("capture-pane", "-p", *(["-e"] if codes else []))

    def wait_for(self, wanted: str | Callable[[str], bool], seconds: float = 20.0) -> str:
        deadline = monotonic() + seconds
        while True:
            shown = self.screen()
            if wanted(shown) if callable(wanted) else wanted in shown:
                return shown
            assert monotonic() < deadline, f"{wanted!r} is not on the screen:\n{shown}"
            sleep(0.05)
