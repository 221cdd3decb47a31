from __future__ import annotations

import random

import pytest

from missioncontrol.client.items import Restarting, Unreachable, Unsuitable
from missioncontrol.client.route import (
    FIRST_CLIMB,
    LEAST_DELAY,
    LONGEST_CLIMB,
    LONGEST_DELAY,
    Route,
    reconnect_backoff,
)
from missioncontrol.errors import ConfigError

DOWN = Unreachable("nobody there")
BLOCKED = Unsuitable("blocked")


def test_delays_are_spread_between_a_tenth_of_a_second_and_a_ceiling_that_doubles() -> None:
    for attempt in range(12):
        delays = []
        for seed in range(200):
            backoff = reconnect_backoff(random.Random(seed))
            for _ in range(attempt):
                backoff.next()
            delays.append(backoff.next())
        ceiling = min(LONGEST_DELAY, 0.2 * 2**attempt)
        assert LEAST_DELAY <= min(delays) <= LEAST_DELAY + (ceiling - LEAST_DELAY) * 0.1
        assert ceiling * 0.9 <= max(delays) <= ceiling


def test_what_the_server_asks_for_is_the_least_delay() -> None:
    backoff = reconnect_backoff()
    for _ in range(20):
        assert 7.0 <= backoff.next(7.0) <= 8.0


def test_a_connection_that_worked_makes_the_delays_short_again() -> None:
    route = Route("websocket")
    for _ in range(10):
        route.failed(DOWN)
    assert route.lost(DOWN, worked=True) <= 0.2


@pytest.mark.parametrize("seconds", [0.0, 0.137, 9.8])
def test_a_server_that_stops_is_obeyed_to_the_moment(seconds: float) -> None:
    route = Route("websocket")
    assert {route.lost(Restarting(seconds), worked=worked) for worked in (True, False)} == {seconds}


def test_a_transport_that_twice_does_not_get_through_gives_way_at_once() -> None:
    route = Route("auto")
    assert route.failed(BLOCKED) > 0
    assert str(route.transport) == "websocket"
    assert route.failed(BLOCKED) == 0
    assert str(route.transport) == "sse"


def test_below_the_last_rung_it_starts_again_from_the_top_after_a_pause() -> None:
    route = Route("auto")
    seen = []
    for _ in range(6):
        seen.append(route.transport)
        delay = route.failed(BLOCKED)
    assert seen == ["websocket", "websocket", "sse", "sse", "poll", "poll"]
    assert str(route.transport) == "websocket"
    assert delay > 0


def test_a_connection_in_between_clears_the_doubt() -> None:
    route = Route("auto")
    route.failed(BLOCKED)
    route.opened()
    route.failed(BLOCKED)
    assert str(route.transport) == "websocket"


def test_when_the_server_is_gone_the_best_transport_is_tried_first_again() -> None:
    route = Route("auto")
    route.failed(BLOCKED)
    route.failed(BLOCKED)
    route.failed(DOWN)
    assert str(route.transport) == "websocket"


def test_a_chosen_transport_never_gives_way() -> None:
    route = Route("sse")
    for _ in range(5):
        route.failed(BLOCKED)
    assert str(route.transport) == "sse"
    assert route.fixed
    assert list(route.higher) == []


def test_from_a_lower_rung_the_better_ones_are_looked_at_ever_less_often() -> None:
    route = Route("auto")
    assert list(route.higher) == []
    for _ in range(4):
        route.failed(BLOCKED)
    assert list(route.higher) == ["websocket", "sse"]
    delays = [route.climb_delay() for _ in range(8)]
    assert delays[:3] == [FIRST_CLIMB, FIRST_CLIMB * 2, FIRST_CLIMB * 4]
    assert delays[-1] == LONGEST_CLIMB
    route.climbed("websocket")
    assert str(route.transport) == "websocket"
    assert route.climb_delay() == FIRST_CLIMB


def test_a_transport_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="pigeon"):
        Route("pigeon")  # type: ignore[arg-type]
