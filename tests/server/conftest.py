"""A site of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.server.site import TOKENS, Site


@pytest.fixture
async def site(anyio_backend: str) -> AsyncIterator[Site]:
    made = Site()
    yield made
    made.hub.close()


@pytest.fixture
async def guarded(anyio_backend: str) -> AsyncIterator[Site]:
    """A site that asks for tokens, and lets pages of one other origin in."""
    made = Site(tokens=TOKENS, allowed_origins=["https://fleet.example.com"])
    yield made
    made.hub.close()


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with site.client() as made:
        yield made
