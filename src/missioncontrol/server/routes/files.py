"""The files of the workspace as they are on disk, in the shapes that the earlier system's pages read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Response, get, post
from litestar.params import QueryParameter

from missioncontrol.errors import InputError, NotFound, TooLarge, UnsupportedMediaType
from missioncontrol.events import now, rfc3339
from missioncontrol.events.hosts import id_at_home
from missioncontrol.fleet.folder_listing import describe_file
from missioncontrol.server.requests import read_json, takes, text_schema
from missioncontrol.server.responses import (
    AfterPlace,
    AnyRequest,
    Limit,
    Place,
    answer,
    array_page,
    documented,
    page_of_places,
    read_place,
    service_of,
)
from missioncontrol.server.routes.agents import AgentId, find_agent
from missioncontrol.server.routes.snapshot import read_time
from missioncontrol.server.service import Service
from missioncontrol.watch.paths import readable
from missioncontrol.watch.tree import Signature, modified_ns, size_of

MAX_TEXT_BYTES = 1024 * 1024
MAX_IMAGE_BYTES = 8 * 1024 * 1024
"""The largest text, and the largest image, whose content can be had."""

INERT = "sandbox; default-src 'none'"
_IMAGES: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
}


class AgentFile(msgspec.Struct, rename="camel"):
    """A file on disk: `path` is absolute, `relativePath` relative to the workspace, `size` in bytes.

    In a workspace that an agent has of its own, `relativePath` begins with `../`.
    """

    path: str
    relative_path: str
    name: str
    extension: str
    size: int
    created: str
    modified: str
    agent_id: str


class KnownFile(msgspec.Struct, rename="camel"):
    """A file that is watched. `hash` is the SHA-256 of its content, null for a file of more than 1 MiB.

    `size` is in bytes. `agentId` is whose folder or workspace it lies in; null where it is nobody's.
    """

    path: str
    relative_path: str
    modified: str
    hash: str | None
    size: int
    agent_id: str | None


class WatchedFolder(msgspec.Struct, rename="camel"):
    """A folder that is watched with everything below it."""

    path: str
    relative_path: str


class FileWatch(msgspec.Struct, rename="camel"):
    """What is watched, and how the watching goes; `ignore` are the patterns added by the settings."""

    is_watching: bool
    watched_directories: list[WatchedFolder]
    tracked_files: int
    timestamp: str
    workspace: str
    watching: bool
    ignore: list[str]
    source: dict[str, Any] | None


Modified = Annotated[
    str | None,
    QueryParameter(
        description="Only files modified after this time: RFC 3339, or milliseconds since 1970.",
        schema_extra={"examples": ["2026-11-23T10:15:00Z", "1795428900000"]},
    ),
]


@get(
    "/api/files/activity",
    responses=documented(list[KnownFile]),
    tags=["files"],
    summary="The watched files, the last modified first",
)
async def file_activity(
    request: AnyRequest,
    limit: Limit = 50,
    after: AfterPlace = None,
    search: Annotated[
        str | None, QueryParameter(description="Only files in whose path all these words occur.")
    ] = None,
    agent: Annotated[str | None, QueryParameter(description="Only files of this agent, by its id.")] = None,
) -> Response[bytes]:
    """Return the watched files, the last modified first.

    `X-Total-Count` is the number of all; `Link` leads to the next page where there is one. The changes themselves are
    events: `/api/system/events?events=file:change`.
    """
    service = service_of(request)
    place = read_place(after)
    wanted = _Wanted((search or "").casefold().split(), agent if agent is None else _at_home(service, agent))
    known = {} if agent is not None and wanted.agent is None else await _known(service)
    page, following, total = await asyncio.to_thread(_newest, service, known, wanted, limit, place)
    hashes = await service.files.hashes((path, known[path]) for _, path in page)
    files = [
        KnownFile(
            service.files.absolute_path(readable(path)),
            readable(path),
            rfc3339(place.at).decode(),
            hash_,
            size_of(known[path]),
            _with_host(service, service.files.workspaces.agent_of(path)),
        )
        for (place, path), hash_ in zip(page, hashes, strict=True)
    ]
    return array_page(request, files, total, None, following)


async def _known(service: Service) -> dict[str, Signature]:
    """Return the files that are watched, those included that are told as agents, tasks and leads."""
    agents = [id_ for full in service.state.table("agents") if (id_ := _at_home(service, full)) is not None]
    return await service.files.known(agents)


class _Wanted(NamedTuple):
    """Which files a request is about: by words in their paths, and by an agent's id at this host."""

    words: list[str]
    agent: str | None


