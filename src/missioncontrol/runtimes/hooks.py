"""Hooks: what a runtime reports over HTTP about its sessions as it happens, and what it can be answered.

A runtime that has hooks has a `HookReader`. It turns a request's body into a `Hook`, and a decision of a person into
the answer that the runtime understands. The server knows nothing else of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Literal, NamedTuple

from missioncontrol.runtimes.records import Record

Phase = Literal["tool_begins", "tool_asks", "tool_refused", "tool_ran", "turn_ends", "session_ends"]
"""What of a session's work a hook is about; a `turn_ends` also where the next one begins."""


class Asked(NamedTuple):
    """A permission that a session asks for: `text` for a person, `details` to decide by.

    `whole` says that all of it can be seen there, so that it may be decided on without the terminal.
    """

    text: str
    details: dict[str, Any]
    whole: bool

    def without_input(self, size: int) -> Asked:
        """Return it without the tool's input of so many bytes, which cannot be kept: only the terminal shows it."""
        details = {name: value for name, value in self.details.items() if name != "input"}
        return self._replace(details={**details, "tooLong": f"{size:,} bytes"}, whole=False)


class Hook(NamedTuple):
    """One hook, as it was read.

    `session` is the one that it is about, "" where it names none; `parent` the main session of a sub-agent. `call`
    is the same for the same tool with the same arguments. `may_stop` says that its answer can end the session's work.
    """

    event: str
    session: str
    parent: str | None
    records: list[Record]
    call: str | None = None
    asked: Asked | None = None
    phase: Phase | None = None
    may_stop: bool = False


class HookReader(ABC):
    """Reads the hooks of one runtime.

    `events` are the names of the events that are understood, `event_field` is where a body has them. `evidence` is what
    statuses and questions name as their source. `answer_seconds` is how long a permission is held for an answer where
    the request does not say.
    """

    events: ClassVar[Collection[str]]
    event_field: ClassVar[str]
    evidence: ClassVar[str]
    answer_seconds: ClassVar[int]

    @abstractmethod
    def read(self, body: bytes, at: int) -> Hook:
        """Read the body of a request.

        Args:
            body: what the runtime has sent.
            at: now, in milliseconds since 1970.

        Raises:
            BadMessage: it is no hook of this runtime.
            TooDeep: it has more levels than JSON may have here.
        """

    @abstractmethod
    def decision(self, *, allow: bool, message: str) -> dict[str, Any]:
        """Return the answer to a permission; the message says to the runtime why something is denied."""

    @abstractmethod
    def stop(self, hook: Hook, reason: str) -> dict[str, Any]:
        """Return the answer that ends a session's work, to a hook that `may_stop`."""
