"""OpenClaw's gateway: what it has written down of runs, of its jobs, and of itself."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from missioncontrol.runtimes.base import FileReader
from missioncontrol.runtimes.files.database import Database, Row, number_of, text_of, time_of
from missioncontrol.runtimes.openclaw.transcript import RUNTIME
from missioncontrol.runtimes.records import MAX_LABEL, Record, SessionInfo, Turn

EVENTS = 5_000
"""How many events are read at a time."""

MAX_MET = 100_000
"""How many sessions are remembered as introduced; beyond that they are introduced again."""

MAX_PAYLOAD = 1 << 20
_MAX_PID = 1 << 31

_OWNER = "gateway-owner"
_START_TIME = 19
"""The position of a process's start time among the fields after its name in `/proc/<pid>/stat`."""


class StatePosition(msgspec.Struct, omit_defaults=True):
    """How far the gateway's database has been read; kept as JSON. `sequence` is the number of the last event."""

    signature: str = ""
    sequence: int = 0


STATE_POSITIONS = msgspec.json.Decoder(StatePosition)


class CronJob(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job that the gateway runs by itself; times in milliseconds since 1970.

    `builtin` jobs are the gateway's own. `consecutive_errors` is how often in a row it has failed by now.
    """

    id: str
    name: str
    agent: str | None = None
    enabled: bool = True
    builtin: bool = False
    next_run: int | None = None
    last_run: int | None = None
    last_status: str | None = None
    last_error: str | None = None
    consecutive_errors: int = 0


class _CronState(msgspec.Struct, rename="camel"):
    next_run_at_ms: int | None = None
    last_run_at_ms: int | None = None
    last_run_status: str | None = None
    last_error: str | None = None
    consecutive_errors: int | None = None


class _Process(msgspec.Struct, rename="camel"):
    pid: int | None = None
    host: str | None = None
    started_at: int | None = None


class _Lease(msgspec.Struct):
    owner: _Process | None = None


_cron_states = msgspec.json.Decoder(_CronState)
_leases = msgspec.json.Decoder(_Lease)


class StateDatabase(FileReader):
    """The gateway's database, `state/openclaw.sqlite`. To be used on one thread.

    Every method raises `FileNotFoundError` where the database is not there, `UnreadableError` where it is locked or
    damaged for now, and `WorkStopped` where `stop` says that what is read is not needed any more.
    """

    def __init__(self, path: Path, stop: Callable[[], bool] = lambda: False) -> None:
        self._database = Database(path, stop)
        self._done: tuple[Row, StatePosition] | None = None
        self._met: set[str] = set()

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        self._database.close()

    def read(self, position: StatePosition) -> tuple[list[Record], StatePosition]:
        """Return the statuses of sessions by the events after a position, and the position to continue from.

        There is more to read at once where the position has moved.

        Args:
            position: where the last reading ended; a new one for the first. It stays as it is.
        """
        before, database = position, self._database
        with database.reading():
            version = database.version()
            if self._done == (version, position):
                return [], position
            signature = database.signature()
            position = StatePosition(signature, before.sequence if before.signature == signature else 0)
            records: list[Record] = []
            if database.has("audit_events", "sequence", "action", "session_id"):
                columns = "sequence occurred_at action status error_code agent_id session_key session_id"
                rest = "WHERE sequence > ? ORDER BY sequence LIMIT ?"
                for row in database.rows(
                    database.select("audit_events", columns, rest), position.sequence, EVENTS
                ):
                    sequence = number_of(row[0])
                    if sequence is None:
                        # Texts and BLOBs come behind all numbers.
                        break
                    position.sequence = sequence
                    records += self._event(time_of(row[1]), *map(text_of, row[2:]))
        self._done = (version, position) if position == before else None
        return records, position

    def is_alive(self, now: int) -> bool | None:
        """Return whether the gateway runs; None if that is not known.

        A gateway that was killed leaves its lease behind. It expires after some minutes; for a gateway of this machine
        its process is checked.

        Args:
            now: the time in milliseconds since 1970.
        """
        database = self._database
        with database.reading():
            if database.has("state_leases", "scope", "expires_at"):
                select = database.select(
                    "state_leases", "expires_at payload_json", "WHERE scope = ? ORDER BY expires_at DESC"
                )
                for expires, payload in database.each(select, _OWNER):
                    runs = _runs(text_of(payload, MAX_PAYLOAD))
                    until = number_of(expires)
                    return (until is None or until > now) if runs is None else runs
            if database.has("gateway_boot_lifecycle", "started_at_ms", "completed_at_ms"):
                select = database.select(
                    "gateway_boot_lifecycle", "completed_at_ms", "ORDER BY started_at_ms DESC LIMIT 1"
                )
                for (completed,) in database.rows(select):
                    return None if completed is None else False
        return None

    def cron_jobs(self) -> list[CronJob]:
        """Return the jobs, in the gateway's own order."""
        database = self._database
        with database.reading():
            if not database.has("cron_jobs", "job_id", "name"):
                return []
            columns = "job_id name agent_id enabled declaration_key state_json"
            order = (
                "ORDER BY sort_order, name" if database.has("cron_jobs", "sort_order") else "ORDER BY name"
            )
            rows = database.rows(database.select("cron_jobs", columns, order))
        jobs = (_job(*row) for row in rows)
        return [job for job in jobs if job is not None]

    def _event(
        self,
        at: int | None,
        action: str | None,
        status: str | None,
        error: str | None,
        agent: str | None,
        key: str | None,
        session: str | None,
    ) -> list[Record]:
        if session is None or at is None:
            return []
        if action == "agent.run.finished":
            match status:
                case "succeeded":
                    turn = Turn(session, at, "idle")
                case "cancelled":
                    turn = Turn(session, at, "idle", "aborted")
                case _:
                    turn = Turn(session, at, "error", error or status)
        elif action in ("agent.run.started", "tool.action.started", "tool.action.finished"):
            turn = Turn(session, at, "busy")
        else:
            return []
        if session in self._met:
            return [turn]
        if len(self._met) >= MAX_MET:
            self._met.clear()
        self._met.add(session)
        return [SessionInfo(session, RUNTIME, agent=agent, key=key), turn]


def _runs(payload: str | None) -> bool | None:
    """Return whether the process that holds a lease runs on this machine; None where it is not known."""
    try:
        owner = _leases.decode(payload or "{}").owner
    except (msgspec.DecodeError, RecursionError):
        return None
    if owner is None or owner.pid is None or owner.host != socket.gethostname():
        return None
    if not 0 < owner.pid < _MAX_PID:
        return None
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    started = _started(owner.pid)
    # Another process may have been given the number since.
    return None if started is None or owner.started_at is None else started == owner.started_at


def _started(pid: int) -> int | None:
    """Return when a process was started, in ticks since the machine was; None where that cannot be seen."""
    try:
        after_name = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        )
        return int(after_name.split()[_START_TIME])
    except (OSError, ValueError, IndexError):
        return None


def _job(
    id_: object, name: object, agent: object, enabled: object, declared: object, state_json: object
) -> CronJob | None:
    id_, name = text_of(id_), text_of(name, MAX_PAYLOAD)
    if id_ is None or name is None:
        return None
    try:
        state = _cron_states.decode(text_of(state_json, MAX_PAYLOAD) or "{}")
    except (msgspec.DecodeError, RecursionError):
        state = _CronState()
    return CronJob(
        id=id_,
        name=name[:MAX_LABEL],
        agent=text_of(agent),
        enabled=enabled != 0,
        builtin=declared is not None,
        next_run=state.next_run_at_ms,
        last_run=state.last_run_at_ms,
        last_status=state.last_run_status,
        last_error=state.last_error and state.last_error[:MAX_LABEL],
        consecutive_errors=state.consecutive_errors or 0,
    )
