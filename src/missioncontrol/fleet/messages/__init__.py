"""What is said in transcripts, kept to be read and to be found; it tells no events."""

from missioncontrol.fleet.messages.index import END, NAME, MessageIndex, SessionSpan, Utterance, first_id
from missioncontrol.fleet.messages.source import Messages

__all__ = ["END", "NAME", "MessageIndex", "Messages", "SessionSpan", "Utterance", "first_id"]
