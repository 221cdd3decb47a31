"""OpenClaw's transcripts: lines of JSONL (version 3), and the same events in its databases (version 4).

A response is known by its entry's id and time. The session is left out on purpose: a session that is forked from
another, a checkpoint, an archive and the import of old files into a database all repeat entries as they were.
"""

from __future__ import annotations

import msgspec

from missioncontrol.runtimes.calls import ASKING, tool_call
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

RUNTIME = "openclaw"

RUN_STATUSES: dict[str, tuple[Status, str | None]] = {
    "running": ("busy", None),
    "done": ("idle", None),
    "killed": ("idle", "aborted"),
    "failed": ("error", None),
    "timeout": ("error", "timeout"),
}
"""What OpenClaw notes of a session's last run, as the status of a turn with its detail."""

_ENDED = frozenset({"stop", "length", "end_turn", "max_tokens"})
CLI_BACKENDS = {"claude-cli": "claude", "codex-cli": "codex"}
"""Providers that are other programs on the same machine, and whose: their own transcripts have the same use."""

_SUBSCRIPTIONS = frozenset(
    {"openai-codex", "google-gemini-cli", "github-copilot", "qwen-portal", "minimax-portal"}
)
"""Providers that are signed in to with an account, and paid by a subscription."""

_INJECTED = "openclaw"
"""The provider of messages that no model wrote: what the gateway itself puts into a transcript."""

_MAX_OPEN = 4
_ABSENT = msgspec.Raw(b"")


class Memory(msgspec.Struct, tag="openclaw", omit_defaults=True):
    """The state that is kept between two lines; `waiting` are calls that wait for a person's answer."""

    session: str = ""
    at: int = 0
    cwd: str | None = None
    version: str | None = None
    title: str | None = None
    provider: str | None = None
    model: str = ""
    introduced: bool = False
    waiting: dict[str, str] = {}


class _Cost(msgspec.Struct):
    total: Number = None


class _Usage(msgspec.Struct, rename="camel"):
    input: Number = None
    output: Number = None
    cache_read: Number = None
    cache_write: Number = None
    cost: _Cost | int | float | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = _ABSENT


class _Abort(msgspec.Struct):
    aborted: bool | None = None


class _Message(msgspec.Struct, rename="camel"):
    role: str | None = None
    content: msgspec.Raw = _ABSENT
    provider: str | None = None
    model: str | None = None
    usage: _Usage | None = None
    stop_reason: str | None = None
    error_message: str | None = None
    tool_call_id: str | None = None
    timestamp: Time = None
    openclaw_abort: _Abort | None = None


class _Entry(msgspec.Struct, rename="camel"):
    type: str | None = None
    id: str | None = None
    timestamp: Time = None
    version: str | int | None = None
    cwd: str | None = None
    name: str | None = None
    provider: str | None = None
    model_id: str | None = None
    usage: _Usage | None = None
    message: _Message | None = None


_entries = msgspec.json.Decoder(_Entry)
_items = msgspec.json.Decoder(list[_Item | str])


