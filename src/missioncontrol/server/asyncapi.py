"""The AsyncAPI 3.0 document of the WebSocket, made from the Structs that the server itself reads and writes.

It is written from the server's side: what a client sends is received, what the server sends is sent.
"""

from __future__ import annotations

from typing import Any

import msgspec

from missioncontrol.events import CATALOGUE
from missioncontrol.events.shapes import RESERVED_PREFIXES, RESERVED_TYPES
from missioncontrol.protocol.codes import CloseCode, GapReason
from missioncontrol.protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from missioncontrol.server.access import BEARER_SUBPROTOCOL, SUBPROTOCOL

REF = "#/components/schemas/{name}"

Object = dict[str, Any]

_AT = "2026-11-23T10:15:00.123Z"

_NOTIFICATION: Object = {
    "rule": "ops",
    "destination": "ntfys://ntfy.example.com/...",
    "title": "Critical alert",
    "body": "The disk is 96% full.",
    "count": 1,
    "eventIds": [4711],
}

EXAMPLES: dict[str, Object] = {
    "agent:statusChange": {
        "agentId": "scout",
        "status": "busy",
        "previousStatus": "idle",
        "lastActive": _AT,
        "stats": {"tasksCompleted": 12},
    },
    "agent:activity": {"agentId": "scout", "fileCount": 3, "lastActivity": _AT, "activity": "write notes.md"},
    "agent:updated": {"agentId": "scout", "updates": {"currentTask": "TASK-0042"}},
    "agent:removed": {"agentId": "scout"},
    "task:created": {"task": {"id": "TASK-0042", "description": "Read the report", "status": "pending"}},
    "task:updated": {"taskId": "TASK-0042", "updates": {"priority": "P1"}},
    "task:completed": {"taskId": "TASK-0042", "result": "Done."},
    "task:assigned": {"taskId": "TASK-0042", "agentId": "scout", "assignedBy": "nexus"},
    "task:deleted": {"taskId": "TASK-0042"},
    "lead:added": {"lead": {"id": "L-7", "name": "Acme", "score": 60}},
    "lead:updated": {"leadId": "L-7", "updates": {"stage": "contacted"}},
    "lead:scored": {"leadId": "L-7", "score": 85, "factors": {"funding": 30}, "previousScore": 60},
    "lead:removed": {"leadId": "L-7"},
    "token:usage": {
        "agent": "scout",
        "tokens": 15000,
        "cost": 0.45,
        "session": {"id": "9ee5c62a", "runtime": "openclaw", "sessions": 3},
        "delta": {
            "tokens": 500,
            "cost": 0.015,
            "uses": [
                {
                    "session": "9ee5c62a",
                    "runtime": "openclaw",
                    "model": "claude-sonnet-4-5",
                    "day": "2026-11-23",
                    "tokens": 500,
                    "input": 120,
                    "output": 80,
                    "cacheRead": 300,
                    "cacheWrite": 0,
                    "calls": 1,
                    "cost": 0.015,
                    "costSource": "transcript",
                }
            ],
        },
    },
    "token:threshold": {
        "agent": "scout",
        "currentCost": 9.5,
        "threshold": 10.0,
        "percentUsed": 95.0,
        "alert": "warning",
        "period": "2026-11-23",
        "scope": "agent",
    },
    "question:asked": {
        "question": {
            "id": "Q-7K3M9PXA",
            "kind": "question",
            "text": "Deploy to production?",
            "options": ["yes", "no"],
            "agentId": "scout",
            "askedAt": _AT,
        }
    },
    "question:answered": {"questionId": "Q-7K3M9PXA", "answer": "yes", "answeredBy": "anna"},
    "question:closed": {"questionId": "Q-7K3M9PXA", "reason": "expired"},
    "notification:started": {"rules": ["ops"], "destinations": ["ntfys://ntfy.example.com/..."]},
    "notification:sent": {**_NOTIFICATION, "attempts": 1},
    "notification:failed": {
        **_NOTIFICATION,
        "attempts": 10,
        "error": "There was no answer within 30 seconds.",
    },
    "standup:held": {
        "standup": {
            "id": "S-7K3M9PXA",
            "trigger": "schedule",
            "from": {"time": "2026-11-22T09:00:00.000Z", "cursor": "k7q2m9x4:4100"},
            "to": {"time": "2026-11-23T09:00:00.000Z", "cursor": "k7q2m9x4:4710"},
            "since": "2026-11-22T09:00:00.000Z",
            "complete": True,
            "agents": [
                {
                    "id": "scout",
                    "name": "Scout",
                    "status": "busy",
                    "completed": {
                        "count": 1,
                        "newest": [{"id": "TASK-0042", "description": "Read the report"}],
                    },
                    "tokens": 15000,
                    "cost": 0.45,
                }
            ],
            "totals": {"completed": 1, "tokens": 15000, "cost": 0.45},
            "alerts": [],
        }
    },
    "system:alert": {"level": "warning", "message": "Memory is short.", "details": {"memory": "85%"}},
    "system:status": {
        "status": "running",
        "previousStatus": "stopped",
        "details": {"gatewayVersion": "1.2.3"},
    },
    "file:change": {
        "action": "created",
        "path": "agents/scout/report.md",
        "agentId": "scout",
        "size": 2048,
        "extension": ".md",
    },
    "state:baseline": {"source": "agents", "agents": [{"id": "scout", "name": "Scout", "status": "idle"}]},
}
"""The `data` of one event of each type, but for its `timestamp`."""


