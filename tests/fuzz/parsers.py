"""The parsers of foreign input, each as a function of bytes: whatever they are, it returns or refuses as documented."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from missioncontrol.client import wire
from missioncontrol.client.items import Unreachable
from missioncontrol.client.sse import SseParser
from missioncontrol.config import load_config
from missioncontrol.errors import BadMessage, BadTelemetry, ConfigError, InputError, TooDeep, TooLarge
from missioncontrol.events import Cursor, Patterns, Record, decode_drafts, encode_data, rfc3339
from missioncontrol.events.event import write_body
from missioncontrol.events.hosts import told_at_home, told_to_fleet
from missioncontrol.fleet.lead_file import changed as lead_changed
from missioncontrol.fleet.lead_file import laid_over, read_leads
from missioncontrol.fleet.profile import Known, compose, parse_state, shorten
from missioncontrol.fleet.sentry import read_report
from missioncontrol.fleet.soul import parse_soul
from missioncontrol.fleet.tasks.document import ArrayEdits, Edit, Edits
from missioncontrol.fleet.tasks.markdown import write_markdown
from missioncontrol.fleet.tasks.reading import read_queue, read_table
from missioncontrol.fleet.telemetry import Receiver
from missioncontrol.fleet.usage.ledger import UsageLedger, moment
from missioncontrol.fleet.usage.lines import use_of
from missioncontrol.fleet.usage.sessions import Owners
from missioncontrol.protocol.messages import decode_message, message_ref, since_in
from missioncontrol.runtimes.base import Place
from missioncontrol.runtimes.base import Transcript as FoundTranscript
from missioncontrol.runtimes.claude import hooks as claude_hooks
from missioncontrol.runtimes.claude import settings as claude_settings
from missioncontrol.runtimes.claude.processes import ProcessFile
from missioncontrol.runtimes.claude.transcript import ClaudeParser
from missioncontrol.runtimes.claude.transcript import Memory as ClaudeMemory
from missioncontrol.runtimes.codex import settings as codex_settings
from missioncontrol.runtimes.codex.messages import CodexMessageParser
from missioncontrol.runtimes.codex.transcript import CodexParser
from missioncontrol.runtimes.codex.transcript import Memory as CodexMemory
from missioncontrol.runtimes.lines import BrokenLineError, Parser
from missioncontrol.runtimes.messages import Memory as MessageMemory
from missioncontrol.runtimes.messages import MessageParser
from missioncontrol.runtimes.openclaw.places import configured_workspaces, gateway_address, roster
from missioncontrol.runtimes.openclaw.session_index import read_index
from missioncontrol.runtimes.openclaw.transcript import Memory as OpenClawMemory
from missioncontrol.runtimes.openclaw.transcript import OpenClawParser
from missioncontrol.runtimes.otel.signals import Kind, decode
from missioncontrol.runtimes.records import Record as Said
from missioncontrol.runtimes.records import UnreadableError
from missioncontrol.search.query import parse_query
from missioncontrol.state import FleetState
from missioncontrol.threads import OwnerThread
from tests.fuzz import samples
from tests.fuzz.mutation import Mutator, dumps

NOW = 1_795_946_400_000
"""The time that it is for what is entered: near to that of the samples."""


@dataclass(frozen=True)
class Target:
    """A parser. `run` raises nothing but what is in `refusals`; `samples` are good input, trees or bytes."""

    name: str
    run: Callable[[bytes], object]
    samples: Sequence[Any]
    refusals: tuple[type[Exception], ...] = ()

    def draw(self, mutator: Mutator) -> bytes:
        """Return an input that is nearly good."""
        sample = mutator.chance.choice(self.samples)
        if isinstance(sample, bytes):
            return mutator.text(sample)
        return mutator.document(sample)

    def __call__(self, data: bytes) -> None:
        """Run the parser; a documented refusal is as good as an answer."""
        try:
            self.run(data)
        except self.refusals as error:
            # A refusal is shown to people.
            assert str(error)


def _lines(make: Callable[[], Parser]) -> Callable[[bytes], None]:
    """Read a transcript line by line, and enter what it tells into the ledger."""

    def run(data: bytes) -> None:
        parser = make()
        told: list[Said] = []
        for line in data.split(b"\n"):
            try:
                told += parser.parse(line)
            except BrokenLineError:
                continue
        enter(told)

    return run


def enter(told: Sequence[Said]) -> None:
    """Enter what was said into a ledger, and do with its page what the source of tokens does."""
    ledger = UsageLedger(Owners(Path("/work"), {}, {}))
    ledger.take(told, NOW)
    page, changes = ledger.take_batch()
    state = FleetState()
    records: list[Record] = []
    for agent, uses in page.agents().items():
        data = {"agent": agent, "tokens": 0, "cost": 0, "delta": {"uses": [use_of(*use) for use in uses]}}
        records.append(_record(len(records) + 1, "token:usage", data))
        assert all(b"null" not in msgspec.json.encode(use_of(*use)["cost"]) for use in uses), (
            "a cost is no number"
        )
    for at, _ in page.activity.values():
        moment(at)
    for doing in ledger.doings(NOW, alive={}).values():
        rfc3339(doing.at)
    state.apply(records)
    state.encoded()
    again = UsageLedger(Owners(Path("/work"), {}, {}))
    again.recall({key: kept for key, kept in changes.items() if kept is not None}, 0)


def _record(id_: int, type_: str, data: dict[str, Any]) -> Record:
    text = msgspec.json.encode(data)
    return Record(id_, type_, NOW, write_body(type_, id_, NOW, b'"fuzz"', text), msgspec.json.decode(text))


def _in_a_file(read: Callable[[Path], object], name: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            read(path)

    return run


def _openclaw_config(path: Path) -> None:
    place = Place("openclaw", path.parent, ())
    for read in (roster, configured_workspaces, gateway_address):
        try:
            read(place)
        except UnreadableError as error:
            assert str(error)
            assert "secret" not in str(error)


def _hook(data: bytes) -> None:
    hook = claude_hooks.read(data, NOW)
    enter(hook.records)
    if hook.asked is not None:
        msgspec.json.encode(hook.asked)


def _export(kind: Kind, encoding: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        signals = decode(kind, encoding, data)  # type: ignore[arg-type]
        told: list[Said] = []

        async def take(records: Sequence[Said]) -> None:
            told.extend(records)

        receiver = Receiver(take, lambda runtime: False)
        asyncio.run(receiver.take(kind, signals))
        msgspec.json.encode(receiver.senders())
        enter(told)

    return run


def as_protobuf(kind: Kind, tree: dict[str, Any]) -> bytes:
    from google.protobuf import json_format

    from missioncontrol.runtimes.otel.signals import _request

    message = _request(kind)
    json_format.ParseDict(tree, message, ignore_unknown_fields=True)
    packed: bytes = message.SerializeToString()
    return packed


def _drafts(data: bytes) -> None:
    for draft in decode_drafts(data):
        text = encode_data(draft)
        told = told_to_fleet(draft.type, draft.data, "alpha", ("alpha",))
        told_at_home(draft.type, told, "alpha", "alpha")
        assert len(text) < 1 << 20


def _fold(data: bytes) -> None:
    """Fold whatever a log may contain: each event alone, and all after each other."""
    try:
        events = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    state = FleetState()
    for id_, event in enumerate(events if isinstance(events, list) else [events], 1):
        if (
            isinstance(event, dict)
            and isinstance(event.get("type"), str)
            and isinstance(event.get("data"), dict)
        ):
            try:
                record = _record(id_, event["type"], event["data"])
            except (RecursionError, UnicodeEncodeError):
                continue
            state.apply([record])
    FleetState.load(state.dump())
    state.snapshot()


def _message(data: bytes) -> None:
    message_ref(data)
    since_in(data)
    decode_message(data)


def _state(data: bytes) -> None:
    told, _ = shorten(parse_state(data))
    msgspec.json.encode(compose("scout", Known(state=told, confirmed="2026-11-29T10:00:00.000Z")))


def _soul(data: bytes) -> None:
    msgspec.json.encode(compose("scout", Known(soul=parse_soul(data))))


def _leads(data: bytes) -> None:
    found = read_leads(data)
    good = read_leads(dumps(samples.LEADS))
    for id_, lead in laid_over(found.leads, good.leads).items():
        msgspec.json.encode(lead_changed(good.leads.get(id_, lead), lead))


def _queue(data: bytes) -> None:
    copy = read_queue(data)
    assert copy.document is not None
    edits = Edits(
        ArrayEdits(added=[{"id": "NEW-1", "description": "é"}]), next_id=7, updated="2026-11-29T11:00:00Z"
    )
    if copy.document.takes_history:
        edits.history.added.append({"id": "OLD-1", "status": "completed", "archived": "2026-11-29T11:00:00Z"})
    for entry in copy.entries[:2]:
        edits.tasks.changed[entry.place] = Edit({"status": "review", "new": [1]}, ("priority",))
    after = read_queue(copy.document.edited(edits))
    assert any(entry.id == "NEW-1" for entry in after.entries)
    assert len(after.odd) == len(copy.odd)
    assert (after.history.find("OLD-1") is not None) == copy.document.takes_history


def _table(data: bytes) -> None:
    copy = read_table(data)
    written = write_markdown([entry.task for entry in copy.entries], list(copy.history), "now")
    read_table(written.encode())


def _report(data: bytes) -> None:
    msgspec.json.encode(read_report(data))


def _claude_settings(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    wanted = claude_settings.Wanted("http://127.0.0.1:3001")
    connected = claude_settings.connected(text, wanted)
    assert claude_settings.connected(connected, wanted) == connected
    assert claude_settings.connected_to(connected) is not None
    claude_settings.obstacles(connected, wanted)
    assert claude_settings.connected_to(claude_settings.disconnected(connected)) is None


def _codex_settings(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    connected = codex_settings.connected(text, "http://127.0.0.1:3001")
    assert codex_settings.connected_to(connected) == "http://127.0.0.1:3001"
    assert codex_settings.connected(connected, "http://127.0.0.1:3001") == connected
    codex_settings.disconnected(connected)


def _sse(data: bytes) -> None:
    whole, pieces = SseParser(), SseParser()
    found = whole.feed(data)
    assert found == [one for at in range(0, len(data), 7) for one in pieces.feed(data[at : at + 7])]
    for message in found:
        try:
            wire.read_sse(message)
        except Unreachable:
            continue


def _text(run: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: run(data.decode("utf-8", "replace"))


_REFUSED = (BadTelemetry, TooDeep, TooLarge)


def _exports(kind: Kind) -> list[Target]:
    trees = samples.EXPORTS[kind]
    return [
        Target(f"otlp-{kind}-json", _export(kind, "json"), trees, _REFUSED),
        Target(
            f"otlp-{kind}-protobuf",
            _export(kind, "protobuf"),
            [as_protobuf(kind, tree) for tree in trees],
            _REFUSED,
        ),
    ]


def _claude_process(path: Path) -> None:
    reader = ProcessFile(FoundTranscript(path, "claude-process"), OwnerThread("fuzz"))
    enter(reader.read(None)[0])
    assert reader.is_over() in (True, False, None)


def _ndjson(lines: Sequence[Any]) -> bytes:
    return b"\n".join(dumps(line) for line in lines) + b"\n"


def _transcript(name: str, lines: list[dict[str, Any]], make: Callable[[], Parser]) -> Target:
    return Target(name, _lines(make), [*lines, *lines, _ndjson(lines)])


def _messages(runtime: str, lines: list[dict[str, Any]]) -> Target:
    make = CodexMessageParser if runtime == "codex" else MessageParser
    return _transcript(f"messages-{runtime}", lines, lambda: make(MessageMemory(session="s"), since=0))


def targets() -> list[Target]:
    """Return all parsers, with what they read."""
    openclaw = samples.openclaw_lines()
    unreadable = (UnreadableError, FileNotFoundError)
    return [
        _transcript("claude", samples.CLAUDE_LINES, lambda: ClaudeParser(ClaudeMemory(session="s"))),
        Target(
            "claude-process",
            _in_a_file(_claude_process, "1.json"),
            [samples.CLAUDE_PROCESS],
            unreadable,
        ),
        _transcript("codex", samples.CODEX_LINES, lambda: CodexParser(CodexMemory(session="s"))),
        _transcript("openclaw", openclaw, lambda: OpenClawParser("a", OpenClawMemory(session="s"))),
        _messages("claude", samples.CLAUDE_LINES),
        _messages("codex", samples.CODEX_LINES),
        _messages("openclaw", openclaw),
        Target(
            "openclaw-index",
            _in_a_file(lambda path: enter(read_index(path, "scout")), "sessions.json"),
            [samples.SESSIONS_INDEX],
            unreadable,
        ),
        Target(
            "openclaw-config",
            _in_a_file(_openclaw_config, "openclaw.json"),
            [samples.OPENCLAW_CONFIG, samples.OPENCLAW_CONFIG_TEXT],
        ),
        Target("claude-hook", _hook, samples.HOOKS, (BadMessage, TooDeep)),
        *_exports("logs"),
        *_exports("traces"),
        *_exports("metrics"),
        Target("events", _drafts, [samples.EVENTS, *samples.EVENTS, _ndjson(samples.EVENTS)], (InputError,)),
        Target("fold", _fold, [samples.EVENTS, *samples.EVENTS]),
        Target("websocket-message", _message, samples.CLIENT_MESSAGES, (InputError,)),
        Target("cursor", _text(Cursor.parse), [b"abcdefghij:4711"], (InputError,)),
        Target("patterns", _text(Patterns.parse), [b"task:*,agent,custom:a"], (InputError,)),
        Target(
            "search-query", _text(parse_query), [b'a "b c" -d agent:scout -type:task:* host:x'], (InputError,)
        ),
        Target("agent-state", _state, [samples.STATE], (ValueError,)),
        Target("agent-soul", _soul, [samples.SOUL], (UnicodeDecodeError,)),
        Target("leads", _leads, [samples.LEADS], (ValueError,)),
        Target("sentry", _report, [samples.SENTRY], (ValueError,)),
        Target(
            "task-queue", _queue, [samples.QUEUE, json.dumps(samples.QUEUE, indent=2).encode()], (ValueError,)
        ),
        Target("task-table", _table, [samples.QUEUE_TABLE], (ValueError,)),
        Target(
            "claude-settings",
            _claude_settings,
            [samples.CLAUDE_SETTINGS, json.dumps(samples.CLAUDE_SETTINGS, indent=2).encode()],
            (ConfigError,),
        ),
        Target("codex-settings", _codex_settings, [samples.CODEX_SETTINGS], (ConfigError,)),
        Target(
            "server-settings",
            _in_a_file(load_config, "config.toml"),
            [samples.SERVER_SETTINGS],
            (ConfigError,),
        ),
        Target(
            "event-stream", _sse, [b'id: a:1\nevent: gap\ndata: {"from":1}\n\ndata: {"a":1}\ndata: x\n\n']
        ),
    ]
