"""The durable log: its interface, and the logs in SQLite, in JetStream, and in memory, which says what is right."""

from missioncontrol.store.jetstream import JetStreamLog
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
    "JetStreamLog",
    "Listener",
    "Log",
    "LogFigures",
    "MemoryLog",
    "Page",
    "Retention",
    "SqliteLog",
    "StateCheckpoint",
]
