"""OpenClaw's databases of sessions, one for each agent.

What a session has told is known by the number of its last event. A session that is gone is simply no longer read; one
whose events begin anew is read again, and the keys of its responses keep them from counting twice.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from missioncontrol.sources.transcripts.archive import unpack
from missioncontrol.sources.transcripts.database import Database, Row
from missioncontrol.sources.transcripts.lines import shorten
from missioncontrol.sources.transcripts.openclaw import RUN_STATUSES, RUNTIME, Memory, OpenClawParser
from missioncontrol.sources.transcripts.records import MAX_LABEL, Record, SessionInfo, Turn

PORTION = 8 << 20
MAX_EVENT = 64 << 20
"""The largest event that is unpacked, in bytes."""

_SESSIONS = """
    SELECT session_id, (SELECT max(seq) FROM transcript_events AS e WHERE e.session_id = w.session_id)
    FROM session_windows AS w
"""
_SESSIONS_WITHOUT_WINDOWS = "SELECT session_id, max(seq) FROM transcript_events GROUP BY session_id"


class AgentPosition(msgspec.Struct, omit_defaults=True):
    """How far an agent's database has been read; kept as JSON.

    `sessions` has the number of each session's last event, `unheard` what is known of those whose first user message
    has not come yet. `nodes` is when the newest conversation that was told had changed, `broken` counts the events
    that cannot be read.
    """

    signature: str = ""
    sessions: dict[str, int] = {}
    unheard: dict[str, Memory] = {}
    nodes: int = 0
    broken: int = 0


class AgentDatabase:
    """The sessions of one agent: `agents/<id>/agent/openclaw-agent.sqlite`. Not for two threads at the same time."""

    def __init__(self, path: Path, agent: str) -> None:
        """Prepare; nothing is opened before it is read.

        Args:
            path: the database.
            agent: the name of the agent's folder.
        """
        self._database = Database(path)
        self._agent = agent
        self._done: tuple[Row, AgentPosition] | None = None
        self._told: dict[str, Row] = {}

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
        """
        before = position
        position = msgspec.json.decode(msgspec.json.encode(position), type=AgentPosition)
        database = self._database
        with database.reading():
            version = database.version()
            if self._done == (version, position):
                return [], position
            signature = database.signature()
            if position.signature != signature:
                position = AgentPosition(signature, broken=position.broken)
                self._told = {}
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
        # Those of the newest millisecond are looked at again: another may have changed in it.
        select = database.select("session_nodes", columns, "WHERE updated_at >= ? ORDER BY updated_at")
        for row in database.rows(select, position.nodes):
            key, session, status, at, parent_key, spawned_by, label, display_name = row
            if self._told.get(key) == row:
                continue
            self._told[key] = row
            position.nodes = at
            title = label or display_name
            parent = self._session_of(parent_key or spawned_by)
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
        return next((session for (session,) in self._database.each(sql, key)), None)

    def _events(self, position: AgentPosition, limit: int) -> list[Record]:
        database = self._database
        windows = database.has("session_windows", "session_id")
        newest: dict[str, int] = {
            session: seq
            for session, seq in database.rows(_SESSIONS if windows else _SESSIONS_WITHOUT_WINDOWS)
            if seq is not None
        }
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
                told, read = self._session(session, known, position, limit)
                records += told
                limit -= read
        return records

    def _session(
        self, session: str, known: int, position: AgentPosition, limit: int
    ) -> tuple[list[Record], int]:
        """Return what a session tells after its event `known`, and how many bytes were read for it."""
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
                memory.provider, memory.model = provider, model or ""
                memory.title = memory.title or (name and shorten(name, MAX_LABEL))
                if known < 0:
                    info = SessionInfo(session, RUNTIME, agent=self._agent, key=key, title=memory.title)
                    records.append(info)
        columns = "seq event_json event_zstd created_at"
        rest = "WHERE session_id = ? AND seq > ? ORDER BY seq"
        for seq, text, packed, created in database.each(
            database.select("transcript_events", columns, rest), session, known
        ):
            memory.at = created or memory.at
            position.sessions[session] = seq
            try:
                event = text if packed is None else unpack(packed, MAX_EVENT)
                read += len(event or "")
                records += parser.parse(event or b"")
            except ValueError:
                position.broken += 1
            if read >= limit:
                break
        if not memory.introduced:
            position.unheard[session] = memory
        return records, read
