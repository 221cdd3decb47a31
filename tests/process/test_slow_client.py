"""Who reads slowly, or is far behind, costs the server little memory and the others no time."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.testing import start_server
from tests.process.crawling import catch_up_from, crawl_among
from tests.process.server_probe import MIB

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.timeout(120)]


async def test_one_that_reads_nothing_among_two_hundred_holds_up_nobody_and_misses_nothing(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        crawl = await crawl_among(server, 200, events=2_016)
    assert crawl.behind < 5
    assert crawl.memory < 40 * MIB


async def test_one_that_is_200_000_events_behind_is_served_while_the_others_notice_nothing(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        catch_up = await catch_up_from(server, 200_000)
    assert catch_up.memory < 32 * MIB
    assert catch_up.median < 0.1
    assert catch_up.slowest_twentieth < 0.5