def _newest(
    service: Service, known: Mapping[str, Signature], wanted: _Wanted, limit: int, after: Place | None
) -> tuple[list[tuple[Place, str]], str | None, int]:
    """Return a page of places and paths, the place that the next page goes on after, and how many files there are."""
    paths: dict[Place, str] = {}
    for path, signature in known.items():
        # A link carries no path that is not UTF-8.
        shown = readable(path)
        if all(word in shown.casefold() for word in wanted.words) and (
            wanted.agent is None or service.files.workspaces.agent_of(path) == wanted.agent
        ):
            paths[Place(_modified(signature), shown)] = path
    page, following = page_of_places(paths, limit, after)
    shown_page = [(place, paths[place]) for place in page]
    return shown_page, None if following is None else str(following), len(paths)


def _modified(signature: Signature) -> int:
    """Return when a file was modified, in milliseconds since 1970; 0 for a time before."""
    return max(0, modified_ns(signature) // 1_000_000)


@get(
    "/api/agents/{agent_id:str}/files",
    responses=documented(list[AgentFile]),
    tags=["files"],
    summary="The files of an agent",
)
async def agent_files(
    request: AnyRequest, agent_id: AgentId, limit: Limit = 1000, after: AfterPlace = None
) -> Response[bytes]:
    """Return the files that are on disk in an agent's folder and in its own workspace, the last modified first.

    For an unknown agent there are none. `X-Total-Count` is the number of all; `Link` leads to the next page where there
    is one.
    """
    return await _files_of(request, agent_id, 0, limit, after)


@get(
    "/api/files/agents/{agent_id:str}",
    responses=documented(list[AgentFile]),
    tags=["files"],
    summary="The files of an agent, modified after a time",
)
async def agent_files_since(
    request: AnyRequest,
    agent_id: AgentId,
    since: Modified = None,
    limit: Limit = 1000,
    after: AfterPlace = None,
) -> Response[bytes]:
    """Return the files that are on disk in an agent's folder and in its own workspace, the last modified first.

    For an unknown agent there are none. `X-Total-Count` is the number of all; `Link` leads to the next page where there
    is one.
    """
    at = 0 if since is None else read_time(since)
    if at is None:
        raise InputError("since is a time as in '2026-11-23T10:15:00Z', or milliseconds since 1970.")
    return await _files_of(request, agent_id, at, limit, after)


@post(
    "/api/files/refresh",
    status_code=200,
    responses=documented(list[AgentFile], 404, 413),
    operation_class=takes(
        "Which folder to scan again.",
        {"path": text_schema(description="Relative to the workspace, or absolute.")},
        ["path"],
    ),
    tags=["files"],
    summary="Scan a folder again",
)
async def refresh_files(request: AnyRequest) -> Response[bytes]:
    """Have a folder of the workspace scanned again, and return the files that are on disk below it."""
    body = await read_json(request)
    path = body.get("path") if isinstance(body, dict) else None
    if not isinstance(path, str) or not path.strip():
        raise InputError("Path required")
    service = service_of(request)
    folder = service.files.relative_path(path.strip())
    files = None if folder is None else await service.files.below(folder)
    if files is None:
        raise NotFound(f"{path[:200]!r} is no folder of the workspace; name one relative to it.")
    described = [
        describe_file(service.files.root, file, service.files.workspaces.agent_of(file.path) or "")
        for file in files
    ]
    return answer(msgspec.json.encode(described))


@get(
    "/api/files/content",
    opt={"scope": "read"},
    responses=documented(
        str,
        404,
        413,
        415,
        media_type="text/plain",
        description="The content: text in UTF-8, or an image as what it is.",
    ),
    tags=["files"],
    summary="The content of a file",
)
async def file_content(
    request: AnyRequest,
    path: Annotated[str, QueryParameter(description="The file, relative to the workspace.")],
) -> Response[bytes]:
    """Return the content of a file of the workspace, to be shown: text of up to 1 MiB, an image of up to 8 MiB.

    Text that is not UTF-8 is read as Windows-1252, which has all of Latin-1; `X-Encoding` names what it was read as,
    and `X-Size` is the size of the file in bytes.

    It is inert: a page, a script or an SVG is plain text, and no browser runs anything of it.
    """
    service = service_of(request)
    relative = service.files.relative_path(path)
    content = None if not relative else await service.files.read(relative, MAX_IMAGE_BYTES)
    if content is None:
        raise NotFound(f"There is no file {path[:200]!r} in the workspace, or it is ignored.")
    if isinstance(content, str):
        refusal = TooLarge if content.startswith("it is larger") else NotFound
        raise refusal(f"{path[:200]!r} cannot be shown: {content}.")
    media_type = _image_type(content.data)
    if media_type is None:
        if len(content.data) > MAX_TEXT_BYTES:
            raise TooLarge(
                f"{path[:200]!r} cannot be shown: it is text of more than {MAX_TEXT_BYTES:,} bytes."
            )
        if b"\0" in content.data:
            raise UnsupportedMediaType(f"{path[:200]!r} cannot be shown: it is neither text nor an image.")
        text, encoding = text_of(content.data)
        body, media_type = text.encode(), "text/plain"
    else:
        body, encoding = content.data, ""
    modified = rfc3339(max(0, content.mtime_ns // 1_000_000)).decode()
    headers = {"cache-control": "no-store", "content-security-policy": INERT, "x-modified": modified}
    headers["x-size"] = str(len(content.data))
    if encoding:
        headers["x-encoding"] = encoding
    return Response(body, media_type=media_type, headers=headers)


def text_of(data: bytes) -> tuple[str, str]:
    """Return a text, and the encoding that it is taken to be in.

    In a text that is UTF-8 but for some bytes, those are shown as such: another encoding would spoil all the others.
    """
    try:
        return data.decode(), "utf-8"
    except UnicodeDecodeError:
        text = data.decode("utf-8", "backslashreplace")
    if not text.isascii():
        return text, "utf-8"
    return data.decode("cp1252", "backslashreplace"), "windows-1252"


@get("/api/files/watch", responses=documented(FileWatch), tags=["files"], summary="What is watched")
async def file_watch(request: AnyRequest) -> Response[bytes]:
    """Return which folders are watched, and how that goes: the workspace, and those that agents have of their own."""
    return answer(msgspec.json.encode(await file_watcher(service_of(request))))


async def file_watcher(service: Service) -> FileWatch:
    """Return which folders are watched, and how that goes: the workspace, and those that agents have of their own."""
    source = msgspec.to_builtins(service.sources()).get("files")
    watching = source is not None and source.get("status") == "running"
    root = str(service.files.root)
    return FileWatch(
        is_watching=watching,
        watched_directories=[
            WatchedFolder(service.files.absolute_path(folder), readable(folder))
            for folder in (("", *service.files.workspaces.tops) if watching else ())
        ],
        tracked_files=len(await _known(service)),
        timestamp=rfc3339(now()).decode(),
        workspace=root,
        watching=watching,
        ignore=service.config.sources.ignore,
        source=source,
    )


def _image_type(data: bytes) -> str | None:
    """Return the media type of an image by its first bytes; an SVG is text, since it may hold scripts."""
    for media_type, starts in _IMAGES.items():
        if data.startswith(starts):
            return media_type
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


async def _files_of(
    request: AnyRequest, id_or_name: str, since: int, limit: int, after: str | None
) -> Response[bytes]:
    service = service_of(request)
    place = read_place(after)
    full = find_agent(service, id_or_name) or id_or_name
    at_home = _at_home(service, full)
    # Another host's files are not on this disk.
    files = [] if at_home is None else await service.files.of_agent(at_home, since)
    listed = {Place(max(0, file.modified), readable(file.path)): file for file in files}
    page, following = page_of_places(listed, limit, place)
    described = [describe_file(service.files.root, listed[one], full) for one in page]
    return array_page(request, described, len(files), None, None if following is None else str(following))


def _at_home(service: Service, full_id: str) -> str | None:
    """Return an agent's id as this host has it; None for an agent of another host."""
    return full_id if service.host_name is None else id_at_home(full_id, service.host_name)


def _with_host(service: Service, id_: str | None) -> str | None:
    """Return the id that an agent of this host has in the fleet."""
    return id_ if id_ is None or service.host_name is None else f"{id_}@{service.host_name}"
