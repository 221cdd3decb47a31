"""The durable log: its interface, the SQLite one, and the one in memory that says what is right."""

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
