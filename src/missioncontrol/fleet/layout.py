"""Where things are in a workspace.

A path here is relative to the workspace, with `/` between its parts; the workspace itself is the empty path.
"""

from __future__ import annotations

import re

AGENT_FOLDERS = ("mission-control/agents", "agents")
"""Where agents live; the first that has any counts."""

STATE_FILE = "state.json"
SOUL_FILE = "SOUL.md"
IDENTITY_FILE = "IDENTITY.md"
"""In which an agent says who it is, in its own workspace."""

TASK_FILES = ("mission-control/TASK_QUEUE.json", "mission-control/TASK_QUEUE.md")
LEAD_PLACES = tuple(
    tuple(f"mission-control/{folder}/{name}" for folder in ("data", "dashboard/data"))
    for name in ("leads.json", "scored-leads-v2.json")
)
"""Where the leads are, and where their scores are; of each the first that is there counts."""

LEAD_FILES = tuple(path for paths in LEAD_PLACES for path in paths)

_OF_AN_AGENT = re.compile(
    rf"(?:{'|'.join(AGENT_FOLDERS)})/([^/]+)(?:/(?:{STATE_FILE}|{re.escape(SOUL_FILE)}))?"
)
_OWNED = re.compile(
    rf"(?:{'|'.join(AGENT_FOLDERS)})/[^/]+/(?:{STATE_FILE}|{re.escape(SOUL_FILE)})"
    rf"|{'|'.join(map(re.escape, (*TASK_FILES, *LEAD_FILES)))}"
)
_BELOW_AN_AGENT = re.compile(r"(?:^|/)agents/([^/]+)/")


def owned(path: str) -> bool:
    """Return whether changes of a file are published by another source: of agents, tasks or leads."""
    return _OWNED.fullmatch(path) is not None


def agent_named(path: str) -> str | None:
    """Return the agent whose folder, `state.json` or `SOUL.md` this is."""
    found = _OF_AN_AGENT.fullmatch(path)
    return found[1] if found else None


def agent_of(path: str) -> str | None:
    """Return the agent below whose folder a file lies."""
    found = _BELOW_AN_AGENT.search(path)
    return found[1] if found else None
