"""Whether the other end of a TCP connection is still there, as the kernel knows it (Linux; elsewhere it is not known).

Two mechanisms, because neither sees everything:

- keepalive probes find a peer that is gone while nothing is in flight. They are set on the listening socket, and
  accepted sockets inherit them;
- while data is in flight the kernel sends no probes, and retransmits for a quarter of an hour. `seconds_unanswered`
  reads how long nothing has been acknowledged. `TCP_USER_TIMEOUT` would do that too, but it also ends a peer whose
  window is closed: that one is alive and only slow.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

LEAST_SECONDS = 1.0
"""Below that an acknowledgement may only be late: they are delayed by up to 200 ms, and repeated after as much."""

_SIZE = 232
_UNACKED, _LAST_DATA_RECEIVED, _LAST_ACK_RECEIVED, _SEND_WINDOW = 24, 52, 56, 228
_PROBES = 3
"""Where the fields are in `struct tcp_info`, in bytes (linux/tcp.h)."""

_U32 = struct.Struct("=I")


def probe_idle_peers(listener: socket.socket, interval: float) -> None:
    """Have connections that this socket accepts closed within two intervals after their peer is gone.

    Args:
        listener: the listening socket.
        interval: the heartbeat's, in seconds; the kernel counts whole seconds, so that below one it is one.
    """
    if not sys.platform.startswith("linux"):
        return
    idle = max(1, int(interval))
    every = max(1, int(interval / 3))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, max(1, int(2 * interval - idle) // every))


def seconds_unanswered(sock: Any) -> float | None:
    """Return for how long a peer that owes an acknowledgement has sent nothing.

    Args:
        sock: the connection's socket, or a transport's view of it.

    Returns:
        Seconds; None where it owes nothing, its window is closed and probes are answered, or it cannot be known.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
    except OSError:
        return None
    if len(info) < _SIZE:
        return None
    owes = _U32.unpack_from(info, _UNACKED)[0] and _U32.unpack_from(info, _SEND_WINDOW)[0]
    # A closed window is probed ever more seldom; the count of probes is that of those without an answer.
    if not owes and info[_PROBES] < 2:
        return None
    received = min(_U32.unpack_from(info, place)[0] for place in (_LAST_DATA_RECEIVED, _LAST_ACK_RECEIVED))
    return float(received) / 1000
