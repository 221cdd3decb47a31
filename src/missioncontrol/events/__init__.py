"""Events, cursors and patterns: the words that every other part speaks."""

from missioncontrol.events.catalogue import CATALOGUE
from missioncontrol.events.cursor import Cursor, new_epoch
from missioncontrol.events.event import (
    MAX_DATA_BYTES,
    Data,
    Draft,
    Event,
    Record,
    convert_drafts,
    decode_drafts,
    decode_event,
    encode_body,
    encode_data,
    encode_source,
    is_traceparent,
    now,
    rfc3339,
    subject_of,
    write_body,
)
from missioncontrol.events.patterns import EVERYTHING, NOTHING, Patterns, check_type

__all__ = [
    "CATALOGUE",
    "EVERYTHING",
    "MAX_DATA_BYTES",
    "NOTHING",
    "Cursor",
    "Data",
    "Draft",
    "Event",
    "Patterns",
    "Record",
    "check_type",
    "convert_drafts",
    "decode_drafts",
    "decode_event",
    "encode_body",
    "encode_data",
    "encode_source",
    "is_traceparent",
    "new_epoch",
    "now",
    "rfc3339",
    "subject_of",
    "write_body",
]
