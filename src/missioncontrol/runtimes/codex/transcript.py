"""Codex's rollouts.

What has been used is a sum that grows over the session, and is repeated without change; what a response has used is
what the sum has grown by. The sum's `input_tokens` contain what was cached, and `output_tokens` the reasoning. Newer
releases write a record for each response as well, at once, with the response's id: it is what counts, and of the sum
only what goes beyond the records.

The rollout of a session that was forked from another, or that another has spawned, may begin with a copy of the
other's history, with new times. Until its own first turn only the sum is taken from it. Turn ids carry the time at
which the turn began (UUID version 7), which says whose a turn is. Releases whose turns have no such ids write the other
session's introduction before its history.
"""

from __future__ import annotations

import re
from uuid import UUID

import msgspec

from missioncontrol.runtimes.calls import ASKING, tool_call
from missioncontrol.runtimes.lines import (
    MAX_PATH,
    Number,
    Time,
    count,
    decode,
    fit,
    milliseconds,
    shorten,
)
from missioncontrol.runtimes.persona import first_words, persona_of, text_of
from missioncontrol.runtimes.records import MAX_LABEL, Record, SessionInfo, Status, Turn, Usage

RUNTIME = "codex"

REPLAY_MS = 2_500
"""Milliseconds after its start for which a fork may still copy entries, for turns whose ids have no start time."""

_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_NOT_SAID = ("<", "# AGENTS.md")
"""How a user message begins that the runtime itself has put in."""

_ID = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})(?:\.jsonl|$)", re.IGNORECASE
)
_MAX_OPEN = 4
_ABSENT = msgspec.Raw(b"")
_NULL = msgspec.Raw(b"null")

_TIERS = {"priority": 2.0, "flex": 0.5}
"""By what the price of a response changes with its tier of service (https://developers.openai.com/api/docs/pricing)."""


class Memory(msgspec.Struct, tag="codex", omit_defaults=True):
    """What has to be remembered between two lines.

    `total` is the last sum: input, cached, written to the cache, output. `recorded` is what records have of responses
    and the sum has not yet; None where there are no records. `last` are the figures of the last response where there
    is no sum. `began` is set while the history of another session is being copied: when this one began, in milliseconds
    since 1970; `copies` says that there is such a history for certain.
    """

    session: str = ""
    parent: str | None = None
    at: int = 0
    began: int | None = None
    cwd: str | None = None
    version: str | None = None
    title: str | None = None
    provider: str | None = None
    model: str = ""
    met: bool = False
    introduced: bool = False
    total: list[int] | None = None
    recorded: list[int] | None = None
    last: list[int] | None = None
    copies: bool = False
    tier: str | None = None
    subscription: bool = False
    waiting: dict[str, str] = {}


class _Line(msgspec.Struct):
    type: str | None = None
    timestamp: Time = None
    payload: msgspec.Raw = _ABSENT


class _Meta(msgspec.Struct):
    id: str | None = None
    timestamp: Time = None
    cwd: str | None = None
    cli_version: str | None = None
    model_provider: str | None = None
    agent_nickname: str | None = None
    agent_role: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    source: msgspec.Raw = _ABSENT


class _Spawn(msgspec.Struct):
    parent_thread_id: str | None = None


class _Subagent(msgspec.Struct):
    thread_spawn: _Spawn | None = None


class _Source(msgspec.Struct):
    subagent: _Subagent | str | None = None


class _Context(msgspec.Struct):
    turn_id: str | None = None
    model: str | None = None
    cwd: str | None = None
    service_tier: str | None = None


class _Tokens(msgspec.Struct):
    input_tokens: Number = None
    cached_input_tokens: Number = None
    cache_write_input_tokens: Number = None
    output_tokens: Number = None

    def figures(self) -> list[int]:
        return [
            count(self.input_tokens),
            count(self.cached_input_tokens),
            count(self.cache_write_input_tokens),
            count(self.output_tokens),
        ]


class _Info(msgspec.Struct):
    total_token_usage: _Tokens | None = None
    last_token_usage: _Tokens | None = None


class _Limits(msgspec.Struct):
    plan_type: str | None = None
    primary: msgspec.Raw = _NULL


class _Failure(msgspec.Struct):
    message: str | None = None


class _Record(msgspec.Struct):
    response_id: str | None = None
    usage: _Tokens | None = None


class _Event(msgspec.Struct):
    type: str | None = None
    turn_id: str | None = None
    started_at: Time = None
    info: _Info | None = None
    rate_limits: _Limits | None = None
    error: _Failure | str | None = None
    message: msgspec.Raw = _ABSENT
    reason: msgspec.Raw = _ABSENT


