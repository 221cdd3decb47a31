"""The Python client: every event of a subscription exactly once and in order, whatever happens between.

`Client` follows the stream and publishes; `Publisher` only publishes; `publish` is one call for a script or a
hook that has no event loop.
"""

from missioncontrol.client.client import Client, StateListener
from missioncontrol.client.http import call
from missioncontrol.client.items import (
    ClientError,
    ClientState,
    Gap,
    Item,
    Refused,
    Snapshot,
    Transport,
    Unreachable,
)
from missioncontrol.client.publishing import Publisher, publish
from missioncontrol.config import DEFAULT_URL
from missioncontrol.events import Event

__all__ = [
    "DEFAULT_URL",
    "Client",
    "ClientError",
    "ClientState",
    "Event",
    "Gap",
    "Item",
    "Publisher",
    "Refused",
    "Snapshot",
    "StateListener",
    "Transport",
    "Unreachable",
    "call",
    "publish",
]
