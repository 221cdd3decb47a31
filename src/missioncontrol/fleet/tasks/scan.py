"""Scans of the queue's files: their content, and whether they may have changed since. Everything here blocks."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import time_ns
from typing import NamedTuple

from missioncontrol.fleet.layout import TASK_FILES
from missioncontrol.fleet.tasks.document import Document
from missioncontrol.fleet.tasks.ids import Ids
from missioncontrol.fleet.tasks.queue_file import MAX_FILE_BYTES, QueueFile, settling_ns
from missioncontrol.fleet.tasks.reading import Copy, copy_of, read_table
from missioncontrol.watch.tree import Content, Signature, fingerprint, look, modified_ns, read_file

JSON_FILE, MARKDOWN_FILE = TASK_FILES
_NUMBERED = re.compile(rb"TASK-\d{1,9}\b")
_SCAN_BYTES = 1024 * 1024


class Outside(NamedTuple):
    """The signatures of the files, and when they were taken, in nanoseconds since 1970.

    `is_exact` is whether every later write changes them.
    """

    signatures: Mapping[str, Signature | None]
    at_ns: int
    is_exact: bool = False

    def may_differ(self, later: Outside) -> bool:
        """Return whether a file may have been written between the two.

        A file that was written just before its signature was taken may have been written again without a trace: the
        second write can have the same time.
        """
        if self.signatures != later.signatures:
            return True
        if self.is_exact:
            return False
        present = next((found for found in self.signatures.values() if found is not None), None)
        return present is not None and abs(self.at_ns - modified_ns(present)) <= settling_ns(
            modified_ns(present)
        )


class Known(NamedTuple):
    """The file as it is known: its path, its content, and the text of the table if it is one.

    `has_been_json` is whether a JSON file has existed; then the table is no longer read. `is_new` is whether nothing is
    known of the file's earlier contents.
    """

    path: str
    copy: Copy | None
    table: bytes
    has_been_json: bool
    is_new: bool


class Seen(NamedTuple):
    """The file as it was just scanned.

    `copy` is None if it is missing, or if it is broken: `wrong` is the reason, and `mark` the fingerprint of its
    content. `same` is whether it is the known copy; `is_caught`, whether it was replaced before it was read, so that
    the file may have another content now.
    """

    path: str = JSON_FILE
    content: Content | str | None = None
    copy: Copy | None = None
    wrong: str = ""
    mark: str = ""
    same: bool = False
    is_caught: bool = False


class Scan(NamedTuple):
    """The result of a scan, and the signatures of the files before it.

    `late` is the number of seconds until a replaced file has to be checked again for late writes; `is_late` is whether
    there is one whose content is not in the result.
    """

    seen: Seen
    outside: Outside
    late: float | None
    is_late: bool


class Scanner:
    """Reads the files of a workspace."""

    def __init__(self, root: Path, file: QueueFile, ids: Ids) -> None:
        """Prepare; nothing is read yet.

        Args:
            root: the workspace.
            file: the JSON file in it.
            ids: kept above every id that is seen in a file that cannot be used.
        """
        self._root = root
        self._file = file
        self._ids = ids

    def outside(self) -> Outside:
        """Return the current signatures of the files."""
        # The time is taken first, so that a later write is not taken for an older one.
        at_ns = time_ns()
        return Outside(look(self._root, TASK_FILES), at_ns)

    def may_differ(self, known: Outside | None) -> bool:
        """Return whether a file may have been written since these signatures were taken."""
        if known is None or self._file.has_caught or self._file.is_former_touched:
            return True
        return known.may_differ(self.outside())

    def scan(self, known: Known) -> Scan:
        """Read the file, unless it is known to be unchanged."""
        try:
            late = self._file.late()
        except OSError:
            late = None
        outside = self.outside()
        return Scan(self._see(known), outside, late, self._file.is_former_touched)

    def _see(self, known: Known) -> Seen:
        if known.copy is not None and known.path == JSON_FILE:
            while (data := self._file.take_caught()) is not None:
                try:
                    document = Document(data, known.copy.document)
                except ValueError:
                    # It was half written: its author continues in the file itself.
                    continue
                if document.tasks is not None:
                    return Seen(JSON_FILE, None, copy_of(document, known.copy), is_caught=True)
        if (
            known.copy is not None
            and known.path == JSON_FILE
            and known.has_been_json
            and self._file.is_as_read()
        ):
            return Seen(JSON_FILE, None, known.copy, same=True)
        for path in TASK_FILES:
            content = read_file(self._root, path, MAX_FILE_BYTES)
            if content is not None:
                return self._read(path, content, known)
            if os.path.lexists(self._root / path):
                wrong = "it is a symbolic link, or lies behind one, which is not followed"
                return Seen(path, wrong, wrong=wrong, mark=fingerprint(wrong.encode()))
            if known.has_been_json:
                break
        return Seen()

    def _read(self, path: str, content: Content | str, known: Known) -> Seen:
        if isinstance(content, str):
            return Seen(path, content, wrong=content, mark=fingerprint(content.encode()))
        if known.copy is not None and path == known.path:
            text = known.copy.document
            if content.data == known.table if text is None else text.is_text(content.data):
                self._file.was_read(content)
                return Seen(path, content, known.copy, same=True)
        try:
            if path == JSON_FILE:
                before = known.copy if known.path == path else None
                document = Document(content.data, None if before is None else before.document)
                if document.tasks is None and not known.is_new:
                    raise ValueError('it has no "tasks"')
                self._file.was_read(content)
                return Seen(path, content, copy_of(document, before))
            return Seen(path, content, read_table(content.data))
        except ValueError as error:
            # An id in it must not be given to another task.
            self._ids.above(_numbered(content.data))
            return Seen(path, content, wrong=str(error), mark=fingerprint(content.data))


def _numbered(data: bytes) -> Iterator[str]:
    """Return what looks like the id of a task in a file, piece by piece."""
    for start in range(0, len(data), _SCAN_BYTES):
        for found in _NUMBERED.finditer(data, start, start + _SCAN_BYTES + 16):
            yield found[0].decode()
