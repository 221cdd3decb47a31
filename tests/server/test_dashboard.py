"""The web build as it is served, and what is said where there is none."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.server.site import Site, check_problem

from missioncontrol.server.routes import dashboard

pytestmark = pytest.mark.anyio

SCRIPT = b"console.log('mission control');\n" * 100


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "assets").mkdir(parents=True)
    (folder / "js").mkdir()
    (folder / "index.html").write_bytes(b"<!doctype html><title>Mission Control</title>")
    (folder / "assets" / "index-Bx3kT9q_.js").write_bytes(SCRIPT)
    (folder / "js" / "realtime.js").write_bytes(SCRIPT)
    (folder / "icon.png").write_bytes(b"\x89PNG" + bytes(2000))
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


@pytest.fixture
async def client(
    build: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[httpx.AsyncClient]:
    found = dashboard.load_assets(build)
    monkeypatch.setattr(dashboard, "load_assets", lambda: found)
    async with Site().client() as made:
        yield made


async def test_the_root_is_the_dashboard_and_is_asked_for_again(client: httpx.AsyncClient) -> None:
    response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"
    assert b"<title>Mission Control</title>" in response.content


async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    etag = (await client.get("/")).headers["etag"]
    again = await client.get("/", headers={"if-none-match": f'"other", W/{etag}'})
    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == etag


async def test_an_asset_with_a_hash_in_its_name_is_kept_forever(client: httpx.AsyncClient) -> None:
    response = await client.get("/assets/index-Bx3kT9q_.js")
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.content == SCRIPT


async def test_the_browser_client_is_where_it_always_was(client: httpx.AsyncClient) -> None:
    response = await client.get("/js/realtime.js")
    assert response.content == SCRIPT
    assert response.headers["cache-control"] == "no-cache"


async def test_scripts_are_packed_once_and_pictures_never(client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/js/realtime.js", headers={"accept-encoding": "gzip"}) as response:
        raw = b"".join([chunk async for chunk in response.aiter_raw()])
    assert response.headers["content-encoding"] == "gzip"
    assert "accept-encoding" in response.headers["vary"]
    assert gzip.decompress(raw) == SCRIPT
    for accepted in ("identity", "br, gzip;q=0"):
        plain = await client.get("/js/realtime.js", headers={"accept-encoding": accepted})
        assert "content-encoding" not in plain.headers
    assert "content-encoding" not in (await client.get("/icon.png")).headers


async def test_paths_of_the_dashboard_itself_are_its_page_for_a_browser(client: httpx.AsyncClient) -> None:
    html = {"accept": "text/html,application/xhtml+xml"}
    assert (await client.get("/agents/scout", headers=html)).status_code == 200
    check_problem(await client.get("/agents/scout", headers={"accept": "application/json"}), 404, "not_found")
    check_problem(await client.get("/assets/gone-12345678.js", headers=html), 404, "not_found")
    check_problem(await client.get("/api/nothing", headers=html), 404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/..%2fsecret.txt",
        "/%2e%2e/secret.txt",
        "/link.txt",
        "//etc/passwd",
        "/js/../../secret.txt",
        "/index.html%00.js",
    ],
)
async def test_nothing_outside_the_build_can_be_reached(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert "secret" not in response.json()["title"]


async def test_without_a_build_the_page_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = dashboard.load_assets(tmp_path / "missing")
    monkeypatch.setattr(dashboard, "load_assets", lambda: found)
    async with Site().client() as client:
        response = await client.get("/")
        assert response.status_code == 503
        assert "make setup" in response.text
        assert response.headers["content-type"].startswith("text/html")
        assert (await client.get("/health")).status_code == 200
