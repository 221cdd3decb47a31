"""The fixture of the queue's tests."""

from __future__ import annotations

import pytest
from tests.sources.tasks.desk import Desk
from tests.sources.world import World


@pytest.fixture
def desk(world: World) -> Desk:
    """A workspace with a task queue alone."""
    return Desk(world)
