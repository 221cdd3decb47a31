"""An agent's record from its files: pure functions from bytes to records.

Each agent writes `state.json` in its own form: names with or without underscores, times as text or as numbers, a
status that is a word, a number or an object. Known forms are read, other fields are ignored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from missioncontrol.events import rfc3339
from missioncontrol.events.decoding import decode_json
from missioncontrol.fleet.agent_status import FileEvidence, RuntimeAgent, runtime_decides
from missioncontrol.fleet.layout import STATE_FILE
from missioncontrol.runtimes.lines import milliseconds
from missioncontrol.state import deeper_than, kind_of

MAX_FIELD_BYTES = 48 * 1024
"""How many bytes one of the fields with free content may have in an event, as JSON."""

MAX_FIELD_DEPTH = 50
MAX_TEXT = 300
_LAST_MOMENT = 253_402_300_799_999

_encode = msgspec.json.encode


class Known(msgspec.Struct, omit_defaults=True):
    """What is known about an agent, and stored: the last content of its files, and the last report of its runtime.

    `confirmed` is when `state.json` was last written. `reported` maps the name of a broken file to the fingerprint of
    the error that was reported. `identity` and `home_soul` are the `IDENTITY.md` and `SOUL.md` of the agent's own
    workspace. `folder` is whether its folder exists, `lost` whether it existed earlier but no longer does.
    """

    state: dict[str, Any] | None = None
    soul: dict[str, Any] | None = None
    identity: dict[str, Any] | None = None
    home_soul: dict[str, Any] | None = None
    previous: str | None = None
    confirmed: str | None = None
    reported: dict[str, str] = msgspec.field(default_factory=dict, name="told")
    runtime: RuntimeAgent | None = None
    folder: bool = False
    lost: bool = False


def parse_state(data: bytes) -> dict[str, Any]:
    """Parse `state.json`; the result has the field names of an agent's record.

    Raises:
        ValueError: it is not a JSON object; the message has the reason, in a few words.
    """
    text = data.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise ValueError("it is empty")
    try:
        tree = decode_json(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start})") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(tree, dict):
        raise ValueError(f"it holds {_name_of(tree)} instead of an object")
    fields = {
        "status": _status(_first(tree, ("status", "state", "current_status", "currentStatus"))),
        "name": _text(_first(tree, ("name", "agentName", "agent_name"))),
        "role": _text(tree.get("role")),
        "codename": _text(_first(tree, ("codename", "codeName", "code_name"))),
        "division": _text(tree.get("division")),
        "specialties": _texts(_first(tree, ("specialties", "specialities"))),
        "lastActive": _time(
            _first(
                tree, ("lastActive", "last_active", "lastUpdated", "last_updated", "updatedAt", "updated_at")
            )
        ),
        "stats": _if(dict, _first(tree, ("stats", "statistics"))),
        "activeProjects": _if(list, _first(tree, ("active_projects", "activeProjects", "projects"))),
        "currentTask": _task(_first(tree, ("current_task", "currentTask", "task"))),
    }
    return {field: value for field, value in fields.items() if value is not None}


def shorten(fields: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the fields that are not too large or too deep to be sent, and the names of the others."""
    large = [field for field, value in fields.items() if not _fits(value)]
    return {field: value for field, value in fields.items() if field not in large}, large


def compose(id_: str, known: Known) -> dict[str, Any]:
    """Return the agent's record: the identity from `SOUL.md`, the status from `state.json` and its runtime.

    Of the two statuses the newer one counts. Fields that `SOUL.md` lacks are taken from the files in the agent's own
    workspace.
    """
    soul = {**(known.home_soul or {}), **(known.identity or {}), **(known.soul or {})}
    state, runtime = known.state or {}, known.runtime
    record = {
        "id": id_,
        "name": soul.get("name") or state.get("name") or (runtime.name if runtime else id_),
        "role": soul.get("role") or state.get("role"),
        "codename": soul.get("codename") or state.get("codename"),
        "division": soul.get("division") or state.get("division"),
        "specialties": soul.get("specialties") or state.get("specialties") or [],
        **_doing(known),
        "previousStatus": known.previous,
        "lastActive": state.get("lastActive"),
        "stats": state.get("stats", {}),
        "activeProjects": state.get("activeProjects", []),
        "currentTask": state.get("currentTask"),
    }
    if runtime is not None:
        record |= {"runtime": runtime.runtime, "model": runtime.model, "statusDetail": runtime.detail}
        record["lastActive"] = record["lastActive"] or rfc3339(runtime.at).decode()
    return record


def _doing(known: Known) -> dict[str, Any]:
    """Return the status, its kind, its source, and when it was last confirmed."""
    state, runtime = known.state or {}, known.runtime
    written = None if known.confirmed is None else milliseconds(known.confirmed)
    if runtime is not None and runtime_decides(FileEvidence(state.get("status"), written), runtime):
        status, source, confirmed = runtime.status, runtime.evidence, rfc3339(runtime.at).decode()
        return {"status": status, "kind": kind_of(status), "statusSource": source, "confirmed": confirmed}
    return {
        "status": (status := state.get("status", "unknown")),
        "kind": kind_of(status),
        "statusSource": STATE_FILE if "status" in state else None,
        "confirmed": known.confirmed,
    }


def moment(mtime_ns: int) -> str | None:
    """Return a file's modification time, in nanoseconds since 1970, as text; None if no calendar has it."""
    milliseconds = mtime_ns // 1_000_000
    return rfc3339(milliseconds).decode() if 0 <= milliseconds <= _LAST_MOMENT else None


def _first(tree: dict[str, Any], names: Iterable[str]) -> Any:
    return next((tree[name] for name in names if tree.get(name) is not None), None)


def _if(type_: type, value: Any) -> Any:
    return value if isinstance(value, type_) else None


def _text(value: Any) -> str | None:
    return (value.strip()[:MAX_TEXT] or None) if isinstance(value, str) else None


def _texts(value: Any) -> list[str] | None:
    return [text for item in value if (text := _text(item))][:50] if isinstance(value, list) else None


def _status(value: Any) -> str | None:
    if isinstance(value, dict):
        value = _first(value, ("status", "state", "value", "current", "name"))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)[:MAX_TEXT]
    return _text(value)


def _time(value: Any) -> str | None:
    """Return a time as text; a number is taken as seconds or milliseconds since 1970."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < 1e13:
        return rfc3339(int(value if value > 1e11 else value * 1000)).decode()
    return _text(value)


def _task(value: Any) -> Any:
    return value if isinstance(value, dict) else _text(value)


def _fits(value: Any) -> bool:
    return not deeper_than(value, MAX_FIELD_DEPTH) and len(_encode(value)) <= MAX_FIELD_BYTES


def _name_of(value: Any) -> str:
    return "a list" if isinstance(value, list) else f"the value {str(value)[:40]!r}"
