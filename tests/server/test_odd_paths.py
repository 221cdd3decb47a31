"""Ids in paths are whatever a client writes: a name that nothing can have is not found, and never an error of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.server.site import Site

pytestmark = pytest.mark.anyio

ODD = (
    "%00",
    "a%00b",
    "%ED%A0%80",
    "%FF",
    "%0A",
    "..%2f..%2fetc",
    "%2e%2e",
    "*",
    "a" * 5_000,
    "%E2%80%AE",
    "-1",
    "1e400",
)


async def test_an_odd_name_in_a_path_is_refused_or_not_found(tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    site = Site(tmp_path)
    async with site.client() as client:
        document = (await client.get("/api/openapi.json")).json()
        named = [
            (method, path) for path, found in document["paths"].items() for method in found if "{" in path
        ]
        assert len(named) >= 20
        for method, path in named:
            for odd in ODD:
                address = re.sub(r"{[^}]*}", odd, path)
                body: dict[str, str] | None = None if method == "get" else {}
                response = await client.request(method.upper(), address, json=body)
                assert response.status_code < 500, (method, address, response.text)
    site.hub.close()
