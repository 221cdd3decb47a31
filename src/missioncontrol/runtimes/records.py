"""What transcripts tell, whatever runtime wrote them.

A response may be told several times, since a runtime may write its figures again while it grows. `Usage` is always the
whole of what is known of the response at that line, under the same key. Whoever counts keeps the largest figures of
each key, and adds only what they grow by; so it also does no harm to read a file again from its start.

Times are milliseconds since 1970; 0 where a transcript gives none that can be read.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Status = Literal["busy", "idle", "waiting", "error", "offline"]

Voice = Literal["transcript", "logs", "traces", "metrics"]
"""Who says it: what the runtime writes down or tells at once, or its telemetry, which repeats that."""

Role = Literal["user", "assistant", "thinking", "call", "result"]
"""Who speaks: a person, a model, a model to itself, a model to a tool, or a tool."""

MAX_SUMMARY = 120
MAX_FIRST_MESSAGE = 200
MAX_LABEL = 200


class Growth(msgspec.Struct, frozen=True):
    """Marks figures that a meter has counted up; `start` is since when, in nanoseconds since 1970.

    `series` tells the meter from the other ones of its session.
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
    """How a session stands at one entry; `detail` is the reason of an error, or the tool that waits.

    `evidence` says where it was seen, where that is not the runtime's transcript. `beside` is set where it tells of
    one tool among several that were called together: another of them may still wait. An `offline` session has ended.
    `in_order` is set where a source has the session's turns in order, whatever its clock says. What `holds` ends with
    the next report of its source, or with a turn that begins: that others take the session for idle does not end it.
    """

    session: str
    at: int
    status: Status
    detail: str | None = None
    evidence: str | None = None
    voice: Voice = "transcript"
    beside: bool = False
    in_order: bool = False
    holds: bool = False


class SessionInfo(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who a session is; told again when more of it is known, and what is None here may have been told before.

    `agent` is whom the runtime names, `key` its name of the conversation (`agent:scout:main`), `cwd` the folder
    in which it works, `parent` the session that started this one, `version` the runtime's or the transcript's own.
    `persona` is what the first user message says after "You are": a name, perhaps, and some words more; see
    `persona.py`.
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
    """Something that was said. `at` is when, and grows from message to message of a session.

    `tool` is the tool that a call or a result is of. `cut` says how many characters of the text are left out.
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
