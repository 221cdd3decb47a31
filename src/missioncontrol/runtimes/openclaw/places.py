"""Where OpenClaw keeps its files, and what its settings say: agents, their workspaces, the gateway."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyjson5

from missioncontrol.events.decoding import read_float
from missioncontrol.events.limits import MAX_DEPTH
from missioncontrol.runtimes.base import Place, Transcript
from missioncontrol.runtimes.files.regular import read_whole
from missioncontrol.runtimes.records import UnreadableError

_SETTINGS_FILES = ("openclaw.json", "clawdbot.json")
_WORKSPACE_OF = "workspace-"
_ROLLOUT = (".jsonl", ".jsonl.zst")
USUAL_GATEWAY_PORT = 18789
_MAX_CONFIG = 1 << 20
"""Bytes of `openclaw.json` that are read."""

_TIME = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?Z"
_TRANSCRIPT = re.compile(rf".+\.jsonl(?:\.(?:reset|deleted)\.{_TIME}(?:\.[0-9a-zA-Z]+)?(?:\.zst)?)?$")
_TRAJECTORY = ".trajectory.jsonl"


class _Agent(msgspec.Struct):
    id: str | None = None
    workspace: str | None = None
    # Of any type: what only the workspaces need must not make the agents themselves unreadable.
    default: Any = None


class _Agents(msgspec.Struct):
    entries: dict[str, _Agent | None] | None = None
    listed: list[_Agent] | None = msgspec.field(default=None, name="list")
    defaults: Any = None

    def by_id(self) -> dict[str, _Agent]:
        """Return the agents by id, in the order of the file."""
        found = {id_: agent or _Agent() for id_, agent in (self.entries or {}).items()}
        return found | {agent.id: agent for agent in self.listed or [] if agent.id}


class _Auth(msgspec.Struct):
    token: str | None = None


class _Gateway(msgspec.Struct):
    port: int | None = None
    auth: _Auth | None = None


class _Config(msgspec.Struct):
    agents: _Agents | None = None
    gateway: _Gateway | None = None


# Made here, and not with the first file: two threads may read theirs at once.
_config_decoder = msgspec.json.Decoder(_Config, float_hook=read_float)


class GatewayAddress(NamedTuple):
    """Where OpenClaw's gateway listens on this machine, and the token that it wants; never to be shown."""

    port: int
    token: str | None


def find_openclaw(setting: str, workspace: Path, environment: Mapping[str, str] = os.environ) -> Place | None:
    """Find OpenClaw's state folder.

    Args:
        setting: `off`, a path, or `auto`: the first state folder among those that the environment, the workspace's
            place and OpenClaw's own habits name; see `_usual_folders`.
        workspace: the workspace that is watched.
        environment: the environment's variables.

    Returns:
        The place; None where there is none.
    """
    if setting == "off":
        return None
    if setting != "auto":
        return _openclaw(Path(setting).expanduser())
    for folder in _usual_folders(workspace, environment):
        if any((folder / name).is_file() for name in _SETTINGS_FILES) or (folder / "agents").is_dir():
            return _openclaw(folder)
    return None


