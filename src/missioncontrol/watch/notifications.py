"""Notifications of the file system: which paths to check, and since when.

A notice is a hint: it names a path that may have changed, not what has happened to it. Notices about the same path
are merged. The receiver checks the path, so a needless notice does no harm, and the next full scan makes up for a
lost one.

`InotifyNotices` uses the system calls of Linux. Unlike a library's recursive watch it follows no symbolic links,
spends no watches on ignored folders, accepts any file name, notices an overflow of the kernel's queue, and reports
exactly when the limit of watches is reached. `WatchfilesNotices` serves the other systems.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import struct
import sys
from collections.abc import AsyncGenerator, Callable, Collection
from pathlib import Path
from time import monotonic
from typing import NamedTuple, Protocol

import watchfiles

from missioncontrol.threads import OwnerThread
from missioncontrol.watch.paths import join
from missioncontrol.watch.tree import Pace

MAX_OUTSIDE_FOLDERS = 20_000
"""How many folders outside of the workspace get a watch. All programs of a user share the system's limit."""

SETTLE = 0.02
"""Seconds from the first notification until it is delivered, so that the steps of one write become one notice."""


class Notice(NamedTuple):
    """Paths that may have changed, trees to be scanned whole, and the monotonic time of the first hint."""

    paths: set[str]
    trees: set[str]
    at: float


class WorkspaceGone(OSError):
    """The workspace's own folder was removed or renamed."""


class FolderFilter(Protocol):
    """Decides which folders are ignored."""

    def folder(self, path: str) -> bool:
        """Return whether a folder, relative to the root, is ignored with everything in it."""


class FileSystemEvents(Protocol):
    """A source of notices. `trouble` is the reason why part of the workspace is not watched; None if all of it is."""

    trouble: str | None

    async def place(self, *, rest: float = 0.0) -> None:
        """Watch the whole workspace. `rest` as in `Pace`: seconds of sleep after 5 ms of work."""

    async def follow(self, folders: Collection[str]) -> None:
        """Watch these folders outside of the workspace as well, and no others; paths are relative to it."""

    async def next(self) -> Notice:
        """Wait for the next notice.

        Raises:
            WorkspaceGone: the workspace no longer exists.
        """

    async def close(self) -> None:
        """Stop watching."""


_MODIFY, _ATTRIB, _CLOSE_WRITE = 0x2, 0x4, 0x8
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLYDIR, _DONT_FOLLOW, _EXCL_UNLINK, _ISDIR = 0x1000000, 0x2000000, 0x4000000, 0x40000000
_MASK = (
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
)
_MASK |= _ONLYDIR | _DONT_FOLLOW | _EXCL_UNLINK
_HEADER = struct.Struct("iIII")


