"""A second network on this machine, whose end can vanish as a machine does that loses its power: without a word."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from types import TracebackType
from typing import Self

import pytest


def needs_network_namespaces() -> pytest.MarkDecorator:
    """Skip where there are no network namespaces, or this user may make none."""
    able = os.geteuid() == 0 and shutil.which("ip") is not None
    if able:
        name = f"mc{secrets.token_hex(4)}"
        able = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
        if able:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return pytest.mark.skipif(not able, reason="needs root and network namespaces")


class Network:
    """A network namespace joined to this one; `here` is the address of this side."""

    def __init__(self) -> None:
        name = secrets.token_hex(3)
        subnet = f"10.{201 + secrets.randbelow(50)}.{secrets.randbelow(256)}"
        self.here, self._there = f"{subnet}.1", f"{subnet}.2"
        self._name, self._near, self._far = f"mc{name}", f"mcn{name}", f"mcf{name}"

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        _ip("link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self._name)
        _ip("addr", "add", f"{self.here}/24", "dev", self._near)
        _ip("link", "set", self._near, "up")
        _ip("-n", self._name, "addr", "add", f"{self._there}/24", "dev", self._far)
        _ip("-n", self._name, "link", "set", self._far, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ip("link", "del", self._near)
        _ip("netns", "del", self._name)

    def command(self, *arguments: str) -> list[str]:
        """Return a command that runs on the other side."""
        return ["ip", "netns", "exec", self._name, *arguments]

    def vanish(self) -> None:
        """Let the other side be gone: what is sent there arrives nowhere, and nothing comes back."""
        _ip("-n", self._name, "addr", "flush", "dev", self._far)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
