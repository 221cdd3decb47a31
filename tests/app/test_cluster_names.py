"""What a host is called when it joins its fleet, also where NATS answers and its streams do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from missioncontrol.app import cluster
from missioncontrol.config import Config
from missioncontrol.errors import OpenError, StoreError

pytestmark = pytest.mark.anyio


class Names:
    """Gives a name, or does not answer."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    async def claim(self, wanted: str | None, workspace: Path) -> str:
        if self.name is None:
            raise StoreError("NATS does not answer: timeout.")
        return self.name


class Link:
    """A connection that stands, or does not."""

    def __init__(self, connected: bool) -> None:
        self.connected = connected


async def name(folder: Path, given: str | None, *, connected: bool = True) -> str:
    config = Config(data=str(folder))
    host: str = await cluster._name_host(
        config, folder, cast("Any", Link(connected)), cast("Any", Names(given))
    )
    return host


async def test_a_host_is_called_what_it_was_called_while_the_streams_have_no_leader(tmp_path: Path) -> None:
    assert await name(tmp_path, "alpha") == "alpha"
    assert await name(tmp_path, None) == "alpha"
    assert await name(tmp_path, None, connected=False) == "alpha"


async def test_a_host_that_never_had_a_name_says_why_it_cannot_have_one(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="Is JetStream enabled"):
        await name(tmp_path, None)
    assert await name(tmp_path, None, connected=False) == "unknown"
