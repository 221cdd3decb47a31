"""Whether an agent has been told to stop, by a budget's decision: whatever begins new work hands that on."""

from __future__ import annotations

from missioncontrol.server.service import Service

STOP = "Do not begin anything new: finish or leave what you are doing, and end."


def stopped(service: Service, agent: str) -> str | None:
    """Return the sentence why an agent has been told to stop; None where it has not."""
    reason = service.tokens.stopped(agent)
    return None if reason is None else f"{reason} {STOP}"
