"""Lists the files that are on disk in the workspace and in those of agents, at the moment of the request.

Invariants:

- the disk is read in a thread, never on the event loop;

- a symbolic link is never followed; ignored folders and files are left out;
- a listing has at most `MAX_FILES` files, and an agent's own workspace is walked up to `MAX_WALKED`, so that a folder
  of any size costs a bounded amount of work.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from posixpath import basename, normpath, relpath, splitext
from typing import NamedTuple

from missioncontrol.events import rfc3339
from missioncontrol.fleet.agent_workspaces import AgentWorkspaces
from missioncontrol.fleet.layout import AGENT_FOLDERS, LEAD_FILES, SOUL_FILE, STATE_FILE, TASK_FILES
from missioncontrol.watch.paths import readable
from missioncontrol.watch.tree import (
    Content,
    Signature,
    folders_to,
    look,
    modified_at,
    modified_ns,
    read_file,
    walk,
)

MAX_FILES = 10_000
MAX_WALKED = 100_000
MAX_HASHED_BYTES = 1024 * 1024
MAX_HASHES = 20_000


class ListedFile(NamedTuple):
    """A file on disk: its path relative to the workspace, its size in bytes, times in milliseconds since 1970."""

    path: str
    size: int
    created: int
    modified: int


class FolderListing:
    """The files of a workspace as they are on disk."""

    def __init__(
        self,
        root: Path,
        workspaces: AgentWorkspaces,
        index: Callable[[], Mapping[str, Signature]] = dict,
        rescan: Callable[[str], None] = lambda folder: None,
    ) -> None:
        """Prepare.

        Args:
            root: the workspace, with all links resolved.
            workspaces: the agents' own workspaces, and the folders and files to leave out.
            index: returns the files that the source of files knows, by path; called on the event loop.
            rescan: makes the sources scan a folder of the workspace again; called on the event loop.
        """
        self.root = root
        self.workspaces = workspaces
        self._index = index
        self._rescan = rescan
        self._hashes = ContentHashes()
        self._hashing = asyncio.Lock()

    async def of_agent(self, agent_id: str, since: int = 0) -> list[ListedFile]:
        """Return the files in an agent's folder and in its own workspace, the last modified first.

        Args:
            agent_id: the agent's id on this host.
            since: only files that were modified after this time, in milliseconds since 1970.
        """
        if "/" in agent_id or agent_id in ("", ".", ".."):
            return []
        return await asyncio.to_thread(self._of_agent, agent_id, since)

    def _of_agent(self, agent_id: str, since: int) -> list[ListedFile]:
        named = (f"{above}/{agent_id}" for above in AGENT_FOLDERS)
        folder = next((folder for folder in named if is_inside(self.root, folder)), None)
        files = [] if folder is None else list_folder(self.root, folder, self.workspaces, since)
        own = self.workspaces.folders_of(agent_id)
        if own:
            listed = {file.path: file for file in files}
            for folder in own:
                for file in list_folder(self.root, folder, self.workspaces, since, MAX_WALKED):
                    # In it may be the workspace of another agent.
                    if self.workspaces.agent_of(file.path) == agent_id:
                        listed[file.path] = file
            files = sorted(listed.values(), key=lambda file: file.modified, reverse=True)[:MAX_FILES]
        return files

    def relative_path(self, path: str) -> str | None:
        """Return a path relative to the workspace, however it is given; None if it is outside of all that is watched.

        Args:
            path: absolute, or relative to the workspace.
        """
        if "\0" in path:
            return None
        relative = relpath(normpath(self.root / path), self.root)
        if relative == ".":
            return ""
        outside = relative == ".." or relative.startswith("../")
        return relative if not outside or self.workspaces.top_of(relative) else None

    def absolute_path(self, path: str) -> str:
        """Return the absolute form of a path that is relative to the workspace."""
        return normpath(f"{self.root}/{path}")

    async def below(self, folder: str) -> list[ListedFile] | None:
        """Return the files below a folder, the last modified first, and have the sources scan it again.

        None where this is no folder of the workspace.
        """
        if folder and not await asyncio.to_thread(is_inside, self.root, folder):
            return None
        self._rescan(folder)
        return await asyncio.to_thread(list_folder, self.root, folder, self.workspaces)

    async def known(self, agents: Iterable[str]) -> dict[str, Signature]:
        """Return the known files by path.

        Args:
            agents: the agents whose own files are known too.
        """
        index = dict(self._index())
        owned = [*TASK_FILES, *LEAD_FILES]
        owned += (
            f"{above}/{id_}/{name}"
            for above in AGENT_FOLDERS
            for id_ in agents
            for name in (STATE_FILE, SOUL_FILE)
        )
        found = await asyncio.to_thread(look, self.root, owned)
        return index | {path: signature for path, signature in found.items() if signature is not None}

    async def hashes(self, files: Iterable[tuple[str, Signature]]) -> list[str | None]:
        """Return the SHA-256 of files' contents; None for a file of more than 1 MiB, or that cannot be read."""
        # One thread at a time uses those that are kept.
        async with self._hashing:
            return await asyncio.to_thread(self._hashes.of, self.root, list(files))

    async def read(self, path: str, limit: int) -> Content | str | None:
        """Read a file of the workspace whole.

        Returns:
            its content; None where there is no such file, or it is ignored; or why it cannot be read, in a few words.
        """
        if not path or self.workspaces.file(path):
            return None
        return await asyncio.to_thread(read_file, self.root, path, limit)


