"""The messages of transcripts, stored for reading and search. This source publishes no events of its own."""

from missioncontrol.fleet.messages.index import END, NAME, MessageIndex, SessionSpan, Utterance, first_id
from missioncontrol.fleet.messages.source import Messages

__all__ = ["END", "NAME", "MessageIndex", "Messages", "SessionSpan", "Utterance", "first_id"]
