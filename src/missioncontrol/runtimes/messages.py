"""The text of transcripts: messages of people, of models, and of the tools that models call.

A message is identified by its session and its key. Both stay the same if the file is read again or renamed: an entry
without an id is identified by its line number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeAlias

import msgspec

from missioncontrol.events.decoding import decode_json, read_float
from missioncontrol.redaction import LONGEST_SECRET
from missioncontrol.runtimes.lines import Time, decode, fit, milliseconds
from missioncontrol.runtimes.records import Message, Record, Role

MAX_SAID = 16_000
"""How many characters of a message of a person or a model are kept."""

MAX_DETAIL = 4_000
"""How many characters of a model's thoughts, of a call's arguments, and of a tool's result are kept."""

_NOT_SAID = (
    "<command-",
    "<local-command-",
    "<bash-",
    "<system-reminder",
    "<environment_context",
    "<user_inst",
)
"""How a user's message begins that the runtime itself has added."""

_JITTER_MS = 1_000
"""By how many milliseconds an entry may be earlier than the previous one before the clock counts as set back."""

MessagePart: TypeAlias = tuple[Role, str, str | None]
ABSENT = msgspec.Raw(b"")
_MAX_DEPTH = 4


class Memory(msgspec.Struct, tag="messages", omit_defaults=True):
    """The state that is kept between two lines.

    `last` is the time that the last message was given, `tools` has the names of the newest calls by their ids.
    """

    session: str = ""
    at: int = 0
    last: int = msgspec.field(default=0, name="told")
    line: int = 0
    tools: dict[str, str] = {}


class _Item(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    text: Any = None
    thinking: Any = None
    name: str | None = None
    input: Any = None
    arguments: Any = None
    tool_use_id: str | None = None
    content: Any = None


class _Message(msgspec.Struct, rename={"tool_call_id": "toolCallId", "tool_name": "toolName"}):
    role: str | None = None
    content: Any = None
    tool_call_id: str | None = None
    tool_name: str | None = None
    timestamp: Time = None


class Entry(msgspec.Struct, rename={"is_meta": "isMeta"}):
    """The fields of a line from which messages are read; `payload` is that of a rollout."""

    type: str | None = None
    id: str | None = None
    uuid: str | None = None
    timestamp: Time = None
    is_meta: bool | None = None
    message: msgspec.Raw = ABSENT
    payload: msgspec.Raw = ABSENT


_entries = msgspec.json.Decoder(Entry)
_messages = msgspec.json.Decoder(_Message, float_hook=read_float)
# Also what prepares `_Item` for `msgspec.convert`, before any thread needs it.
_items = msgspec.json.Decoder(_Item, float_hook=read_float)
_MAX_TOOLS = 32


class MessageParser:
    """Reads the messages in the lines of one session, of any runtime."""

    def __init__(self, memory: Memory, since: int = 0, redact: Callable[[str], str] = str) -> None:
        """Prepare.

        Args:
            memory: the state after the last line; `session` is set, in case the transcript does not name itself.
            since: messages before this time, in milliseconds since 1970, are skipped.
            redact: masks the secrets of a text; by default they stay.
        """
        self.memory = memory
        self._redact = redact
        self._since = since

    def parse(self, line: bytes | str) -> list[Record]:
        """Return the messages in a line.

        Raises:
            BrokenLineError: it is not JSON.
        """
        self.memory.line += 1
        entry = decode(_entries, line)
        if entry is None:
            return []
        self.memory.at = milliseconds(entry.timestamp) or self.memory.at
        if entry.type == "session" and entry.id:
            self.memory.session = fit(entry.id) or self.memory.session
            return []
        said = self.read_entry(entry)
        key = entry.uuid or entry.id or str(self.memory.line)
        records: list[Record] = []
        if 0 < self.memory.at < self._since:
            return records
        for place, (role, text, tool) in enumerate(said):
            text = text.strip()
            most = MAX_SAID if role in ("user", "assistant") else MAX_DETAIL
            if text or role == "call":
                cut = max(0, len(text) - most)
                at = self._time()
                # Masked before it is cut: the beginning of a secret cannot be recognized.
                shown = self._redact(text[: most + LONGEST_SECRET])[:most]
                records.append(Message(self.memory.session, f"{key}:{place}", at, role, shown, tool, cut))
        return records

    def _time(self) -> int:
        """Return a time for the next message: that of its entry, but later than the previous message."""
        at, last = self.memory.at, self.memory.last
        self.memory.last = last + 1 if last - _JITTER_MS < at <= last else at
        return self.memory.last

    def read_entry(self, entry: Entry) -> Iterator[MessagePart]:
        """Yield the messages of an entry: the role, the text, and the tool of a call or a result."""
        if not entry.message or entry.is_meta:
            return
        message = decode(_messages, entry.message)
        if message is None:
            return
        self.memory.at = milliseconds(entry.timestamp) or milliseconds(message.timestamp) or self.memory.at
        match message.role:
            case "user" | "assistant":
                yield from self.read_items(message.role, message.content)
            case "toolResult":
                yield (
                    "result",
                    text_of(message.content),
                    message.tool_name or self.tool_of(message.tool_call_id),
                )

    def read_items(self, role: Literal["user", "assistant"], content: Any) -> Iterator[MessagePart]:
        """Yield the messages in the items of a message's content."""
        for item in content if isinstance(content, list) else [{"type": "text", "text": content}]:
            if isinstance(item, str):
                item = {"type": "text", "text": item}
            try:
                part = msgspec.convert(item, _Item)
            except msgspec.ValidationError:
                continue
            match part.type:
                case "text" | "input_text" | "output_text" if isinstance(part.text, str):
                    if role == "assistant" or not part.text.lstrip().startswith(_NOT_SAID):
                        yield role, part.text, None
                case "thinking" if isinstance(part.thinking, str):
                    yield "thinking", part.thinking, None
                case "tool_use" | "toolCall" if part.name:
                    self.remember_call(part.id, part.name)
                    yield "call", written_arguments(part.input or part.arguments), part.name
                case "tool_result":
                    yield "result", text_of(part.content), self.tool_of(part.tool_use_id)

    def remember_call(self, id_: str | None, name: str) -> None:
        """Remember the tool of a call, for its result."""
        tools = self.memory.tools
        if id_:
            tools[id_] = name
        while len(tools) > _MAX_TOOLS:
            del tools[next(iter(tools))]

    def tool_of(self, call_id: str | None) -> str | None:
        """Return the tool of a call; None if it is not known."""
        return self.memory.tools.get(call_id or "")


def written_arguments(arguments: Any) -> str:
    """Write a call's arguments as lines of names and values."""
    if isinstance(arguments, str):
        text = arguments
        try:
            arguments = decode_json(text)
        except (ValueError, RecursionError):
            return text
    if not isinstance(arguments, dict):
        return "" if arguments is None else _value(arguments)
    if len(arguments) == 1:
        return _value(next(iter(arguments.values())))
    return "\n".join(f"{name}: {_value(value)}" for name, value in arguments.items())


def _value(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
        return " ".join(value)
    return msgspec.json.encode(value).decode("utf-8", "replace")


def text_of(content: Any, depth: int = _MAX_DEPTH) -> str:
    """Return the texts of a content, however they are wrapped."""
    if isinstance(content, str):
        return content
    if depth and isinstance(content, list):
        return "\n".join(filter(None, (text_of(part, depth - 1) for part in content)))
    if depth and isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or content.get("output"), depth - 1)
    return ""