def example_event(type_: str, id_: int = 4711) -> Object:
    """Return an event of a type of the catalogue, as it stands on the wire."""
    return {
        "type": type_,
        "id": id_,
        "time": _AT,
        "source": type_.partition(":")[0] + "s",
        "by": type_.partition(":")[0] + "s",
        "data": {**EXAMPLES[type_], "timestamp": _AT},
    }


def build_asyncapi(version: str) -> Object:
    """Make the document.

    Args:
        version: of Mission Control.
    """
    data_types = [type_ for type_ in SERVER_MESSAGES.values() if isinstance(type_, type)]
    wanted = [*CLIENT_MESSAGES, *data_types, *CATALOGUE.values()]
    _, schemas = msgspec.json.schema_components(wanted, ref_template=REF)
    received = {f"client.{_tag(message)}": _client_message(message) for message in CLIENT_MESSAGES}
    sent = {f"server.{_key(type_)}": _server_message(type_, data) for type_, data in SERVER_MESSAGES.items()}
    events = {f"event.{_key(type_)}": _event_message(type_, shape) for type_, shape in CATALOGUE.items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Mission Control",
            "version": version,
            "description": (
                "One durable event log, live. A client that keeps its cursor sees every event of its subscription "
                "exactly once and in order; where that is impossible it is told by `gap`. Events of types that are "
                "not listed here are carried like any other. Data of those that are is checked when it is published: "
                "a field must have the type of its schema, a required one must be there, and every other one that is "
                "missing is null. Data is nested at most 64 levels deep. "
                f"{', '.join(f'`{prefix}*`' for prefix in RESERVED_PREFIXES)} and "
                f"{', '.join(f'`{type_}`' for type_ in sorted(RESERVED_TYPES))} are published by the server alone, "
                "in whatever case they are written."
            ),
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"local": {"host": "localhost:3002", "protocol": "ws"}},
        "channels": {
            "live": {
                "address": "/api/ws",
                "title": "The WebSocket",
                "description": _channel_description(),
                "messages": {
                    key: {"$ref": f"#/components/messages/{key}"} for key in [*received, *sent, *events]
                },
                "bindings": {"ws": _handshake_binding()},
            }
        },
        "operations": {
            "fromClient": _operation("receive", "What a client may send.", received),
            "toClient": _operation("send", "What the server says.", sent),
            "events": _operation("send", "The events of the log.", events),
        },
        "components": {"messages": {**received, **sent, **events}, "schemas": schemas},
    }


def _tag(message: type[msgspec.Struct]) -> str:
    return str(message.__struct_config__.tag)


def _key(type_: str) -> str:
    """Turn a type into a key: those of AsyncAPI have no colon."""
    return type_.replace(":", ".")


def _client_message(message: type[msgspec.Struct]) -> Object:
    return {
        "name": _tag(message),
        "title": _tag(message),
        "summary": _first_line(message),
        "payload": {"$ref": REF.format(name=message.__name__)},
    }


def _server_message(type_: str, data: Any) -> Object:
    return {
        "name": type_,
        "title": type_,
        "summary": _first_line(data) if isinstance(data, type) else "The newest events, newest first.",
        "payload": {
            "type": "object",
            "required": ["type", "data"],
            "properties": {
                "type": {"const": type_},
                "data": {"$ref": REF.format(name=data.__name__)}
                if isinstance(data, type)
                else {"type": "array", "items": {"type": "object"}},
                "ref": {"description": "The `ref` of the request that this answers."},
            },
        },
    }


def _event_message(type_: str, shape: type[msgspec.Struct]) -> Object:
    return {
        "name": type_,
        "title": type_,
        "summary": _first_line(shape),
        "payload": {
            "type": "object",
            "required": ["type", "id", "time", "source", "data"],
            "properties": {
                "type": {"const": type_},
                "id": {"type": "integer", "minimum": 1, "description": "The position in the log."},
                "time": {"type": "string", "format": "date-time"},
                "source": {"type": "string"},
                "by": {
                    "type": "string",
                    "description": "Who has published it; logs of earlier releases have none.",
                },
                "traceparent": {"type": "string"},
                "data": {"$ref": REF.format(name=shape.__name__)},
            },
        },
        "examples": [{"name": type_, "payload": example_event(type_)}],
    }


def _first_line(of: type) -> str:
    return (of.__doc__ or "").partition("\n")[0]


def _operation(action: str, summary: str, messages: Object) -> Object:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/live"},
        "messages": [{"$ref": f"#/channels/live/messages/{key}"} for key in messages],
    }


def _handshake_binding() -> Object:
    return {
        "method": "GET",
        "bindingVersion": "0.1.0",
        "query": {
            "type": "object",
            "properties": {
                "events": {
                    "type": "string",
                    "description": "Patterns, separated by commas; without it, all.",
                },
                "since": {"type": "string", "description": "The cursor up to which everything was seen."},
                "snapshot": {"type": "string", "enum": ["0", "1", "true", "false"]},
            },
        },
        "headers": {
            "type": "object",
            "properties": {
                "Authorization": {"type": "string", "description": "`Bearer TOKEN`, where one is needed."},
                "Sec-WebSocket-Protocol": {
                    "type": "string",
                    "description": f"`{SUBPROTOCOL}`, and from a browser that needs a token next to it "
                    f"`{BEARER_SUBPROTOCOL}` with the base64url form of it.",
                },
            },
        },
    }


def _channel_description() -> str:
    codes = ", ".join(f"{code.value} {code.name.lower().replace('_', ' ')}" for code in CloseCode)
    reasons = ", ".join(reason.value for reason in GapReason)
    return f"JSON text frames. Close codes: {codes}. Reasons of a gap: {reasons}."
