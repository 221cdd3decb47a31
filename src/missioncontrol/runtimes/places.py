"""Where agent runtimes keep their transcripts, and which of their files are some."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import pyjson5

from missioncontrol.events.limits import MAX_DEPTH
from missioncontrol.runtimes.files.regular import read_whole
from missioncontrol.runtimes.records import UnreadableError

Runtime = Literal["openclaw", "claude", "codex"]

Kind = Literal["openclaw", "openclaw-index", "openclaw-agent", "openclaw-state", "claude", "codex"]
"""What a file is, and so who reads it: JSONL by its runtime's name, `sessions.json`, the two kinds of databases."""

USUAL_GATEWAY_PORT = 18789
_MAX_CONFIG = 1 << 20
"""Bytes of `openclaw.json` that are read."""

_MAX_DEPTH = 8

_TIME = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?Z"
_TRANSCRIPT = re.compile(rf".+\.jsonl(?:\.(?:reset|deleted)\.{_TIME}(?:\.[0-9a-zA-Z]+)?(?:\.zst)?)?$")
_TRAJECTORY = ".trajectory.jsonl"
_ROLLOUT = (".jsonl", ".jsonl.zst")


class Place(NamedTuple):
    """A runtime's folder, and the folders below it in which its transcripts lie, whether or not they are there yet."""

    runtime: Runtime
    folder: Path
    watched: tuple[Path, ...]


class Transcript(NamedTuple):
    """A file to read. `agent` is the name of OpenClaw's folder, `parent` the session that started a sub-agent's."""

    path: Path
    kind: Kind
    agent: str | None = None
    parent: str | None = None


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
_config_decoder = msgspec.json.Decoder(_Config)


class GatewayAddress(NamedTuple):
    """Where OpenClaw's gateway listens on this machine, and the token that it wants; never to be shown."""

    port: int
    token: str | None


def find_openclaw(setting: str, workspace: Path, environment: Mapping[str, str] = os.environ) -> Place | None:
    """Find OpenClaw's state folder.

    Args:
        setting: `off`, a path, or `auto`: the workspace's parent where it is a state folder, else what
            `OPENCLAW_STATE_DIR` says.
        workspace: the workspace that is watched.
        environment: the environment's variables.

    Returns:
        The place; None where there is none.
    """
    if setting == "off":
        return None
    if setting != "auto":
        return _openclaw(Path(setting).expanduser())
    named = environment.get("OPENCLAW_STATE_DIR")
    for folder in (workspace.parent, Path(named).expanduser() if named else None):
        if folder is not None and ((folder / "openclaw.json").is_file() or (folder / "agents").is_dir()):
            return _openclaw(folder)
    return None


def find_claude(setting: str, environment: Mapping[str, str] = os.environ) -> Place | None:
    """Find Claude Code's transcripts.

    Args:
        setting: `off`, a path, or `auto`: below `CLAUDE_CONFIG_DIR`, else below `~/.claude`, where they exist.
        environment: the environment's variables.

    Returns:
        The place; None where there is none.
    """
    return _find("claude", ("projects",), setting, environment.get("CLAUDE_CONFIG_DIR") or "~/.claude")


def find_codex(setting: str, environment: Mapping[str, str] = os.environ) -> Place | None:
    """Find Codex's rollouts.

    Args:
        setting: `off`, a path, or `auto`: below `CODEX_HOME`, else below `~/.codex`, where they exist.
        environment: the environment's variables.

    Returns:
        The place; None where there is none.
    """
    folders = ("sessions", "archived_sessions")
    return _find("codex", folders, setting, environment.get("CODEX_HOME") or "~/.codex")


def transcripts(place: Place) -> list[Transcript]:
    """Return what there is to read at a place, by path. Symbolic links are not followed."""
    found = (transcript_of(place, path) for folder in place.watched for path in _files(place, folder))
    return sorted(transcript for transcript in found if transcript is not None)


def transcript_of(place: Place, path: Path) -> Transcript | None:
    """Say what a file at a place is; None where it is nothing to read. The file is not looked at."""
    try:
        parts = path.relative_to(place.folder).parts
    except ValueError:
        return None
    match place.runtime:
        case "openclaw":
            return _of_openclaw(path, parts)
        case "claude":
            return _of_claude(path, parts)
        case "codex":
            rollout = any(path.is_relative_to(folder) for folder in place.watched)
            return Transcript(path, "codex") if rollout and path.name.endswith(_ROLLOUT) else None


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
    text = read_whole(place.folder / "openclaw.json", _MAX_CONFIG).decode("utf-8-sig", "replace")
    try:
        value = pyjson5.decode(text, maxdepth=MAX_DEPTH)
        return _config_decoder.decode(msgspec.json.encode(value))
    except (pyjson5.Json5Exception, ValueError, OverflowError, RecursionError):
        # What is wrong is not told: the message would quote the file.
        raise UnreadableError("it is not the JSON that is expected") from None


def _openclaw(folder: Path) -> Place:
    return Place("openclaw", folder, (folder / "agents", folder / "state"))


def _find(runtime: Runtime, folders: tuple[str, ...], setting: str, usual: str) -> Place | None:
    if setting == "off":
        return None
    folder = Path(usual if setting == "auto" else setting).expanduser()
    watched = tuple(folder / name for name in folders)
    if any(path.is_dir() for path in watched):
        return Place(runtime, folder, watched)
    if setting == "auto":
        return None
    # The folder of the transcripts itself may be named.
    return Place(runtime, folder, (folder,)) if folder.name == folders[0] else Place(runtime, folder, watched)


def _of_openclaw(path: Path, parts: tuple[str, ...]) -> Transcript | None:
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
    return None


def _of_claude(path: Path, parts: tuple[str, ...]) -> Transcript | None:
    if parts[:1] == ("projects",):
        parts = parts[1:]
    match parts:
        case (_, name) if name.endswith(".jsonl"):
            return Transcript(path, "claude")
        case (_, session, "subagents", *_, name) if name.startswith("agent-") and name.endswith(".jsonl"):
            return Transcript(path, "claude", parent=session)
    return None


def _files(place: Place, folder: Path) -> Iterator[Path]:
    """Walk a folder, without following links and without entering what holds no transcripts."""
    if folder.is_symlink():
        return
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below = Path(entry.path)
                        if entered(place, below.relative_to(place.folder).parts):
                            pending.append(below)
                    elif entry.is_file(follow_symlinks=False):
                        yield Path(entry.path)
        except OSError:
            # It has just gone, or is nobody's to read.
            continue


def entered(place: Place, parts: tuple[str, ...]) -> bool:
    """Say whether a folder of a place, by its path below it, may hold something to read."""
    if len(parts) > _MAX_DEPTH:
        return False
    match place.runtime:
        case "openclaw":
            match parts:
                case ("agents", _) | ("agents", _, "agent" | "sessions") | ("agents", _, "sessions", "cold"):
                    return True
                case ("agents", _, "sessions", "cold", *_):
                    return True
            return False
        case "claude":
            below = parts[1:] if parts[:1] == ("projects",) else parts
            return len(below) <= 2 or below[2] == "subagents"
        case "codex":
            return True
