"""The listening sockets: the ports that are named, or free ones near the usual."""

from __future__ import annotations

import errno
import logging
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from missioncontrol.config import DEFAULT_PORT, Config, ServerConfig
from missioncontrol.errors import ConfigError
from missioncontrol.server.room import MAX_BACKLOG

if TYPE_CHECKING:
    # NATS's library is large, and most fleets do without.
    pass


logger = logging.getLogger(__name__)

NEAR_PORTS = range(3003, 3020)
"""What is tried where the usual port is taken; the one in between is the usual second port."""


def bind(config: Config) -> list[socket.socket]:
    """Open the listening sockets, all or none.

    A default port that is taken gives way, one that was asked for is an error.

    Raises:
        ConfigError: the host is wrong, or a port that was asked for cannot be opened.
    """
    server = config.server
    first = (
        _listen_somewhere(server) if server.port == "auto" else _listen(server.host, server.port, "--port")
    )
    second = server.wanted_ws_port
    if second is None or (second == first.getsockname()[1] and second):
        return [first]
    try:
        return [first, _listen(server.host, second, "--ws-port")]
    except PortTaken:
        if server.ws_port != "auto":
            first.close()
            raise
        logger.warning("ports.second_left_out", extra={"taken": second, "port": first.getsockname()[1]})
        return [first]
    except BaseException:
        first.close()
        raise


def _listen_somewhere(server: ServerConfig) -> socket.socket:
    """Listen on the usual port, else on one near it, else on any free one."""
    try:
        return _listen(server.host, DEFAULT_PORT, "--port")
    except PortTaken:
        pass
    # Near it first, and in the same order each time: bookmarks, and what a browser keeps for an origin, go by the port.
    for port in (*NEAR_PORTS, 0):
        with suppress(PortTaken):
            sock = _listen(server.host, port, "--port")
            break
    logger.warning(
        "ports.default_taken",
        extra={"taken": DEFAULT_PORT, "port": sock.getsockname()[1], "hint": "--port names one for good"},
    )
    return sock


class PortTaken(ConfigError):
    """Another program listens on the port."""


def _listen(host: str, port: int, flag: str) -> socket.socket:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"The host {host!r} cannot be listened on: {error.strerror or error}.") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(MAX_BACKLOG)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        kind_ = PortTaken if error.errno == errno.EADDRINUSE else ConfigError
        raise kind_(
            f"The port {port} on {host} cannot be opened ({error.strerror}); "
            f"stop what uses it, or choose another one with {flag} (0 takes any free one)."
        ) from None
    return sock


def address(sock: socket.socket) -> str:
    """Return where a socket listens, as it is written in a URL."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
