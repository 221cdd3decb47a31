"""The runtimes that there are: those of this package, and those that other packages add.

Another package adds one by an entry point of the group `mission_control.runtimes`, whose value is a subclass of
`Runtime`. One that cannot be loaded, or whose name or kinds are taken, is left out and logged: it holds up no other.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from missioncontrol.config import SourcesConfig
from missioncontrol.errors import ConfigError
from missioncontrol.runtimes.base import FileKind, Place, Runtime, Transcript
from missioncontrol.runtimes.claude.runtime import ClaudeCode
from missioncontrol.runtimes.codex.runtime import Codex
from missioncontrol.runtimes.hooks import HookReader
from missioncontrol.runtimes.openclaw import simulated as simulated
from missioncontrol.runtimes.openclaw.runtime import OpenClaw
from missioncontrol.runtimes.otel import genai
from missioncontrol.runtimes.otel.reading import Meaning
from missioncontrol.runtimes.otel.signals import Signal

GROUP = "mission_control.runtimes"
BUILT_IN: tuple[type[Runtime], ...] = (OpenClaw, ClaudeCode, Codex)

_MAX_DEPTH = 10
"""How deep below a place folders are entered."""

logger = logging.getLogger(__name__)


@cache
def runtimes() -> Mapping[str, Runtime]:
    """Return all runtimes by name, those of this package first."""
    found = {made.name: made() for made in BUILT_IN}
    kinds = {kind.name for runtime in found.values() for kind in runtime.kinds}
    for entry in entry_points(group=GROUP):
        try:
            runtime = entry.load()()
            taken = kinds & {kind.name for kind in runtime.kinds}
            if not isinstance(runtime, Runtime):
                raise TypeError("it is no Runtime")
            if runtime.name in found or taken:
                raise ValueError(
                    f"its name, or that of one of its kinds of files, is taken: {taken or runtime.name}"
                )
        except Exception:
            logger.exception("runtime.not_loaded", extra={"entry_point": entry.value})
            continue
        found[runtime.name] = runtime
        kinds |= {kind.name for kind in runtime.kinds}
    return found


@cache
def kinds() -> Mapping[str, FileKind]:
    """Return the kinds of files of all runtimes, by name."""
    return {kind.name: kind for runtime in runtimes().values() for kind in runtime.kinds}


def runtime_of(kind: str) -> str:
    """Return the name of the runtime that a kind of files belongs to."""
    return next(one.name for one in runtimes().values() if any(kind == known.name for known in one.kinds))


@cache
def signal_readers() -> tuple[Callable[[Signal], Meaning | None], ...]:
    """Return what reads signals of telemetry: each runtime's own, and then the conventions that all share."""
    own = (runtime.read_signal for runtime in runtimes().values())
    return (*filter(None, own), genai.read)


@cache
def hook_readers() -> Mapping[str, HookReader]:
    """Return what reads the hooks of each runtime that has any, by the runtime's name."""
    return {name: runtime.hooks for name, runtime in runtimes().items() if runtime.hooks is not None}


def title_of(runtime: str) -> str:
    """Return a runtime's name for people; the name itself for one that is not known here."""
    known = runtimes().get(runtime)
    return runtime if known is None else known.title


def check_settings(sources: SourcesConfig) -> None:
    """Check that each place that the settings name belongs to a runtime.

    Raises:
        ConfigError: there is no such runtime.
    """
    for name in sources.places:
        if name not in runtimes():
            known = ", ".join(runtimes())
            raise ConfigError(
                f"sources.{name} is no setting, and there is no runtime of that name; there are {known}."
            )


def find(
    name: str, sources: SourcesConfig, workspace: Path, environment: Mapping[str, str] = os.environ
) -> Place | None:
    """Find the folder of a runtime as the settings say; None where there is none."""
    runtime = runtimes().get(name)
    return None if runtime is None else runtime.find(sources.place_of(name), workspace, environment)


def find_all(sources: SourcesConfig, workspace: Path) -> dict[str, Place]:
    """Find the folders of all runtimes, by name."""
    found = ((name, find(name, sources, workspace)) for name in runtimes())
    return {name: place for name, place in found if place is not None}


def transcripts(place: Place) -> list[Transcript]:
    """Return what there is to read at a place, by path; no symbolic links are followed but `links`."""
    linked = frozenset(links(place).values())
    found = (transcript_of(place, path) for folder in place.watched for path in _files(place, folder, linked))
    return sorted(transcript for transcript in found if transcript is not None)


def links(place: Place) -> dict[Path, Path]:
    """Return the symbolic links to folders that are followed at a place, by the real paths of what they lead to.

    They are those that people make to keep transcripts elsewhere: a watched folder itself, or a folder in one.
    """
    found: dict[Path, Path] = {}
    home = place.folder.resolve()
    for folder in place.watched:
        try:
            if folder.is_symlink():
                candidates = [folder]
            else:
                with os.scandir(folder) as entries:
                    candidates = [Path(entry.path) for entry in entries if entry.is_symlink()]
            for link in candidates:
                target = link.resolve()
                # What is in the place anyway would be read twice.
                if target.is_dir() and not target.is_relative_to(home) and not home.is_relative_to(target):
                    found.setdefault(target, link)
        except (OSError, RuntimeError):
            # It is gone, is not ours to read, or leads to itself.
            continue
    return found


def transcript_of(place: Place, path: Path) -> Transcript | None:
    """Return what a file at a place is; None where it is nothing to read. The file is not opened."""
    try:
        parts = path.relative_to(place.folder).parts
    except ValueError:
        return None
    return runtimes()[place.runtime].transcript_of(place, path, parts)


def enters(place: Place, parts: tuple[str, ...]) -> bool:
    """Report whether a folder of a place, by its path below it, may hold something to read."""
    return len(parts) <= _MAX_DEPTH and runtimes()[place.runtime].enters(place, parts)


def _files(place: Place, folder: Path, linked: Collection[Path]) -> Iterator[Path]:
    """Walk a folder, without following other links than those and without entering what holds no transcripts."""
    if folder.is_symlink() and folder not in linked:
        return
    pending = [folder, *(link for link in linked if link.parent == folder)]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(current) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        below = Path(entry.path)
                        if enters(place, below.relative_to(place.folder).parts):
                            pending.append(below)
                    elif entry.is_file(follow_symlinks=False):
                        yield Path(entry.path)
        except OSError:
            # It is gone already, or not ours to read.
            continue
