"""The records that are read from the transcripts of all runtimes.

A response may be reported several times, since a runtime may write its figures again while it grows. Each `Usage` has
all that is known of the response at that line, under the same key. The ledger keeps the largest figures of each key
and adds only the difference, so a file can be read again from its start without counting twice.

Times are milliseconds since 1970; 0 where a transcript has none that can be read.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["busy", "idle", "waiting", "error", "offline"]

Voice = Literal["transcript", "logs", "traces", "metrics"]
"""Where a record comes from: the runtime's transcript or hooks, or its telemetry, which repeats them."""

Role = Literal["user", "assistant", "thinking", "call", "result"]
"""Who speaks: a person, a model, a model to itself, a model to a tool, or a tool."""

MAX_SUMMARY = 120
MAX_FIRST_MESSAGE = 200
MAX_LABEL = 200


class Growth(msgspec.Struct, frozen=True):
    """Marks figures that a meter has counted up since `start`, in nanoseconds since 1970.

    `series` distinguishes the meter from the other meters of its session.
    """

    series: str
    start: int


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """One response of a model, as far as it is known; or, with the voice `metrics`, what a meter says.

    `key` is the response's own within all runtimes. `input` does not contain what was read from a cache or written
    into one. `cache_write_1h` is the part of `cache_write` that is kept for an hour, which costs more. `cost` is in
    US dollars, where the transcript itself states it. `failed` is set for a turn that ended so, often without use.

    Where no cost is stated, `price_factor` is what the price table's figure is multiplied by, for a faster mode, a
    region or a tier of service; None where that is not known, or where a meter of its own states the cost. `extra` is
    in US dollars, for what is not tokens, such as web searches. `subscription` says that the use is paid by one.
    `former_key` is the key that earlier releases gave the response, where that was another.
    """

    key: str
    runtime: str
    session: str
    at: int
    model: str
    provider: str | None = None
    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    cost: float | None = None
    failed: Literal["error", "aborted"] | None = None
    voice: Voice = "transcript"
    growth: Growth | None = None
    price_factor: float | None = 1.0
    extra: float = 0.0
    subscription: bool = False
    former_key: str | None = None


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool that a model asked for.

    `arguments_digest` is the same for the same arguments in any order. `summary` says in a few words what it is about:
    the file or the command. `path` is the file that it reads or writes, as it was given. `evidence` says where it was
    seen, where that is not the runtime's transcript.
    """

    session: str
    at: int
    call_id: str
    name: str
    arguments_digest: str
    summary: str = ""
    path: str | None = None
    voice: Voice = "transcript"
    evidence: str | None = None


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """The status of a session at one entry; `detail` is the reason of an error, or the tool that waits.

    `evidence` is where it was seen, if that is not the runtime's transcript. `parallel` is set if it is about one of
    several tools that were called together: another of them may still wait. An `offline` session has ended. `in_order`
    is set if a source has the session's turns in order, whatever its clock shows. A turn that `holds` ends with the
    next report of its source, or with a turn that begins, but not if other sources take the session for idle.
    """

    session: str
    at: int
    status: Status
    detail: str | None = None
    evidence: str | None = None
    voice: Voice = "transcript"
    parallel: bool = False
    in_order: bool = False
    holds: bool = False


class SessionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """The identity of a session. It is reported again when more is known; a field that is None keeps its value.

    `agent` is the agent that the runtime names, `key` its name of the conversation (`agent:scout:main`), `cwd` the
    folder in which it works, `parent` the session that started this one, `version` the runtime's or the transcript's.
    `persona` is the text after "You are" in the first user message, which may begin with a name; see `persona.py`.
    """

    session: str
    runtime: str
    agent: str | None = None
    key: str | None = None
    cwd: str | None = None
    parent: str | None = None
    title: str | None = None
    version: str | None = None
    first_user_message: str | None = None
    persona: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message of a conversation. `at` is its time, which grows from message to message of a session.

    `tool` is the tool of a call or a result. `cut` is the number of characters that were cut from the text.
    """

    session: str
    key: str
    at: int
    role: Role
    text: str
    tool: str | None = None
    cut: int = 0


Record = Usage | ToolCall | Turn | SessionInfo | Message


class UnreadableError(Exception):
    """A transcript or a database that cannot be read now; the message says why, in a few words."""
