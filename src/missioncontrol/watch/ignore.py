"""Which paths of a workspace are ignored: built-in rules, and the user's patterns on top.

The user's patterns come first and may revert a built-in rule (`!*.part`). As in Git, everything in an ignored folder
is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from pathspec import GitIgnoreSpec

from missioncontrol.errors import ConfigError
from missioncontrol.watch.paths import parent_of

_FOLDER = re.compile(r"\..*|node_modules|__pycache__")
_FILE = re.compile(
    r"\..*|~\$.*|#.*#|4913|Thumbs\.db|desktop\.ini"
    r"|.*(?:~|\.te?mp(?:[-._].*)?|\.sw[a-z]|\.part|\.partial|\.crdownload|\.pyc|-wal|-shm|-journal)",
    re.IGNORECASE | re.DOTALL,
)
_REMEMBERED = 50_000


class Ignore:
    """Decides whether a path is ignored."""

    def __init__(self, patterns: Sequence[str] = (), own: Iterable[str] = ()) -> None:
        """Read the user's patterns.

        Args:
            patterns: as in `.gitignore`, relative to the workspace.
            own: paths of the server's own files and folders, which are never reported.

        Raises:
            ConfigError: a pattern cannot be read.
        """
        try:
            self._spec = GitIgnoreSpec.from_lines(patterns) if patterns else None
        except ValueError as error:
            raise ConfigError(f"A pattern of sources.ignore cannot be read: {error}.") from None
        self._patterns = patterns
        self._own = frozenset(own)
        self._folders: dict[str, bool] = {"": False}

    def without_own(self) -> Ignore:
        """Return the same rules for another folder, without the paths of the server's own files."""
        return Ignore(self._patterns)

    def is_own(self, path: str) -> bool:
        """Return whether this is one of the server's own files or folders, or lies in one."""
        while path:
            if path in self._own:
                return True
            path = parent_of(path)
        return False

    def folder(self, path: str) -> bool:
        """Return whether a folder, or one that it lies in, is ignored."""
        known = self._folders.get(path)
        if known is None:
            known = self.folder(parent_of(path)) or self._matches(path, _FOLDER.fullmatch, f"{path}/")
            if len(self._folders) < _REMEMBERED:
                self._folders[path] = known
        return known

    def file(self, path: str) -> bool:
        """Return whether a file, or a folder that it lies in, is ignored."""
        return self.folder(parent_of(path)) or self._matches(path, _FILE.fullmatch, path)

    def _matches(self, path: str, rule: Callable[[str], object], subject: str) -> bool:
        if path in self._own:
            return True
        if self._spec is not None and (ignored := self._spec.check_file(subject).include) is not None:
            return ignored
        return rule(path.rpartition("/")[2]) is not None
