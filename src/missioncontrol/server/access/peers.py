"""The other end of each open connection, and the caller that has come in by it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from missioncontrol.server.access.loopback import Address, is_loopback_connection, peer_user
from missioncontrol.server.access.scopes import Caller

PEER = "mission_control.peer"
"""The key of the peer in an ASGI scope."""

CALLER = "mission_control.caller"
"""The key of the caller in an ASGI scope, once it is known."""


class Peer:
    """One connection as the access rules see it.

    `caller` is who made the newest request; `close` ends the connection and takes the reason.
    """

    __slots__ = ("__weakref__", "_client", "_known_user", "_server", "caller", "close")

    def __init__(self, client: Any, server: Any, close: Callable[[str], None]) -> None:
        """Keep the addresses of both ends, as `getpeername` and `getsockname` return them."""
        self._client = _address(client)
        self._server = _address(server)
        self._known_user: int | None = None
        self.caller: Caller | None = None
        self.close = close

    @property
    def is_other_user(self) -> bool:
        """Whether the other end is a program of another user, or not on this machine."""
        return self._user != os.geteuid()

    @property
    def may_be_owner(self) -> bool:
        """Whether the other end is a program of this user, or of root, as relays of virtual machines are."""
        return self._user in (os.geteuid(), 0)

    @property
    def _user(self) -> int | None:
        """The user at the other end; the kernel is asked once a connection."""
        if self._known_user is None:
            user = None
            if self._client is not None and self._server is not None:
                local = is_loopback_connection(self._client, self._server)
                user = peer_user(self._client, self._server) if local else None
            self._known_user = -1 if user is None else user
        return self._known_user

    def left(self) -> None:
        """Forget the connection, which is gone; so that neither waits for the garbage collector."""
        self.close = _nothing
        self.caller = None


def _nothing(reason: str) -> None:
    pass


class Peers:
    """All open connections."""

    def __init__(self) -> None:
        self._all: WeakSet[Peer] = WeakSet()

    def add(self, client: Any, server: Any, close: Callable[[str], None]) -> Peer:
        """Enter a new connection."""
        peer = Peer(client, server, close)
        self._all.add(peer)
        return peer

    def close_unless(self, valid: Callable[[Caller], bool], reason: str, but: Peer | None = None) -> int:
        """Close the connections whose caller is no longer valid, and return their number."""
        gone = [
            peer
            for peer in self._all
            if peer is not but and peer.caller is not None and not valid(peer.caller)
        ]
        for peer in gone:
            peer.close(reason)
        return len(gone)


def _address(name: Any) -> Address | None:
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) and len(name) >= 2 else None
