"""Writing the queue's file: a merged content in the place of what was read, and when to try again where that fails."""

from __future__ import annotations

import errno
from time import monotonic

from missioncontrol.backoff import Backoff
from missioncontrol.events import now, rfc3339
from missioncontrol.fleet.tasks.document import Document, Edits, text_without_tasks
from missioncontrol.fleet.tasks.queue_file import MAX_FILE_BYTES, QueueFile
from missioncontrol.fleet.tasks.reading import Copy, copy_of
from missioncontrol.fleet.tasks.revisions import RevisionHistory

FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 60.0
WANTED_RETRY_SECONDS = 1.0
"""After so long a file that could not be written is tried again for a caller who waits for it."""


class FileWriter:
    """Writes the file, and keeps when that last failed and why."""

    def __init__(self, file: QueueFile) -> None:
        self._file = file
        self.reset()

    @property
    def was_shown(self) -> bool:
        """Whether a content that `put` had to withdraw was in the file for a moment, so that it may have been read."""
        return self._file.was_shown

    def reset(self) -> None:
        """Note that the file has all changes."""
        self._backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        self._retry_at = self._failed_at = 0.0
        self._reported = ""

    def retry_now(self) -> None:
        """Let the next attempt be made at once."""
        self._retry_at = 0.0

    def until_retry(self, *, wanted: bool) -> float:
        """Return for how many seconds a file that could not be written is not tried again.

        Args:
            wanted: a caller waits for it.
        """
        until = min(self._retry_at, self._failed_at + WANTED_RETRY_SECONDS) if wanted else self._retry_at
        return until - monotonic()

    def failed(self, error: OSError) -> tuple[float, str]:
        """Note that the file could not be written.

        Returns:
            After how many seconds to try again, and what is to be reported; nothing where that was reported before.
        """
        seconds = self._backoff.next()
        self._failed_at = monotonic()
        self._retry_at = self._failed_at + seconds
        reason = error.strerror or str(error)
        if reason == self._reported:
            return seconds, ""
        self._reported = reason
        return seconds, reason

    def put(
        self, copy: Copy, edits: Edits, there: bool, past: RevisionHistory
    ) -> tuple[Copy, set[str]] | None:
        """Write the file; in a thread.

        Args:
            copy: what was read.
            edits: what it lacks.
            there: the file is there, with this content.
            past: has what it is to have in it.

        Returns:
            the file's content now, and the tasks that are not up to date in it. None: another program has written it.

        Raises:
            OSError: it cannot be written.
        """
        # Where only a table was there, the queue is JSON from now on.
        document = copy.document or Document(text_without_tasks(copy.history))
        edits.updated = rfc3339(now()).decode()
        new = document.with_edits(edits)
        if new.size > MAX_FILE_BYTES:
            raise OSError(errno.EFBIG, f"it would be larger than {MAX_FILE_BYTES:,} bytes")
        if not self._file.put(new, document if there else None):
            return None
        written = copy_of(new, copy if copy.document is not None else None)
        ids = written.changed
        if ids is None:
            ids = {*written.by_id, *past.present}
        others: set[str] = set()
        for id_ in ids:
            wanted = past.newest(id_)
            is_about = wanted is not None or id_ in written.by_id
            if is_about and written.task(id_, wanted) != wanted:
                others.add(id_)
        return written, others
