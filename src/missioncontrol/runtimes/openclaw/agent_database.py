"""OpenClaw's databases of sessions, one for each agent.

The position in a session is the number of its last event that was read. A session that is gone is no longer read. One
whose events begin again is read again; the keys of its responses keep them from counting twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from missioncontrol.events import now
from missioncontrol.runtimes.base import FileReader
from missioncontrol.runtimes.files.archive import unpack
from missioncontrol.runtimes.files.database import (
    MAX_VALUE,
    Database,
    Row,
    number_of,
    text_of,
    time_of,
)
from missioncontrol.runtimes.lines import shorten
from missioncontrol.runtimes.openclaw.transcript import RUN_STATUSES, RUNTIME, Memory, OpenClawParser
from missioncontrol.runtimes.records import MAX_LABEL, Record, SessionInfo, Turn

PORTION = 8 << 20
MAX_EVENT = MAX_VALUE
"""The largest event that is unpacked, in bytes."""

MAX_TITLE = 100_000
"""The longest title that is shortened to be shown, in characters; a longer one is none."""

LAST = (1 << 63) - 1
"""The largest number that an event may have: what is sorted behind it is a text or a BLOB."""

NEWEST_EVENTS = f"""
    SELECT session_id, CAST(max(seq) AS INTEGER) FROM transcript_events WHERE seq <= {LAST} GROUP BY session_id
"""  # noqa: S608
_NEWEST_EVENTS_BY_WINDOW = f"""
    SELECT session_id, (
        SELECT CAST(max(seq) AS INTEGER) FROM transcript_events AS e
        WHERE e.session_id = w.session_id AND e.seq <= {LAST}
    )
    FROM session_windows AS w