class _Item(msgspec.Struct):
    type: str | None = None
    role: str | None = None
    name: str | None = None
    call_id: str | None = None
    arguments: msgspec.Raw = _ABSENT
    input: msgspec.Raw = _ABSENT
    action: msgspec.Raw = _ABSENT
    content: msgspec.Raw = _ABSENT


_lines = msgspec.json.Decoder(_Line)
_metas = msgspec.json.Decoder(_Meta)
_sources = msgspec.json.Decoder(_Source)
_contexts = msgspec.json.Decoder(_Context)
_events = msgspec.json.Decoder(_Event)
_records = msgspec.json.Decoder(_Record)
_items = msgspec.json.Decoder(_Item)


class CodexParser:
    """Reads the lines of one rollout."""

    def __init__(self, memory: Memory, agent: str | None = None) -> None:
        """Prepare.

        Args:
            memory: where the last reading ended, with `session` set as the file's name says.
            agent: the agent in whose folder the rollout is; None where that says nothing.
        """
        self.memory = memory
        self._agent = agent

    def parse(self, line: bytes | str) -> list[Record]:
        """Return the records of a line.

        Raises:
            BrokenLineError: it is not JSON.
        """
        entry = decode(_lines, line)
        if entry is None or not entry.payload:
            return []
        self.memory.at = milliseconds(entry.timestamp) or self.memory.at
        match entry.type:
            case "event_msg":
                event = decode(_events, entry.payload)
                return [] if event is None else self._event(event)
            case "response_item":
                if self.memory.began is not None:
                    return []
                item = decode(_items, entry.payload)
                return [] if item is None else self._item(item)
            case "turn_context":
                context = decode(_contexts, entry.payload)
                if context is not None:
                    self._own_turn(context.turn_id)
                    self.memory.model = context.model or self.memory.model
                    self.memory.tier = fit(context.service_tier)
            case "token_usage_record":
                record = decode(_records, entry.payload)
                return [] if record is None or record.usage is None else self._record(record, record.usage)
            case "session_meta":
                meta = decode(_metas, entry.payload)
                return [] if meta is None else self._meta(meta)
        return []

    def _meta(self, meta: _Meta) -> list[Record]:
        memory = self.memory
        if memory.met:
            # That of another session, whose history follows.
            if fit(meta.id) != memory.session and memory.total is None:
                memory.copies = True
                if memory.began is None:
                    memory.began = _time_of(memory.session) or memory.at
            return []
        memory.met = True
        memory.session = memory.session or fit(meta.id) or ""
        memory.cwd, memory.version = fit(meta.cwd, MAX_PATH), fit(meta.cli_version)
        memory.provider = fit(meta.model_provider)
        title = meta.agent_nickname or meta.agent_role
        memory.title = shorten(title, MAX_LABEL) if title else None
        source = decode(_sources, meta.source) if meta.source else None
        spawn = source.subagent.thread_spawn if source and isinstance(source.subagent, _Subagent) else None
        memory.parent = fit(meta.parent_thread_id or (spawn.parent_thread_id if spawn is not None else None))
        if memory.parent or meta.forked_from_id:
            memory.began = _time_of(memory.session) or milliseconds(meta.timestamp) or memory.at
            memory.copies = meta.forked_from_id is not None
        return [self._info()]

    def _event(self, event: _Event) -> list[Record]:
        memory = self.memory
        if event.type in ("task_started", "turn_started"):
            self._own_turn(event.turn_id, milliseconds(event.started_at))
        if event.type == "token_count":
            if (limits := event.rate_limits) is not None:
                memory.subscription |= limits.plan_type is not None or bytes(limits.primary) != b"null"
            return self._count(event.info) if event.info is not None else []
        if memory.began is not None:
            return []
        match event.type:
            case "task_started" | "turn_started":
                memory.waiting = {}
                return [self._turn("busy")]
            case "user_message":
                return [*self._introduction(text_of(event.message)), self._turn("busy")]
            case "task_complete" | "turn_complete":
                if event.error is None:
                    return [self._turn("idle")]
                reason = event.error if isinstance(event.error, str) else event.error.message
                return [self._turn("error", reason or "failed")]
            case "turn_aborted":
                memory.waiting = {}
                return [self._turn("idle", text_of(event.reason) or "aborted")]
            case "error":
                return [self._turn("error", text_of(event.message))]
        return []

    def _item(self, item: _Item) -> list[Record]:
        memory = self.memory
        if item.type in _CALLS:
            name = item.name or "shell"
            arguments = item.arguments or item.input or item.action
            call = tool_call(memory.session, memory.at, item.call_id or "", name, arguments)
            if name in ASKING and len(memory.waiting) < _MAX_OPEN:
                memory.waiting[call.call_id] = name
            return [call, self._turn("busy")]
        if item.type in _RESULTS:
            memory.waiting.pop(item.call_id or "", None)
            return [self._turn("busy")]
        if item.type == "message" and item.role == "user":
            text = text_of(item.content)
            if text and not text.lstrip().startswith(_NOT_SAID):
                return [*self._introduction(text), self._turn("busy")]
        return []

    def _count(self, info: _Info) -> list[Record]:
        """Return what the sum has grown by, beyond what records have."""
        memory = self.memory
        last = info.last_token_usage.figures() if info.last_token_usage is not None else None
        if info.total_token_usage is None:
            # Without a sum, figures that are repeated are one response.
            repeated, memory.last = last == memory.last, last
            if last is None or repeated or memory.began is not None or memory.recorded is not None:
                return []
            return self._use(f"{memory.session}:{memory.at}:{'.'.join(map(str, last))}", last)
        total, before = info.total_token_usage.figures(), memory.total
        memory.total = total
        if memory.began is not None or total == before:
            return []
        if before is not None and all(new >= old for new, old in zip(total, before, strict=True)):
            new = [now - then for now, then in zip(total, before, strict=True)]
        else:
            # The sum begins here, or again, and may contain what others have used.
            new = last if last is not None else total
        if memory.recorded is not None:
            pairs = list(zip(new, memory.recorded, strict=True))
            new = [max(0, grown - recorded) for grown, recorded in pairs]
            memory.recorded = [max(0, recorded - grown) for grown, recorded in pairs]
        return self._use(f"{memory.session}:{memory.at}:{'.'.join(map(str, total))}", new)

    def _record(self, record: _Record, used: _Tokens) -> list[Record]:
        """Return what one response has used."""
        memory = self.memory
        if memory.began is not None or record.response_id is None:
            return []
        figures = used.figures()
        waiting = memory.recorded or [0] * len(figures)
        memory.recorded = [one + other for one, other in zip(waiting, figures, strict=True)]
        return self._use(record.response_id, figures)

    def _use(self, key: str, figures: list[int]) -> list[Record]:
        memory = self.memory
        input_, cached, written, output = figures
        if not any(figures):
            return []
        return [
            Usage(
                key=f"{RUNTIME}:{key}",
                runtime=RUNTIME,
                session=memory.session,
                at=memory.at,
                model=memory.model,
                provider=memory.provider,
                input=max(0, input_ - cached - written),
                output=output,
                cache_read=cached,
                cache_write=written,
                price_factor=_TIERS.get(memory.tier or "", 1.0),
                subscription=memory.subscription,
            )
        ]

    def _own_turn(self, turn: str | None, started: int = 0) -> None:
        """Note whose turn begins: with the first of its own, a copy of another's history has ended."""
        memory = self.memory
        if memory.began is None:
            return
        if at := _time_of(turn):
            own = at >= memory.began
        elif started:
            # Whole seconds.
            own = started >= memory.began // 1000 * 1000
        else:
            own = not memory.copies or memory.at > memory.began + REPLAY_MS
        if own:
            memory.began = None

    def _introduction(self, text: str) -> list[Record]:
        memory = self.memory
        if memory.introduced or not text:
            return []
        memory.introduced = True
        return [
            msgspec.structs.replace(
                self._info(), first_user_message=first_words(text), persona=persona_of(text)
            )
        ]

    def _turn(self, status: Status, detail: str | None = None) -> Turn:
        memory = self.memory
        if memory.waiting and status == "busy":
            status, detail = "waiting", next(iter(memory.waiting.values()))
        detail = shorten(detail, MAX_LABEL) if detail else None
        return Turn(memory.session, memory.at, status, detail, in_order=True)

    def _info(self) -> SessionInfo:
        memory = self.memory
        return SessionInfo(
            session=memory.session,
            runtime=RUNTIME,
            agent=self._agent,
            cwd=memory.cwd,
            parent=memory.parent,
            title=memory.title,
            version=memory.version,
        )


def session_of(name: str) -> str:
    """Return the session's id that a rollout's file name ends with; "" where there is none."""
    found = _ID.findall(name.removesuffix(".zst"))
    return found[-1].lower() if found else ""


def _time_of(id_: str | None) -> int:
    """Return the milliseconds since 1970 that an id of UUID version 7 carries; 0 where it carries none."""
    try:
        uuid = UUID(id_ or "")
    except ValueError:
        return 0
    return uuid.int >> 80 if uuid.version == 7 else 0
