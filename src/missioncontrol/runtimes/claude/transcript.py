"""Claude Code's transcripts.

One answer spans several lines, one for each part of it, and each repeats what the answer has used so far: it is
reported once, and again where a later line has more. Its key is the message's id and the request's. Some gateways give
every answer the same id and no request's. Without one, lines are one answer where the later follows from the earlier
and its figures do not fall; its key then has the id of its first line.

A session that is resumed or forked repeats the lines of the one before it, ids included. Lines that name the session
they come from (`forkedFrom`) count as that one's.

What models other than the answer's have used for it, such as an adviser, is in `usage.iterations` and not in the
figures above that (https://platform.claude.com/docs/en/build-with-claude/compaction, "Understanding usage").
"""

from __future__ import annotations

from typing import Any

import msgspec

from missioncontrol.runtimes.calls import ASKING, tool_call
from missioncontrol.runtimes.claude.prices import WEB_SEARCH_DOLLARS, price_factor
from missioncontrol.runtimes.lines import (
    MAX_PATH,
    Number,
    Time,
    count,
    decode,
    dollars,
    fit,
    milliseconds,
    shorten,
)
from missioncontrol.runtimes.persona import first_words, persona_of, text_of
from missioncontrol.runtimes.records import MAX_LABEL, Record, SessionInfo, Status, Turn, Usage

RUNTIME = "claude"
PROVIDER = "anthropic"
SYNTHETIC = "<synthetic>"
"""The model of answers that no model gave."""

_ENDED = frozenset({"end_turn", "stop_sequence", "max_tokens", "refusal", "model_context_window_exceeded"})
_LOCAL = ("<command-", "<local-command-", "<bash-")
"""How a line begins that the user's own commands left: no model is asked."""

_INTERRUPTED = "[Request interrupted by user"
_RECENT = 4
_MAX_LINES = 16
_MAX_ITERATIONS = 100
_MAX_OPEN = 4
_ABSENT = msgspec.Raw(b"")


class Answer(msgspec.Struct, array_like=True):
    """An answer as far as it is known: the message's id, its key, its lines, and the figures that were reported of it.

    `parent` is the line that its first one follows, `prompted` says that a person has written since.
    """

    id: str
    key: str
    lines: list[str]
    parent: str | None
    figures: list[int]
    prompted: bool = False


class Memory(msgspec.Struct, tag="claude", omit_defaults=True):
    """The state that is kept between two lines.

    `answers` are the newest answers, whose later lines may have more; `calls` the newest calls, which an answer that
    grows repeats; `waiting` calls that wait for a person.
    """

    session: str = ""
    parent: str | None = None
    at: int = 0
    cwd: str | None = None
    version: str | None = None
    title: str | None = None
    model: str = ""
    introduced: bool = False
    answers: list[Answer] = []
    calls: list[str] = []
    waiting: dict[str, str] = {}


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Number = None
    ephemeral_1h_input_tokens: Number = None


class _ServerTools(msgspec.Struct):
    web_search_requests: Number = None


class _Figures(msgspec.Struct):
    input_tokens: Number = None
    output_tokens: Number = None
    cache_creation_input_tokens: Number = None
    cache_read_input_tokens: Number = None
    cache_creation: _CacheCreation | None = None


class _Iteration(_Figures):
    type: str | None = None
    model: str | None = None


class _Usage(_Figures):
    speed: str | None = None
    inference_geo: str | None = None
    service_tier: str | None = None
    server_tool_use: _ServerTools | None = None
    iterations: list[_Iteration] | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _ABSENT
    tool_use_id: str | None = None


class _Message(msgspec.Struct):
    id: str | None = None
    role: str | None = None
    model: str | None = None
    content: msgspec.Raw = _ABSENT
    stop_reason: str | None = None
    usage: _Usage | None = None


class _ForkedFrom(msgspec.Struct, rename="camel"):
    session_id: str | None = None


class _Line(msgspec.Struct, rename="camel"):
    type: str | None = None
    subtype: str | None = None
    uuid: str | None = None
    parent_uuid: str | None = None
    request_id: str | None = None
    forked_from: _ForkedFrom | None = None
    session_id: str | None = None
    timestamp: Time = None
    cwd: str | None = None
    version: str | None = None
    is_sidechain: bool | None = None
    is_meta: bool | None = None
    is_compact_summary: bool | None = None
    is_api_error_message: bool | None = None
    cost_usd: Number = msgspec.field(default=None, name="costUSD")
    custom_title: str | None = None
    ai_title: str | None = None
    message: msgspec.Raw = _ABSENT


_lines = msgspec.json.Decoder(_Line)
_messages = msgspec.json.Decoder(_Message)
_items = msgspec.json.Decoder(list[_Item | str])


