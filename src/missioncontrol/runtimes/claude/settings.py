"""Claude Code: HTTP hooks in its settings.

Source: https://code.claude.com/docs/en/hooks (HTTP hook fields). A hook is ours by the path of its URL, whatever server
it goes to: Claude Code drops fields that it does not know when it writes its settings.

Settings with an event that a release of Claude Code does not know are passed over by it as a whole, so only events are
written that it knows. Two are left out on purpose: `SessionStart`, for which Claude Code runs no HTTP hooks, and
`WorktreeCreate`, where an answer without a path makes Claude fail.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from missioncontrol.errors import ConfigError
from missioncontrol.json_text import edit as json_text
from missioncontrol.json_text.edit import Part
from missioncontrol.runtimes.claude.hooks import ANSWER_SECONDS, BUDGETED

PATH = "/api/hooks/claude"
Version = tuple[int, int, int]

FIRST: Version = (2, 1, 63)
"""The first release that has HTTP hooks."""

EVENTS: Mapping[str, Version] = {
    "UserPromptSubmit": FIRST,
    "PreToolUse": FIRST,
    "PermissionRequest": FIRST,
    "PermissionDenied": (2, 1, 89),
    "PostToolUse": FIRST,
    "PostToolUseFailure": FIRST,
    "Notification": FIRST,
    "SubagentStart": FIRST,
    "SubagentStop": FIRST,
    "TaskCreated": (2, 1, 84),
    "TaskCompleted": FIRST,
    "PreCompact": FIRST,
    "PostCompact": (2, 1, 76),
    "Stop": FIRST,
    "StopFailure": (2, 1, 78),
    "SessionEnd": FIRST,
}
"""The events, with the release from which on each can be in the settings (Claude Code's changelog)."""

TIMEOUT_SECONDS = 5
"""After which Claude goes on without an answer. A server that is not there is noticed at once."""

GRACE_SECONDS = 10
"""How much longer Claude waits than the server holds a question, so that it is the server that gives up."""

_OWN = ("type", "url", "timeout", "headers", "allowedEnvVars")
"""The fields of a hook that are ours; fields that others have added are kept."""


class Wanted(NamedTuple):
    """What the hooks are to do.

    `url` is the server's. `variable` is the environment's variable with the token, `token` the token itself, in
    clear. `answer_seconds` is how long a permission request is held for an answer from the office, 0 for not at
    all; `budgets` is whether an agent that has spent its budget is stopped. `version` is Claude Code's, None
    if it is not known: then all events are wanted.
    """

    url: str
    variable: str | None = None
    token: str | None = None
    answer_seconds: int = 0
    budgets: bool = False
    version: Version | None = None


def settings_path(file: Path | None, *, project: bool, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the settings that are meant: the file that is named, the project's, or the user's."""
    if file is not None:
        return file
    if project:
        return Path(".claude") / "settings.json"
    return Path(environment.get("CLAUDE_CONFIG_DIR") or "~/.claude").expanduser() / "settings.json"


def hooks(wanted: Wanted) -> dict[str, dict[str, Any]]:
    """Return the hook of each event that Claude Code knows."""
    return {
        event: _hook(event, wanted)
        for event, since in EVENTS.items()
        if wanted.version is None or since <= wanted.version
    }


def snippet(wanted: Wanted) -> str:
    """Return the settings that would be written into an empty file."""
    groups = {event: [{"hooks": [hook]}] for event, hook in hooks(wanted).items()}
    return json.dumps({"hooks": groups}, indent=2)


def connected(text: str, wanted: Wanted) -> str:
    """Return the settings with our hooks in them, each once.

    Raises:
        ConfigError: the text is not settings; nothing can be put into it.
    """
    text = text if text.strip() else "{}\n"
    _check(text)
    place = json_text.member(text, _root(text), "hooks")
    if place is None:
        groups = {event: [{"hooks": [hook]}] for event, hook in hooks(wanted).items()}
        return json_text.added(text, _root(text), "hooks", groups)
    for event, hook in hooks(wanted).items():
        text = _with_hook(text, event, hook)
    for event in {spot.event for spot in _ours(text)} - hooks(wanted).keys():
        text = _without(text, event)
    return text


def disconnected(text: str) -> str:
    """Return the settings without our hooks, and without what would be left empty of them.

    Raises:
        ConfigError: the text is not settings.
    """
    if not text.strip():
        return text
    _check(text)
    return _without(text, None)


def connected_to(text: str) -> tuple[str, int] | None:
    """Return the server that settings are connected to, and by how many hooks; None where they are not.

    Raises:
        ConfigError: the text is not settings.
    """
    if not text.strip():
        return None
    _check(text)
    urls = [str(json_text.value_of(text, spot.hook)["url"]) for spot in _ours(text)]
    return (urls[0].partition(PATH)[0], len(urls)) if urls else None


def obstacles(text: str, wanted: Wanted) -> list[str]:
    """Return what in the settings keeps our hooks from working, as sentences."""
    settings = json_text.check(text) if text.strip() else {}
    found = []
    if settings.get("disableAllHooks") is True:
        found.append("`disableAllHooks` is set in these settings: no hook runs until it is taken out.")
    allowed = settings.get("allowedHttpHookUrls")
    if isinstance(allowed, list) and not any(wanted.url.startswith(str(url).rstrip("*")) for url in allowed):
        found.append(f"`allowedHttpHookUrls` in these settings does not name {wanted.url}: add it there.")
    return found


class _Spot(NamedTuple):
    """The place of one of our hooks: the event's groups, its group, the group's hooks, and the hook itself."""

    event: str
    hooks_at: int
    groups: Part
    group: Part
    handlers: Part
    hook: Part


def _hook(event: str, wanted: Wanted) -> dict[str, Any]:
    query: dict[str, str] = {}
    timeout = TIMEOUT_SECONDS
    if event == "PermissionRequest" and wanted.answer_seconds:
        query["answer"] = "1"
        if wanted.answer_seconds != ANSWER_SECONDS:
            query["wait"] = str(wanted.answer_seconds)
        timeout = wanted.answer_seconds + GRACE_SECONDS
    if event in BUDGETED and wanted.budgets:
        query["budgets"] = "1"
    url = wanted.url + PATH + (f"?{urlencode(query)}" if query else "")
    hook: dict[str, Any] = {"type": "http", "url": url, "timeout": timeout}
    if wanted.token is not None:
        hook["headers"] = {"Authorization": f"Bearer {wanted.token}"}
    elif wanted.variable is not None:
        hook["headers"] = {"Authorization": f"Bearer ${{{wanted.variable}}}"}
        hook["allowedEnvVars"] = [wanted.variable]
    return hook


def _root(text: str) -> int:
    return text.index("{")


def _check(text: str) -> None:
    """See that a text is settings with hooks as they should be.

    Raises:
        ConfigError: it is not.
    """
    try:
        settings = json_text.check(text)
    except ValueError as error:
        raise ConfigError(f"The settings are not JSON: {error}. Nothing was changed.") from None
    groups = settings.get("hooks", {}) if isinstance(settings, dict) else None
    if not isinstance(groups, dict) or not all(isinstance(group, list) for group in groups.values()):
        raise ConfigError(
            "The settings are not as Claude Code has them: `hooks` must be an object with an array for each event. "
            "Nothing was changed."
        )


def _ours(text: str) -> Iterator[_Spot]:
    """Find our hooks."""
    all_ = json_text.member(text, _root(text), "hooks")
    if all_ is None:
        return
    for groups in json_text.parts(text, all_.start):
        for group in json_text.parts(text, groups.start):
            handlers = json_text.member(text, group.start, "hooks") if text[group.start] == "{" else None
            if handlers is None or text[handlers.start] != "[":
                continue
            for hook in json_text.parts(text, handlers.start):
                if _is_ours(json_text.value_of(text, hook)):
                    yield _Spot(groups.key, all_.start, groups, group, handlers, hook)


def _is_ours(hook: Any) -> bool:
    if not isinstance(hook, dict) or hook.get("type") != "http" or not isinstance(hook.get("url"), str):
        return False
    try:
        return urlsplit(hook["url"]).path.endswith(PATH)
    except ValueError:
        return False


def _with_hook(text: str, event: str, hook: Mapping[str, Any]) -> str:
    """Return the text with one hook of ours for an event."""
    while len(found := [spot for spot in _ours(text) if spot.event == event]) > 1:
        text = _drop(text, found[-1])
    if found:
        known = json_text.value_of(text, found[0].hook)
        wanted = {**hook, **{name: value for name, value in known.items() if name not in _OWN}}
        return text if known == wanted else json_text.replaced(text, found[0].hook, wanted)
    all_ = json_text.member(text, _root(text), "hooks")
    if all_ is None:
        return text
    groups = json_text.member(text, all_.start, event)
    if groups is None:
        return json_text.added(text, all_.start, event, [{"hooks": [hook]}])
    return json_text.added(text, groups.start, "", {"hooks": [hook]})


def _without(text: str, event: str | None) -> str:
    """Return the text without our hooks for an event, or for all."""
    while (spot := next((one for one in _ours(text) if event in (None, one.event)), None)) is not None:
        text = _drop(text, spot)
    return text


def _drop(text: str, spot: _Spot) -> str:
    """Take a hook out, and what would be left empty of it."""
    if len(json_text.parts(text, spot.handlers.start)) > 1:
        return json_text.dropped(text, spot.handlers.start, spot.hook)
    if len(json_text.parts(text, spot.groups.start)) > 1:
        return json_text.dropped(text, spot.groups.start, spot.group)
    if len(json_text.parts(text, spot.hooks_at)) > 1:
        return json_text.dropped(text, spot.hooks_at, spot.groups)
    root = _root(text)
    whole = json_text.member(text, root, "hooks")
    return text if whole is None else json_text.dropped(text, root, whole)
