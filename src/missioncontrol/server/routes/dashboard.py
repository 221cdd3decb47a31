"""The dashboard and the browser client: what the web build has left in the package.

The build is read once, when the application is made: a path is looked up among the names that were found then, so
that no request reaches the file system.
"""

from __future__ import annotations

import gzip
import mimetypes
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from litestar import HttpMethod, Response, route
from litestar.params import FromPath

from missioncontrol.errors import NotFound
from missioncontrol.server.responses import PUBLIC, AnyRequest, takes_gzip

WEB_FOLDER = Path(__file__).parent.parent / "web"
ASSETS = "assets"
COMPRESS_FROM_BYTES = 1024
FOREVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.[A-Za-z0-9.]+")
# Litestar adds the charset to those that are text.
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
_COMPRESSED = re.compile(r"(text/|image/svg|application/(json|manifest))")

NOT_BUILT = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Mission Control</title>
<h1>Mission Control is running; its dashboard has not been built.</h1>
<p>Run <code>make setup</code> in the repository and start the server again. The API works:
see <a href="/api/docs">/api/docs</a>.</p></html>
"""


class Asset(NamedTuple):
    """A file of the build, ready to be sent; `packed` is its gzip form where that is smaller."""

    body: bytes
    packed: bytes | None
    media_type: str
    etag: str
    cache_control: str


def load_assets(folder: Path = WEB_FOLDER) -> dict[str, Asset]:
    """Read the build: all files below a folder, by their paths in it; nothing where there is none."""
    assets: dict[str, Asset] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            name = path.relative_to(folder).as_posix()
            assets[name] = _make_asset(name, path.read_bytes())
    return assets


def _make_asset(name: str, body: bytes) -> Asset:
    suffix = Path(name).suffix.lower()
    media_type = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    packed = None
    if len(body) >= COMPRESS_FROM_BYTES and _COMPRESSED.match(media_type):
        packed = gzip.compress(body, compresslevel=9, mtime=0)
        packed = packed if len(packed) < len(body) else None
    return Asset(
        body,
        packed,
        media_type,
        f'"{sha256(body).hexdigest()[:24]}"',
        FOREVER if _HASHED.fullmatch(name) else REVALIDATE,
    )


@route(
    ["/", "/{path:path}"],
    http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.PUT, HttpMethod.PATCH, HttpMethod.DELETE],
    status_code=200,
    opt={"scope": PUBLIC},
    include_in_schema=False,
)
async def dashboard(request: AnyRequest, path: FromPath[str] = "") -> Response[bytes]:
    """Answer with a file of the build, or with the dashboard's page for paths that it makes itself."""
    assets: dict[str, Asset] = request.app.state[ASSETS]
    name = path.strip("/")
    if request.method == "GET" and name.partition("/")[0] != "api":
        asset = assets.get(name or "index.html")
        if asset is None and "text/html" in request.headers.get("accept", "") and _is_view(name, assets):
            asset = assets.get("index.html")
        if asset is not None:
            return _send(request, asset)
        if not name and not assets:
            return Response(
                NOT_BUILT,
                status_code=503,
                media_type="text/html",
                headers={"cache-control": "no-store", "retry-after": "60"},
            )
    raise NotFound("There is nothing at this path; /api/docs lists what there is.")


def _is_view(name: str, assets: Mapping[str, Asset]) -> bool:
    """Report whether a path is one that the dashboard makes, and not that of a file that the build lacks.

    Paths of the dashboard may end like a file (`/files/notes/data.json`); the build's folders have names of their own.
    """
    folder, below, _ = name.partition("/")
    if not below:
        return Path(name).suffix not in _TYPES
    return not any(known.startswith(f"{folder}/") for known in assets)


def _send(request: AnyRequest, asset: Asset) -> Response[bytes]:
    headers = {"etag": asset.etag, "cache-control": asset.cache_control}
    if asset.packed is not None:
        headers["vary"] = "accept-encoding"
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in known:
        return Response(b"", status_code=304, headers=headers)
    body = asset.body
    if asset.packed is not None and takes_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"] = "gzip"
        body = asset.packed
    return Response(body, media_type=asset.media_type, headers=headers)