"""  # noqa: S608


class AgentPosition(msgspec.Struct, omit_defaults=True):
    """How far an agent's database has been read; kept as JSON.

    `sessions` has the number of each session's last event, `unheard` the parser's state of the sessions without a
    first user message yet. `nodes` is the time of change of the newest conversation that was reported, `broken` the
    number of events that cannot be read.
    """

    signature: str = ""
    sessions: dict[str, int] = {}
    unheard: dict[str, Memory] = {}
    nodes: int = 0
    broken: int = 0


AGENT_POSITIONS = msgspec.json.Decoder(AgentPosition)


class AgentDatabase(FileReader):
    """The sessions of one agent: `agents/<id>/agent/openclaw-agent.sqlite`. To be used on one thread."""

    def __init__(self, path: Path, agent: str, stop: Callable[[], bool] = lambda: False) -> None:
        """Prepare; nothing is opened before it is read.

        Args:
            path: the database.
            agent: the name of the agent's folder.
            stop: returns whether the reading is to be stopped.
        """
        self._database = Database(path, stop)
        self._agent = agent
        self._done: tuple[Row, AgentPosition] | None = None
        self._reported: dict[str, Row] = {}

    def close(self) -> None:
        """Close the connection; the next reading opens another."""
        self._database.close()

    def read(self, position: AgentPosition, limit_bytes: int = PORTION) -> tuple[list[Record], AgentPosition]:
        """Return what is new, and where to read on.

        There is more to read at once where the position has moved.

        Args:
            position: where the last reading ended; a new one for the first. It stays as it is.
            limit_bytes: about how much to read at most; an event is always read whole.

        Raises:
            FileNotFoundError: the database is not there.
            UnreadableError: it is locked or damaged for now; the message says what.
            WorkStopped: the reading was stopped.
        """
        before = position
        position = AGENT_POSITIONS.decode(msgspec.json.encode(position))
        database = self._database
        with database.reading():
            version = database.version()
            if self._done == (version, position):
                return [], position
            signature = database.signature()
            if position.signature != signature:
                position = AgentPosition(signature, broken=position.broken)
                self._reported = {}
            records = self._nodes(position)
            if database.has("transcript_events", "session_id", "seq"):
                records += self._events(position, limit_bytes)
        self._done = (version, position) if position == before else None
        return records, position

    def _nodes(self, position: AgentPosition) -> list[Record]:
        """Return the conversations that have changed: who they are, and what they do."""
        database = self._database
        columns = "session_key current_session_id status updated_at parent_session_key spawned_by label display_name"
        if not database.has("session_nodes", "session_key", "current_session_id", "updated_at"):
            return []
        records: list[Record] = []
        # Conversations of the newest millisecond are read again: another one may have changed in it.
        select = database.select("session_nodes", columns, "WHERE updated_at >= ? ORDER BY updated_at")
        present = now()
        for row in database.rows(select, position.nodes):
            if self._reported.get(row[0]) == row:
                continue
            self._reported[row[0]] = row
            key, session, at = text_of(row[0]), text_of(row[1]), time_of(row[3])
            if key is None or session is None or at is None:
                position.broken += 1
                continue
            status = text_of(row[2])
            # A time in the future must not hide what is written until then.
            position.nodes = max(position.nodes, min(at, present))
            title = text_of(row[6], MAX_TITLE) or text_of(row[7], MAX_TITLE)
            parent = self._session_of(text_of(row[4]) or text_of(row[5]))
            records.append(
                SessionInfo(
                    session,
                    RUNTIME,
                    agent=self._agent,
                    key=key,
                    parent=parent if parent != session else None,
                    title=title and shorten(title, MAX_LABEL),
                )
            )
            if status in RUN_STATUSES:
                records.append(Turn(session, at, *RUN_STATUSES[status]))
        return records

    def _session_of(self, key: str | None) -> str | None:
        if key is None:
            return None
        sql = "SELECT current_session_id FROM session_nodes WHERE session_key = ?"
        return next((text_of(session) for (session,) in self._database.each(sql, key)), None)

    def _events(self, position: AgentPosition, limit: int) -> list[Record]:
        database = self._database
        windows = database.has("session_windows", "session_id")
        newest = newest_events(database.rows(_NEWEST_EVENTS_BY_WINDOW if windows else NEWEST_EVENTS))
        position.sessions = {session: seq for session, seq in position.sessions.items() if session in newest}
        position.unheard = {
            session: memory for session, memory in position.unheard.items() if session in newest
        }
        records: list[Record] = []
        for session, last in newest.items():
            known = position.sessions.get(session, -1)
            if last < known:
                known = -1
            if last > known and limit > 0:
                found, read = self._session(session, known, position, limit)
                records += found
                limit -= read
        return records

    def _session(
        self, session: str, known: int, position: AgentPosition, limit: int
    ) -> tuple[list[Record], int]:
        """Return the records of a session after its event `known`, and how many bytes were read for them."""
        database = self._database
        memory = position.unheard.pop(session, None)
        if memory is None or known < 0:
            memory = Memory(session=session, introduced=known >= 0)
        parser = OpenClawParser(self._agent, memory)
        records: list[Record] = []
        read = 0
        if database.has("session_windows", "session_id"):
            columns = "session_key display_name model_provider model"
            rest = "WHERE session_id = ?"
            for key, name, provider, model in database.rows(
                database.select("session_windows", columns, rest), session
            ):
                memory.provider, memory.model = text_of(provider), text_of(model) or ""
                title = text_of(name, MAX_TITLE)
                memory.title = memory.title or (title and shorten(title, MAX_LABEL))
                if known < 0:
                    info = SessionInfo(
                        session, RUNTIME, agent=self._agent, key=text_of(key), title=memory.title
                    )
                    records.append(info)
        for seq, event, created in events_after(database, session, known):
            memory.at = created or memory.at
            position.sessions[session] = seq
            try:
                if event is None:
                    raise ValueError("it cannot be read")
                read += len(event)
                records += parser.parse(event)
            except ValueError:
                position.broken += 1
            if read >= limit:
                break
        if not memory.introduced:
            position.unheard[session] = memory
        return records, read


def newest_events(rows: Iterable[Row]) -> dict[str, int]:
    """Return the number of the last event of each session, of rows with both; rows with anything else are skipped."""
    return {
        session: seq
        for session, seq in ((text_of(session), number_of(seq)) for session, seq in rows)
        if session is not None and seq is not None
    }


def events_after(
    database: Database, session: str, known: int
) -> Iterator[tuple[int, str | bytes | None, int | None]]:
    """Return the events of a session after the number `known`, each with its number and the time of its entry.

    An event is None where it cannot be read: its value is of another type, cannot be unpacked, or is too long.
    """
    columns = "seq event_json event_zstd created_at"
    all_after = database.select(
        "transcript_events", columns, f"WHERE session_id = ? AND seq > ? AND seq <= {LAST} ORDER BY seq"
    )
    one = database.select("transcript_events", columns, "WHERE session_id = ? AND seq = ?")
    while True:
        try:
            for seq, text, packed, created in database.each(all_after, session, known):
                if isinstance(seq, int):
                    known = seq
                    yield seq, _event_of(text, packed), time_of(created)
            return
        except sqlite3.DataError:
            # A row is longer than is read, and SQLite's interface is a row ahead: this one, or the one behind it.
            sql = f"SELECT min(seq) FROM transcript_events WHERE session_id = ? AND seq > ? AND seq <= {LAST}"  # noqa: S608
            following = number_of(database.rows(sql, session, known)[0][0])
        if following is None:
            return
        known = following
        try:
            rows = database.rows(one, session, following)
        except sqlite3.DataError:
            rows = [(following, None, None, None)]
        for _, text, packed, created in rows[:1]:
            yield following, _event_of(text, packed), time_of(created)


def _event_of(text: object, packed: object) -> str | bytes | None:
    if packed is None:
        return text if isinstance(text, (str, bytes)) else None
    try:
        return unpack(packed, MAX_EVENT) if isinstance(packed, bytes) else None
    except ValueError:
        return None
