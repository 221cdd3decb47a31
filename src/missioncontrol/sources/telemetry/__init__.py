"""Telemetry that agents send by OTLP, read as what it says of agents and what they use."""

from missioncontrol.sources.telemetry.receiver import Receiver, SenderReport
from missioncontrol.sources.telemetry.signals import Encoding, Kind, Signal, decode, response, status

__all__ = ["Encoding", "Kind", "Receiver", "SenderReport", "Signal", "decode", "response", "status"]
