"""One that reads nothing among a thousand, and one that is a million events behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from missioncontrol.testing import start_server
from tests.process.crawling import catch_up_from, crawl_among
from tests.process.server_probe import MIB

pytestmark = [pytest.mark.anyio, pytest.mark.process, pytest.mark.stress, pytest.mark.timeout(600)]


async def test_one_that_reads_nothing_among_a_thousand_holds_up_nobody_and_misses_nothing(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        crawl = await crawl_among(server, 1_000, events=2_016)
    print(crawl)
    assert crawl.behind < 20
    assert crawl.memory < 64 * MIB


async def test_one_that_is_a_million_events_behind_is_served_while_the_others_notice_nothing(
    tmp_path: Path,
) -> None:
    with start_server(tmp_path / "workspace") as server:
        catch_up = await catch_up_from(server, 1_000_000)
    print(catch_up)
    assert catch_up.memory < 48 * MIB
    assert catch_up.median < 0.1
    assert catch_up.slowest_twentieth < 0.5
