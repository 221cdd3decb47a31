"""The messages of the WebSocket protocol: one Struct each, from which the AsyncAPI document is made too.

All are JSON text frames. What a client sends names itself by `type` and has its fields next to it; what the
server sends is `{"type", "data"}`, with the request's `ref` next to them in a reply that was asked for with one.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from missioncontrol.errors import BadMessage, InputError
from missioncontrol.events import Cursor, Data
from missioncontrol.events.decoding import decode_json, read_float
from missioncontrol.events.limits import MAX_MESSAGE_DEPTH, check_json


class Subscribe(msgspec.Struct, tag="subscribe", tag_field="type"):
    """Receive these events too; the first one replaces the *everything* that a bare connection starts with.

    With `since` the connection's cursor moves there and what was missed comes first. With `snapshot` the whole
    state comes first where there is no `since`, or where its range is gone.
    """

    events: list[str] | str
    since: str | None = None
    snapshot: bool = False
    ref: Any = msgspec.UNSET


class Unsubscribe(msgspec.Struct, tag="unsubscribe", tag_field="type"):
    """No longer receive these events; `["*"]` clears all."""

    events: list[str] | str
    ref: Any = msgspec.UNSET


class GetHistory(msgspec.Struct, tag="getHistory", tag_field="type"):
    """Ask for the newest events, newest first, at most as many as the server's `max_history`."""

    limit: int = 50
    events: list[str] | str | None = None
    before: str | None = None
    ref: Any = msgspec.UNSET


class Publish(msgspec.Struct, tag="publish", tag_field="type"):
    """Append events: all or none; answered once they are durable."""

    events: list[Data]
    ref: Any = msgspec.UNSET


class Ping(msgspec.Struct, tag="ping", tag_field="type"):
    """Ask for a `pong`."""

    ref: Any = msgspec.UNSET


class Pong(msgspec.Struct, tag="pong", tag_field="type"):
    """Answer the server's `ping`; any other frame serves as well."""


ClientMessage = Subscribe | Unsubscribe | GetHistory | Publish | Ping | Pong

MAX_REF_BYTES = 4096
"""A longer `ref` is not repeated in the answer to a message that is not understood."""

CLIENT_MESSAGES: tuple[type[msgspec.Struct], ...] = (Subscribe, Unsubscribe, GetHistory, Publish, Ping, Pong)

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage, float_hook=read_float)
_tagged = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_message(text: bytes) -> ClientMessage:
    """Read one message from a client.

    Raises:
        BadMessage: it is not JSON, of an unknown type, or not of that type's shape.
        TooDeep: it has too many levels.
        TooLarge: it has too many elements.
    """
    check_json(text, "The message", depth=MAX_MESSAGE_DEPTH)
    try:
        return _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise BadMessage(f"The message is not of the expected shape: {error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"The message is not JSON: {error}.") from None


def message_ref(text: bytes) -> Any:
    """Find the `ref` of a message that is otherwise not understood; UNSET where there is none."""
    try:
        raw = _tagged.decode(text).get("ref")
        if raw is None or len(bytes(raw)) > MAX_REF_BYTES:
            return msgspec.UNSET
        return decode_json(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return msgspec.UNSET


def since_in(text: bytes) -> Cursor | None:
    """Find the cursor of a `subscribe`; None where there is none, or none that can be read."""
    try:
        message = decode_message(text)
        return Cursor.parse(message.since) if isinstance(message, Subscribe) and message.since else None
    except InputError:
        return None


class Connected(msgspec.Struct, rename="camel"):
    """The first message: who the client is to the server, and where the log stands. `heartbeat` in seconds."""

    client_id: str
    server_time: str
    epoch: str
    cursor: str
    heartbeat: float
    available_events: list[str]
    message: str


class Subscribed(msgspec.Struct):
    """All patterns now in force, and the cursor after which events follow.

    `recovered` says that everything since the given cursor follows without a gap.
    """

    events: list[str]
    cursor: str
    recovered: bool


class Unsubscribed(msgspec.Struct):
    """All patterns still in force."""

    events: list[str]


class Snapshot(msgspec.Struct):
    """The whole state, and the cursor it stands at."""

    state: dict[str, Any]
    cursor: str


class Gap(msgspec.Struct, omit_defaults=True):
    """The ids `from` to `to` can no longer be had; events go on after `cursor`."""

    from_: int = msgspec.field(name="from")
    to: int
    reason: Literal["trimmed", "epoch", "ahead"]
    cursor: str


class Heartbeat(msgspec.Struct):
    """With a `ping`: `cursor` is where the connection stands, so that a filtered client moves on too."""

    timestamp: str
    cursor: str


class Answer(msgspec.Struct):
    """With a `pong`: the server's time as RFC 3339, and as `time` in milliseconds since 1970."""

    timestamp: str
    time: int


class Published(msgspec.Struct):
    """The ids of the events, in the order given, and the cursor at the newest of them."""

    ids: list[int]
    cursor: str


class ClientCount(msgspec.Struct, rename="camel"):
    """How many clients are connected; told at most once a second, and not an event of the log."""

    client_count: int


class DrainNotice(msgspec.Struct, rename="camel"):
    """The server stops: come back after so many seconds, which differ from client to client."""

    reconnect_after: float


class ErrorData(msgspec.Struct):
    """What was wrong with a message, and what to change; `ref` is the message's own."""

    code: str
    message: str
    ref: Any = msgspec.UNSET


SERVER_MESSAGES: dict[str, Any] = {
    "connected": Connected,
    "subscribed": Subscribed,
    "unsubscribed": Unsubscribed,
    "snapshot": Snapshot,
    "gap": Gap,
    "ping": Heartbeat,
    "pong": Answer,
    "history": list[Any],
    "published": Published,
    "client:connected": ClientCount,
    "client:disconnected": ClientCount,
    "server:draining": DrainNotice,
    "error": ErrorData,
}
"""The `data` of each message from the server, by its type; there are also the log's own events."""

_encode = msgspec.json.Encoder().encode


class _Message(msgspec.Struct):
    type: str
    data: Any
    ref: Any = msgspec.UNSET


def encode_message(type_: str, data: Any, ref: Any = msgspec.UNSET) -> bytes:
    """Write one message from the server."""
    return _encode(_Message(type_, data, ref))
