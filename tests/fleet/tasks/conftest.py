"""The fixture of the queue's tests."""

from __future__ import annotations

import pytest
from tests.fleet.tasks.desk import Desk
from tests.fleet.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    """A workspace with a task queue alone."""
    return Desk(world)
