"""A server process for all tests that need nothing of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from missioncontrol.testing import ServerProcess, start_server


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with start_server(tmp_path_factory.mktemp("mcp") / "workspace") as running:
        yield running