class OpenClawParser:
    """Reads the entries of one session."""

    def __init__(self, agent: str | None, memory: Memory) -> None:
        """Prepare.

        Args:
            agent: the name of the folder that the session lies in.
            memory: where the last reading ended; `session` is set, in case the transcript does not name itself.
        """
        self.memory = memory
        self._agent = agent

    def parse(self, line: bytes | str) -> list[Record]:
        """Return the records of an entry.

        Raises:
            BrokenLineError: it is not JSON.
        """
        entry = decode(_entries, line)
        if entry is None:
            return []
        memory = self.memory
        memory.at = self._time(entry) or memory.at
        match entry.type:
            case "message" if entry.message is not None:
                return self._message(entry, entry.message)
            case "session":
                memory.session = fit(entry.id) or memory.session
                memory.cwd = fit(entry.cwd, MAX_PATH)
                memory.version = None if entry.version is None else str(entry.version)
                return [self._info()]
            case "model_change":
                memory.model, memory.provider = fit(entry.model_id) or memory.model, fit(entry.provider)
            case "session_info" if entry.name:
                memory.title = shorten(entry.name, MAX_LABEL)
                return [self._info()]
            case "compaction" | "branch_summary" if entry.usage is not None:
                return [self._usage(entry, entry.usage, memory.model, memory.provider)]
            case "reset":
                memory.waiting = {}
                return [Turn(memory.session, memory.at, "idle", in_order=True)]
        return []

    def _message(self, entry: _Entry, message: _Message) -> list[Record]:
        memory = self.memory
        match message.role:
            case "assistant":
                return self._answer(entry, message)
            case "user":
                memory.waiting = {}
                records: list[Record] = []
                if not memory.introduced and (text := text_of(message.content)):
                    memory.introduced = True
                    records.append(self._info(text))
                return [*records, self._turn("busy")]
            case "toolResult":
                memory.waiting.pop(message.tool_call_id or "", None)
                used = message.usage
                cost = [] if used is None else [self._usage(entry, used, memory.model, memory.provider)]
                return [*cost, self._turn("busy")]
        return []

    def _answer(self, entry: _Entry, message: _Message) -> list[Record]:
        memory = self.memory
        aborted = message.stop_reason == "aborted" or (
            message.openclaw_abort is not None and message.openclaw_abort.aborted is True
        )
        used = message.usage
        if message.provider == _INJECTED:
            if not aborted and (used is None or not _tokens(used)):
                return []
        else:
            memory.model, memory.provider = fit(message.model) or memory.model, fit(message.provider)
        records: list[Record] = []
        if used is not None:
            usage = self._usage(entry, used, memory.model, memory.provider)
            failed = "aborted" if aborted else "error" if message.stop_reason == "error" else None
            records.append(msgspec.structs.replace(usage, failed=failed))
        if b'"toolCall"' in bytes(message.content):
            records += self._calls(message.content)
        if aborted:
            records.append(self._turn("idle", "aborted"))
        elif message.stop_reason == "error":
            records.append(self._turn("error", message.error_message))
        else:
            records.append(self._turn("idle" if message.stop_reason in _ENDED else "busy"))
        return records

    def _calls(self, content: bytes) -> list[Record]:
        memory = self.memory
        records: list[Record] = []
        for item in decode(_items, content) or []:
            if isinstance(item, str) or item.type != "toolCall" or not item.name:
                continue
            call = tool_call(memory.session, memory.at, item.id or "", item.name, item.arguments)
            records.append(call)
            if item.name in ASKING and len(memory.waiting) < _MAX_OPEN:
                memory.waiting[call.call_id] = item.name
        return records

    def _usage(self, entry: _Entry, used: _Usage, model: str, provider: str | None) -> Usage:
        memory = self.memory
        cost = used.cost.total if isinstance(used.cost, _Cost) else used.cost
        return Usage(
            key=f"{RUNTIME}:{entry.id or memory.session}:{memory.at}",
            runtime=RUNTIME,
            session=memory.session,
            at=memory.at,
            model=model,
            provider=provider,
            # The program's own transcript has the same use: of both the larger counts.
            voice="logs" if provider in CLI_BACKENDS else "transcript",
            subscription=provider in _SUBSCRIPTIONS,
            input=count(used.input),
            output=count(used.output),
            cache_read=count(used.cache_read),
            cache_write=count(used.cache_write),
            cost=dollars(cost),
        )

    def _turn(self, status: Status, detail: str | None = None) -> Turn:
        memory = self.memory
        if memory.waiting and status == "busy":
            status, detail = "waiting", next(iter(memory.waiting.values()))
        return Turn(memory.session, memory.at, status, detail and shorten(detail, MAX_LABEL), in_order=True)

    def _info(self, first_message: str | None = None) -> SessionInfo:
        memory = self.memory
        return SessionInfo(
            session=memory.session,
            runtime=RUNTIME,
            agent=self._agent,
            cwd=memory.cwd,
            title=memory.title,
            version=memory.version,
            first_user_message=first_message and first_words(first_message),
            persona=first_message and persona_of(first_message),
        )

    @staticmethod
    def _time(entry: _Entry) -> int:
        at = milliseconds(entry.timestamp)
        return at or (milliseconds(entry.message.timestamp) if entry.message is not None else 0)


def _tokens(used: _Usage) -> int:
    return count(used.input) + count(used.output) + count(used.cache_read) + count(used.cache_write)