class ClaudeParser:
    """Reads the lines of one session, or of one sub-agent of a session."""

    def __init__(self, memory: Memory) -> None:
        """Prepare; `memory` is where the last reading ended, with `session` set, and `parent` for a sub-agent."""
        self.memory = memory

    def parse(self, line: bytes | str) -> list[Record]:
        """Return the records of a line.

        Raises:
            BrokenLineError: it is not JSON.
        """
        entry = decode(_lines, line)
        if entry is None:
            return []
        memory = self.memory
        memory.at = milliseconds(entry.timestamp) or memory.at
        if entry.forked_from is not None:
            return self._copied(entry) if entry.message else []
        records = self._introduction(entry)
        match entry.type:
            case "assistant" | "user" if entry.message:
                message = decode(_messages, entry.message)
                if message is not None:
                    read = self._answer if entry.type == "assistant" else self._asked
                    records += read(entry, message)
            case "system":
                if entry.subtype in ("turn_duration", "stop_hook_summary"):
                    records += self._turn(entry, "idle")
                elif entry.subtype == "api_error":
                    records += self._turn(entry, "busy")
        return records

    def _copied(self, entry: _Line) -> list[Record]:
        """Return the records of a line that was copied from another session: its usage, and the first message."""
        memory = self.memory
        message = decode(_messages, entry.message)
        original = fit(entry.forked_from.session_id) if entry.forked_from is not None else None
        if message is None or original is None:
            return []
        records: list[Record] = []
        if entry.type == "user" and not memory.introduced and (text := text_of(message.content)):
            memory.introduced = True
            records.append(self._info(text))
        if entry.type == "assistant" and message.usage is not None and message.model != SYNTHETIC:
            memory.model = fit(message.model) or memory.model
            for used in self._usage(entry, message, message.usage):
                records.append(SessionInfo(original, RUNTIME, cwd=fit(entry.cwd, MAX_PATH)))
                records.append(msgspec.structs.replace(used, session=original))
        return records

    def _introduction(self, entry: _Line) -> list[Record]:
        """Return who the session is where that is new."""
        memory = self.memory
        title = entry.custom_title or entry.ai_title
        if title is not None and (title := shorten(title, MAX_LABEL)) == memory.title:
            title = None
        cwd = fit(entry.cwd, MAX_PATH)
        started = memory.cwd is None and cwd is not None
        if not started and title is None:
            return []
        memory.title = title or memory.title
        if started:
            memory.cwd, memory.version = cwd, fit(entry.version)
            if memory.parent is None and memory.session.startswith("agent-") and entry.session_id:
                memory.parent = fit(entry.session_id)
        return [self._info()]

    def _answer(self, entry: _Line, message: _Message) -> list[Record]:
        memory = self.memory
        if message.model == SYNTHETIC:
            if not entry.is_api_error_message:
                return self._turn(entry, "idle")
            failed = Usage(
                key=f"{RUNTIME}:{entry.uuid or memory.at}",
                runtime=RUNTIME,
                session=memory.session,
                at=memory.at,
                model=memory.model,
                provider=PROVIDER,
                failed="error",
            )
            return [failed, *self._turn(entry, "error", text_of(message.content))]
        memory.model = fit(message.model) or memory.model
        more = any(answer.id == message.id for answer in memory.answers)
        records: list[Record] = []
        if message.usage is not None:
            records += self._usage(entry, message, message.usage)
        if b'"tool_use"' in bytes(message.content):
            records += self._calls(message.content)
        status: Status = "idle" if message.stop_reason in _ENDED else "busy"
        return [*records, *self._turn(entry, status, parallel=more)]

    def _usage(self, entry: _Line, message: _Message, used: _Usage) -> list[Usage]:
        memory = self.memory
        figures = [*_figures(used), count((used.server_tool_use or _ServerTools()).web_search_requests)]
        answer = self._same_answer(entry, message, figures)
        if answer is not None:
            most = [max(pair) for pair in zip(figures, answer.figures, strict=True)]
            is_known = most == answer.figures
            answer.lines = [*answer.lines[1 - _MAX_LINES :], entry.uuid or ""]
            answer.figures = most
        else:
            is_known = False
            id_ = message.id or entry.uuid or f"{memory.session}:{memory.at}"
            key = f"{RUNTIME}:{id_}:{entry.request_id or entry.uuid or memory.at}"
            answer = Answer(id_, key, [entry.uuid or ""], entry.parent_uuid, figures)
            memory.answers = [*memory.answers[1 - _RECENT :], answer]
        if is_known:
            return []
        *_, searches = answer.figures
        records = [
            self._report(
                answer.key,
                memory.model,
                answer.figures[:5],
                former_key=f"{RUNTIME}:{answer.id}",
                cost=dollars(entry.cost_usd),
                price_factor=price_factor(memory.model, used.speed, used.inference_geo, used.service_tier),
                extra=searches * WEB_SEARCH_DOLLARS,
            )
        ]
        for number, iteration in enumerate((used.iterations or [])[:_MAX_ITERATIONS]):
            if iteration.type != "message":
                model = fit(iteration.model) or memory.model
                records.append(self._report(f"{answer.key}:{number}", model, _figures(iteration)))
        return records

    def _same_answer(self, entry: _Line, message: _Message, figures: list[int]) -> Answer | None:
        """Return the answer that a line belongs to; None where it begins one."""
        for answer in reversed(self.memory.answers):
            if answer.id != message.id:
                continue
            if entry.request_id is not None:
                if answer.key == f"{RUNTIME}:{answer.id}:{entry.request_id}":
                    return answer
                continue
            follows = (
                not answer.prompted
                if entry.parent_uuid is None
                else entry.parent_uuid in answer.lines or entry.parent_uuid == answer.parent
            )
            if follows and all(new >= old for new, old in zip(figures, answer.figures, strict=True)):
                return answer
        return None

    def _report(self, key: str, model: str, figures: list[int], **fields: Any) -> Usage:
        input_, output, cache_read, cache_write, cache_write_1h = figures
        return Usage(
            key=key,
            runtime=RUNTIME,
            session=self.memory.session,
            at=self.memory.at,
            model=model,
            provider=PROVIDER,
            input=input_,
            output=output,
            cache_read=cache_read,
            cache_write=cache_write,
            cache_write_1h=cache_write_1h,
            **fields,
        )

    def _calls(self, content: bytes) -> list[Record]:
        memory = self.memory
        records: list[Record] = []
        for item in decode(_items, content) or []:
            if isinstance(item, str) or item.type != "tool_use" or not item.name:
                continue
            call = tool_call(memory.session, memory.at, item.id or "", item.name, item.input)
            if call.call_id in memory.calls:
                continue
            memory.calls = [*memory.calls[1 - _MAX_OPEN :], call.call_id]
            records.append(call)
            if item.name in ASKING and len(memory.waiting) < _MAX_OPEN:
                memory.waiting[call.call_id] = item.name
        return records

    def _asked(self, entry: _Line, message: _Message) -> list[Record]:
        memory = self.memory
        if b'"tool_result"' in bytes(message.content):
            if memory.waiting:
                for item in decode(_items, message.content) or []:
                    if isinstance(item, _Item):
                        memory.waiting.pop(item.tool_use_id or "", None)
            return self._turn(entry, "busy", parallel=True)
        if entry.is_meta or entry.is_compact_summary:
            return []
        text = text_of(message.content)
        if text.startswith(_INTERRUPTED):
            memory.waiting = {}
            return self._turn(entry, "idle", "interrupted")
        if text.startswith(_LOCAL):
            return []
        if not entry.is_sidechain:
            memory.waiting = {}
        for answer in memory.answers:
            answer.prompted = True
        records: list[Record] = []
        if not memory.introduced and text:
            memory.introduced = True
            records.append(self._info(text))
        return [*records, *self._turn(entry, "busy")]

    def _turn(
        self, entry: _Line, status: Status, detail: str | None = None, *, parallel: bool = False
    ) -> list[Record]:
        memory = self.memory
        if entry.is_sidechain and memory.parent is None and status != "busy":
            # A sub-agent within its parent's transcript: its end does not end the parent's turn.
            status, detail = "busy", None
        if memory.waiting and status == "busy":
            status, detail = "waiting", next(iter(memory.waiting.values()))
        detail = shorten(detail, MAX_LABEL) if detail else None
        parallel = parallel and status == "busy"
        return [Turn(memory.session, memory.at, status, detail, parallel=parallel, in_order=True)]

    def _info(self, first_message: str | None = None) -> SessionInfo:
        memory = self.memory
        fields: dict[str, Any] = {}
        if first_message:
            fields = {"first_user_message": first_words(first_message), "persona": persona_of(first_message)}
        return SessionInfo(
            session=memory.session,
            runtime=RUNTIME,
            cwd=memory.cwd,
            parent=memory.parent,
            title=memory.title,
            version=memory.version,
            **fields,
        )


def _figures(used: _Figures) -> list[int]:
    """Return input, output, what was read from the cache, what was written into it, and of that for an hour."""
    parts = used.cache_creation or _CacheCreation()
    hour = count(parts.ephemeral_1h_input_tokens)
    return [
        count(used.input_tokens),
        count(used.output_tokens),
        count(used.cache_read_input_tokens),
        max(count(used.cache_creation_input_tokens), hour + count(parts.ephemeral_5m_input_tokens)),
        hour,
    ]
