"""An agent's status, decided from evidence. Everything here is a pure function.

Evidence has a status, a time and a source. Times are those of the source's own clock, in milliseconds since 1970:

- a session (its transcript, hooks or telemetry): the time of its last activity;
- a process: whether the program that runs a runtime's sessions runs; now;
- a gateway: when it reported that a session of the agent runs, or has ended;
- the runtime's settings: when they named the agent; its status is then `unknown`;
- the agent's own file: when it was last written.

Rules, in this order:

1. Of the agent's sessions, one that waits for a person decides, however long it has waited: the longer, the more it
   needs one. Else one that works and gave a sign lately, or whose process runs; else the newest of those whose process
   runs; else the newest, in whatever state it is.
2. Such a session is `offline` where its runtime's process has ended. One that works is `silent` where it has given no
   sign for `SILENT_SECONDS`: it may have died without a word.
3. Between the sessions and the gateway the newer evidence decides; at the same time the gateway.
4. Between the runtime and the file the newer evidence decides; at the same time the runtime. A runtime that knows
   nothing (`unknown`) never replaces what the file says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from missioncontrol.runtimes.registry import title_of

SILENT_SECONDS = 900
"""After how long without a sign an open session is called silent; the next sign makes it busy again."""

OPEN = ("waiting", "busy")
"""The states in which a session goes on; the first that one of them is in decides."""


class RuntimeAgent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent as its runtime shows it; `at` is when that was last seen to be so, in milliseconds since 1970.

    `status` is a word of `KINDS`, `evidence` says where it was read, `by` is who has passed it on, if that was another.
    """

    runtime: str
    name: str
    status: str
    at: int
    evidence: str
    detail: str | None = None
    model: str | None = None
    by: str | None = None


class SessionEvidence(Protocol):
    """What is known of one session; `at` is when it last gave a sign, in milliseconds since 1970."""

    name: str
    runtime: str
    at: int
    detail: str | None
    evidence: str | None
    by: str | None
    model: str | None

    @property
    def doing(self) -> str:
        """What the session does, as a word of `KINDS`."""


class FileEvidence(NamedTuple):
    """What an agent's own file says; `status` is None where it says nothing, `at` None where its time is unknown."""

    status: str | None
    at: int | None


def by_sessions(
    sessions: Sequence[SessionEvidence],
    now: int,
    alive: Mapping[str, bool | None],
    living: Sequence[SessionEvidence] = (),
) -> RuntimeAgent:
    """Decide what an agent does by its sessions: rules 1 and 2.

    Args:
        sessions: the agent's: its newest one, and all that are open.
        now: the time in milliseconds since 1970.
        alive: whether the process runs that runs a runtime's sessions, by the runtime's name, as far as that is known.
        living: those of the sessions that have a process of their own, which runs.
    """
    newest = max(living or sessions, key=lambda session: session.at)
    has_process = {id(one) for one in living}
    going_on = [
        one for one in sessions if one.doing in OPEN and (id(one) in has_process or not is_silent(one, now))
    ]
    shown, status = newest, newest.doing
    for doing in OPEN:
        if found := [session for session in going_on if session.doing == doing]:
            shown, status = max(found, key=lambda session: session.at), doing
            break
    if status in OPEN:
        if alive.get(shown.runtime) is False:
            status = "offline"
        elif shown not in going_on:
            status = "silent"
    return RuntimeAgent(
        runtime=shown.runtime,
        name=newest.name,
        status=status,
        at=shown.at,
        evidence=shown.evidence or f"{title_of(shown.runtime)} transcript",
        detail=shown.detail if status in ("error", "waiting") else None,
        by=shown.by if status == shown.doing else None,
        model=newest.model,
    )


def is_silent(session: SessionEvidence, now: int) -> bool:
    """Return whether a busy session has had no activity for so long that it may have died; times as above."""
    return session.doing == "busy" and now - session.at >= SILENT_SECONDS * 1000


def by_runtime(sessions: RuntimeAgent | None, gateway: RuntimeAgent | None) -> RuntimeAgent | None:
    """Decide between an agent's sessions and its gateway: rule 3. None where neither knows the agent."""
    if sessions is None or gateway is None:
        return sessions or gateway
    return gateway if gateway.at >= sessions.at else sessions


def runtime_decides(file: FileEvidence, runtime: RuntimeAgent | None) -> bool:
    """Decide between an agent's own file and its runtime: rule 4. False where the file decides."""
    if runtime is None:
        return False
    if file.status is None or file.at is None:
        return True
    return runtime.status != "unknown" and runtime.at >= file.at