def list_folder(
    root: Path, folder: str, workspaces: AgentWorkspaces, since: int = 0, most: int | None = None
) -> list[ListedFile]:
    """Return the regular files below a folder, the last modified first.

    Args:
        root: the workspace.
        folder: the folder, relative to the workspace.
        workspaces: reports the folders and files to leave out.
        since: only files that were modified after this time, in milliseconds since 1970.
        most: how many files are looked at; None for all.
    """
    found = walk(root, folder, workspaces.folder, workspaces.file, most=most)
    newest = sorted(found.files, key=lambda path: modified_ns(found.files[path]), reverse=True)[:MAX_FILES]
    files = []
    for path in newest:
        if modified_ns(found.files[path]) // 1_000_000 <= since:
            break
        if (file := _inspect(root, path)) is not None:
            files.append(file)
    return files


def is_inside(root: Path, folder: str) -> bool:
    """Report whether this is a real folder of the workspace, without a link on the way to it."""
    try:
        return folders_to(root, f"{folder}/file", {})
    except OSError:
        return False


class ContentHashes:
    """SHA-256 of files' contents, kept while the files do not change. Used by one thread at a time."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Signature, str]] = {}

    def of(self, root: Path, files: Iterable[tuple[str, Signature]]) -> list[str | None]:
        """Return each file's hash; None where the file is larger than 1 MiB, or cannot be read."""
        hashes: list[str | None] = []
        for path, signature in files:
            known = self._known.pop(path, None)
            if known is None or known[0] != signature:
                content = read_file(root, path, MAX_HASHED_BYTES)
                if content is None or isinstance(content, str):
                    hashes.append(None)
                    continue
                known = (signature, hashlib.sha256(content.data).hexdigest())
            self._known[path] = known
            hashes.append(known[1])
        while len(self._known) > MAX_HASHES:
            del self._known[next(iter(self._known))]
        return hashes


def describe_file(root: Path, file: ListedFile, agent_id: str) -> dict[str, str | int]:
    """Return a file as the earlier system's API does: `path` absolute, `relativePath` relative to the workspace."""
    shown = readable(file.path)
    return {
        "path": normpath(f"{root}/{shown}"),
        "relativePath": shown,
        "name": basename(shown),
        "extension": splitext(shown)[1],
        "size": file.size,
        "created": rfc3339(file.created).decode(),
        "modified": rfc3339(file.modified).decode(),
        "agentId": agent_id,
    }


def _inspect(root: Path, path: str) -> ListedFile | None:
    try:
        status = os.lstat(root / path)
    except OSError:
        # Removed since the walk.
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    # Linux does not report when a file was made through `lstat`; the inode's change is the earliest known time.
    modified = modified_at(status)
    made = min(status.st_ctime_ns, modified)
    return ListedFile(path, status.st_size, max(0, made // 1_000_000), max(0, modified // 1_000_000))