def _usual_folders(workspace: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return where OpenClaw's state folder may be, the likeliest first.

    What the environment says goes before where the workspace is. A profile has a state folder of its own,
    `~/.openclaw-PROFILE`; before 2026.8 its workspace was `~/.openclaw/workspace-PROFILE`. Releases under the former
    name of the program have `~/.clawdbot`.
    """
    home = Path(environment.get("HOME") or "~").expanduser()
    folders: list[Path] = []
    if named := environment.get("OPENCLAW_STATE_DIR"):
        folders.append(Path(named).expanduser())
    if profile := environment.get("OPENCLAW_PROFILE"):
        folders.append(home / f".openclaw-{profile}")
    above = workspace.parent
    if workspace.name.startswith(_WORKSPACE_OF):
        folders.append(above.with_name(f"{above.name}-{workspace.name.removeprefix(_WORKSPACE_OF)}"))
    return [*folders, above, home / ".openclaw", home / ".clawdbot"]


def settings_file(place: Place) -> Path:
    """Return OpenClaw's settings at a place, under the name that they have there."""
    files = [place.folder / name for name in _SETTINGS_FILES]
    return next((file for file in files if file.is_file()), files[0])


def transcript_of(path: Path, parts: tuple[str, ...]) -> Transcript | None:
    """Return what a file of the state folder is, by its path below it; None where it is nothing to read."""
    match parts:
        case ("state", "openclaw.sqlite"):
            return Transcript(path, "openclaw-state")
        case ("agents", agent, "agent", "openclaw-agent.sqlite"):
            return Transcript(path, "openclaw-agent", agent)
        case ("agents", agent, "sessions", "sessions.json"):
            return Transcript(path, "openclaw-index", agent)
        case ("agents", agent, "sessions", name):
            known = _TRANSCRIPT.fullmatch(name) and not name.endswith(_TRAJECTORY)
            return Transcript(path, "openclaw", agent) if known else None
        case ("agents", agent, "sessions", "cold", *_, name) if name.endswith(".zst"):
            return Transcript(path, "openclaw", agent)
        case ("agents", agent, "agent", "codex-home", "sessions", *_, name) | (
            "agents",
            agent,
            "agent",
            "cli-auth",
            "codex",
            _,
            "sessions",
            *_,
            name,
        ) if name.endswith(_ROLLOUT):
            # A backend with a home of its own below the agent.
            return Transcript(path, "codex", agent)
    return None


def enters(parts: tuple[str, ...]) -> bool:
    """Report whether a folder of the state folder, by its path below it, may hold something to read."""
    match parts:
        case ("agents", _) | ("agents", _, "agent" | "sessions") | ("agents", _, "sessions", "cold"):
            return True
        case ("agents", _, "sessions", "cold", *_):
            return True
        case ("agents", _, "agent", "codex-home") | ("agents", _, "agent", "codex-home", "sessions", *_):
            return True
        case ("agents", _, "agent", "cli-auth", "codex", _, "sessions", *_):
            return True
        case ("agents", _, "agent", "cli-auth") | ("agents", _, "agent", "cli-auth", "codex"):
            return True
        case ("agents", _, "agent", "cli-auth", "codex", _):
            return True
    return False


def roster(place: Place) -> dict[str, Path | None]:
    """Read OpenClaw's agents from `openclaw.json`: each by its id, with its workspace where that is said.

    The file holds secrets: nothing else of it is kept.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it cannot be read or understood.
    """
    agents = _read_config(place).agents or _Agents()
    return {id_: _folder(agent.workspace) for id_, agent in agents.by_id().items()}


def configured_workspaces(place: Place) -> dict[str, Path]:
    """Read from `openclaw.json` where each agent has its workspace, by the agent's id, as OpenClaw decides it.

    An agent without a `workspace` of its own has a folder of its name in `agents.defaults.workspace`, or without that
    `workspace-ID` in the state folder; the default agent has `agents.defaults.workspace` itself, or `workspace`.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it cannot be read or understood.
    """
    agents = _read_config(place).agents or _Agents()
    by_id = agents.by_id()
    usual = next((id_ for id_, agent in by_id.items() if agent.default is True), None)
    if usual is None:
        usual = "main" if "main" in by_id else next(iter(by_id), "main")
    shared = agents.defaults.get("workspace") if isinstance(agents.defaults, dict) else None
    shared = _folder(shared) if isinstance(shared, str) else None
    workspaces: dict[str, Path] = {}
    for id_, agent in by_id.items():
        if agent.workspace and agent.workspace.strip():
            if (own := _folder(agent.workspace)) is not None:
                workspaces[id_] = own
        elif id_ == usual:
            workspaces[id_] = shared or place.folder / "workspace"
        elif id_ not in ("", ".", "..") and "/" not in id_:
            workspaces[id_] = shared / id_ if shared else place.folder / f"workspace-{id_}"
    return workspaces


def _folder(setting: str | None) -> Path | None:
    """Return the folder that a setting names; None where it names none that this machine can have."""
    if not setting or not setting.strip():
        return None
    try:
        return Path(setting.strip()).expanduser()
    except RuntimeError:
        # The home of a user that does not exist.
        return None


def gateway_address(place: Place) -> GatewayAddress | None:
    """Read from `openclaw.json` where the gateway is; None where it has none.

    Raises:
        FileNotFoundError: it is not there.
        UnreadableError: it cannot be read or understood.
    """
    gateway = _read_config(place).gateway
    if gateway is None:
        return None
    return GatewayAddress(gateway.port or USUAL_GATEWAY_PORT, gateway.auth.token if gateway.auth else None)


def _read_config(place: Place) -> _Config:
    text = read_whole(settings_file(place), _MAX_CONFIG).decode("utf-8-sig", "replace")
    try:
        value = pyjson5.decode(text, maxdepth=MAX_DEPTH)
        return _config_decoder.decode(msgspec.json.encode(value))
    except (pyjson5.Json5Exception, ValueError, OverflowError, RecursionError):
        # The reason is left out: the parser's message would quote the file.
        raise UnreadableError("it is not the JSON that is expected") from None


def _openclaw(folder: Path) -> Place:
    return Place("openclaw", folder, (folder / "agents", folder / "state"))