class Inotify:
    """The three system calls."""

    def __init__(self) -> None:
        """Ask the kernel for a queue.

        Raises:
            OSError: this system has none, or none left.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.fd: int = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))

    def add(self, path: Path) -> int:
        """Watch a folder, and return the watch's number: the same for the same folder.

        Raises:
            OSError: ENOSPC when the limit is reached.
        """
        return self._checked(self._libc.inotify_add_watch(self.fd, os.fsencode(path), _MASK))

    def remove(self, watch: int) -> None:
        """Remove a watch; one that is gone already is ignored."""
        self._libc.inotify_rm_watch(self.fd, watch)

    def read(self) -> list[tuple[int, int, str]]:
        """Return the queued notifications: watch, mask and name of each; empty when there are none."""
        try:
            data = os.read(self.fd, 1 << 18)
        except BlockingIOError:
            return []
        events: list[tuple[int, int, str]] = []
        position = 0
        while position < len(data):
            watch, mask, _, length = _HEADER.unpack_from(data, position)
            position += _HEADER.size
            events.append((watch, mask, os.fsdecode(data[position : position + length].rstrip(b"\0"))))
            position += length
        return events

    def close(self) -> None:
        """Close the queue with all its watches."""
        os.close(self.fd)

    def _checked(self, answer: int) -> int:
        if answer < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return answer


class InotifyNotices:
    """Notices on Linux: one watch for each folder that is not ignored.

    The kernel's queue is read once per `SETTLE`, so that the kernel can fold repetitions of the same event. Watches
    are placed in a thread, a folder before its contents. A new folder is then delivered as a tree, since files may
    have been created in it before its watch.
    """

    def __init__(self, root: Path, ignore: FolderFilter, make: Callable[[], Inotify] = Inotify) -> None:
        """Open the kernel's queue.

        Raises:
            OSError: the kernel gives none.
        """
        self.trouble: str | None = None
        self._root = root
        self._ignore = ignore
        self._inotify = make()
        self._folders: dict[int, str] = {}
        self._watches: dict[str, int] = {}
        self._outside: frozenset[str] = frozenset()
        self._refused: frozenset[str] = frozenset()
        self._paths: set[str] = set()
        self._trees: set[str] = set()
        self._since: float | None = None
        self._moves: list[tuple[bool, str]] = []
        self._placing: asyncio.Task[None] | None = None
        # The descriptor is used and closed on it: the system gives its number to the next file that is opened.
        self._thread = OwnerThread(f"watch {root}")
        self._broken: Exception | None = None
        self._order = asyncio.Lock()
        self._something = asyncio.Event()
        self._gone = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._inotify.fd, self._readable)

    async def place(self, *, rest: float = 0.0) -> None:
        """Watch every folder, including those that were missed before."""
        async with self._order:
            self.trouble = None
            await self._thread.run(self._watch, [*self._outside, ""], Pace(rest))

    async def follow(self, folders: Collection[str]) -> None:
        """Watch these folders outside of the workspace as well, and no others."""
        # A folder that was removed and created again has lost its watch.
        if self._outside == frozenset(folders) and self._unwatched() <= self._refused:
            return
        async with self._order:
            went = self._outside.difference(folders)
            self._outside = frozenset(folders)
            for folder in went:
                await self._thread.run(self._unwatch, folder)
            # All of them: a folder may have been inside another one that is no longer watched.
            new = self._unwatched()
            await self._thread.run(self._watch, sorted(self._outside), Pace())
            # These wait for the next `place`: they are not readable, or the limit is reached.
            self._refused = self._unwatched()
            if new:
                self._trees.update(new)
                self._something.set()

    def _unwatched(self) -> frozenset[str]:
        return frozenset(folder for folder in self._outside if folder not in self._watches)

    async def next(self) -> Notice:
        """Wait for the next notice."""
        await self._something.wait()
        if self._broken is not None:
            raise self._broken
        if self._gone:
            raise WorkspaceGone(errno.ENOENT, "The workspace was removed or renamed", str(self._root))
        notice = Notice(self._paths, self._trees, self._since or monotonic())
        self._paths, self._trees, self._since = set(), set(), None
        self._something.clear()
        return notice

    async def close(self) -> None:
        """Stop watching."""
        self._loop.remove_reader(self._inotify.fd)
        if self._timer is not None:
            self._timer.cancel()
        if self._placing is not None:
            self._placing.cancel()
            await asyncio.gather(self._placing, return_exceptions=True)
        await self._thread.close(self._inotify.close)

    def _readable(self) -> None:
        if self._since is None:
            self._since = monotonic()
        self._loop.remove_reader(self._inotify.fd)
        self._timer = self._loop.call_later(SETTLE, self._drain)

    def _drain(self) -> None:
        try:
            while events := self._inotify.read():
                for watch, mask, name in events:
                    self._take(watch, mask, name)
        except Exception as error:
            # No change would be noticed any more: the task that waits for notices gets the error, and restarts.
            self._break(error)
            return
        self._loop.add_reader(self._inotify.fd, self._readable)
        if self._moves and (self._placing is None or self._placing.done()):
            self._placing = self._loop.create_task(self._follow_moves())
            self._placing.add_done_callback(self._followed)
        if self._paths or self._trees or self._gone:
            self._something.set()
        elif not self._moves:
            self._since = None

    def _take(self, watch: int, mask: int, name: str) -> None:
        if mask & _OVERFLOW:
            self._moves.append((True, ""))
            return
        folder = self._folders.get(watch)
        if mask & _IGNORED:
            if folder is not None:
                # The thread changes both as well, and may have removed the entries meanwhile.
                self._folders.pop(watch, None)
                if self._watches.get(folder) == watch:
                    self._watches.pop(folder, None)
            return
        if folder is None:
            # The folder has just been given a watch and will be scanned whole, or it has moved away.
            return
        if not name:
            if mask & (_DELETE_SELF | _MOVE_SELF | _UNMOUNT):
                self._gone |= not folder
                # Its parent folder has no watch that would notice.
                if folder in self._outside:
                    self._moves.append((False, folder))
            return
        path = join(folder, name)
        if not mask & _ISDIR:
            self._paths.add(path)
        elif not self._ignore.folder(path):
            self._paths.add(path)
            if mask & _MOVED_FROM:
                self._moves.append((False, path))
            elif mask & (_CREATE | _MOVED_TO) or path not in self._watches:
                self._moves.append((True, path))

    def _followed(self, placing: asyncio.Task[None]) -> None:
        if not placing.cancelled() and isinstance(error := placing.exception(), Exception):
            self._break(error)

    def _break(self, error: Exception) -> None:
        self._broken = error
        self._something.set()

    async def _follow_moves(self) -> None:
        """Update the watches for folders that came and went, in that order."""
        while self._moves:
            moves, self._moves = self._moves, []
            async with self._order:
                for came, path in moves:
                    if came:
                        everywhere = [] if path else sorted(self._outside)
                        await self._thread.run(self._watch, [*everywhere, path], Pace())
                    else:
                        await self._thread.run(self._unwatch, path)
            self._trees.update(path for _, path in moves)
            self._something.set()

    def _watch(self, folders: list[str], pace: Pace) -> None:
        outside = sum(map(self._is_outside, list(self._watches))) if self._outside else 0
        while folders and not self._thread.stopping:
            folder = folders.pop()
            path = self._root / folder
            if self._is_outside(folder) and folder not in self._watches:
                # Changes in folders over the limit are found by the full scan that runs once a minute.
                if outside >= MAX_OUTSIDE_FOLDERS:
                    continue
                outside += 1
            try:
                watch = self._inotify.add(path)
                before = self._folders.get(watch)
                if before is not None and before != folder and self._watches.get(before) == watch:
                    self._watches.pop(before, None)
                self._folders[watch] = folder
                self._watches[folder] = watch
                with os.scandir(path) as entries:
                    inside = [join(folder, e.name) for e in entries if e.is_dir(follow_symlinks=False)]
                folders += (inner for inner in inside if not self._ignore.folder(inner))
            except OSError as error:
                if error.errno in (errno.ENOSPC, errno.ENOMEM):
                    self.trouble = (
                        f"the system's limit of inotify watches is reached after {len(self._watches):,} folders; "
                        f"raise fs.inotify.max_user_watches"
                    )
                    return
                # Gone again, or not readable: it cannot be watched.
            pace.step()

    @staticmethod
    def _is_outside(folder: str) -> bool:
        return folder.startswith("../")

    def _unwatch(self, top: str) -> None:
        below = f"{top}/"
        for folder in [f for f in list(self._watches) if f == top or f.startswith(below)]:
            watch = self._watches.pop(folder, None)
            if watch is not None:
                self._folders.pop(watch, None)
                self._inotify.remove(watch)


class WatchfilesNotices:
    """Notices on systems without inotify, from the library `watchfiles`."""

    trouble: str | None = None

    def __init__(self, root: Path, ignore: FolderFilter) -> None:
        self._root = root
        self._ignore = ignore
        self._changes: AsyncGenerator[set[watchfiles.main.FileChange], None] | None = None
        self._next: asyncio.Task[set[watchfiles.main.FileChange]] | None = None
        self._outside: frozenset[str] = frozenset()
        self._missed = False

    async def place(self, *, rest: float = 0.0) -> None:
        """Start the library's watch, if it is not running."""
        if self._changes is None:
            self._changes = watchfiles.awatch(
                self._root,
                *(self._root / folder for folder in self._outside),
                watch_filter=None,
                step=round(SETTLE * 1000),
                debounce=round(SETTLE * 2000),
                rust_timeout=200,
                ignore_permission_denied=True,
            )
        if self._next is None:
            self._next = asyncio.ensure_future(anext(self._changes))
            # One step of the generator places the watch.
            await asyncio.sleep(0)

    async def follow(self, folders: Collection[str]) -> None:
        """Watch these folders outside of the workspace as well, and no others."""
        if self._outside != frozenset(folders):
            self._outside = frozenset(folders)
            # The library cannot change a running watch: between the old one and the new one nothing is noticed.
            self._missed = self._changes is not None
            await self.close()

    async def next(self) -> Notice:
        """Wait for the next notice."""
        while True:
            await self.place()
            if self._missed:
                self._missed = False
                return Notice(set(), {""}, monotonic())
            waiting = self._next
            assert waiting is not None  # noqa: S101
            # Unlike `await`, this continues when `follow` ends the watch.
            await asyncio.wait({waiting})
            if waiting.cancelled() or waiting is not self._next:
                continue
            self._next = None
            changes = waiting.result()
            notice = await asyncio.to_thread(self._notice, changes)
            if notice.paths or notice.trees:
                return notice

    def _notice(self, changes: set[watchfiles.main.FileChange]) -> Notice:
        paths: set[str] = set()
        trees: set[str] = set()
        for change, name in changes:
            path = Path(name)
            if path == self._root and not path.exists():
                raise WorkspaceGone(errno.ENOENT, "The workspace was removed or renamed", name)
            if path == self._root:
                continue
            relative = Path(os.path.relpath(path, self._root)).as_posix()
            if relative in self._outside:
                trees.add(relative)
                continue
            if self._ignore.folder(relative.rpartition("/")[0]):
                continue
            paths.add(relative)
            # A removed path may have been a folder, and a new folder may already contain files.
            if change == watchfiles.Change.deleted or path.is_dir():
                trees.add(relative)
        return Notice(paths, trees, monotonic())

    async def close(self) -> None:
        """Stop watching."""
        waiting, self._next = self._next, None
        changes, self._changes = self._changes, None
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if changes is not None:
            await changes.aclose()


def open_notices(root: Path, ignore: FolderFilter) -> FileSystemEvents:
    """Return notifications by the means of this system.

    Raises:
        OSError: there are none at the moment; the workspace must be polled.
    """
    return InotifyNotices(root, ignore) if sys.platform == "linux" else WatchfilesNotices(root, ignore)
