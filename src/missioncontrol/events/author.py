"""On whose behalf the current task acts: what events show as `by`.

The shells of the server set it for the task of a request, and what changes something on behalf of a request reads it
where it makes its draft. Work that requests share, such as a scan, reads it nowhere.
"""

from __future__ import annotations

from contextvars import ContextVar

_author: ContextVar[str | None] = ContextVar("author", default=None)


def act_as(by: str | None) -> None:
    """Note who has made the request that the current task answers."""
    _author.set(by)


def author() -> str | None:
    """Return who has made the request that the current task answers; None where it answers none."""
    return _author.get()
