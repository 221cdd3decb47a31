"""The durable log: its interface, and the logs in SQLite and in memory, which says what is right.

The one in JetStream stands in `jetstream`, for whoever needs it: NATS's library is large.
"""

from missioncontrol.store.log import (
    MAX_APPEND_EVENTS,
    Checkpoint,
    Listener,
    Log,
    LogFigures,
    Page,
    Retention,
    StateCheckpoint,
)
from missioncontrol.store.memory import MemoryLog
from missioncontrol.store.sqlite import SqliteLog

__all__ = [
    "MAX_APPEND_EVENTS",
    "Checkpoint",
    "Listener",
    "Log",
    "LogFigures",
    "MemoryLog",
    "Page",
    "Retention",
    "SqliteLog",
    "StateCheckpoint",
]
