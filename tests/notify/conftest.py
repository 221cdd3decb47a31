from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.notify.receiver import Receiver


@pytest.fixture
async def receiver(anyio_backend: str) -> AsyncIterator[Receiver]:
    async with Receiver() as made:
        yield made
