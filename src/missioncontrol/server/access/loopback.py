"""Who is at the other end of a loopback connection: the kernel is asked for the user of the peer's socket.

On Linux by `sock_diag` (man 7 sock_diag), which needs no privileges and takes about 0.1 ms; where that is not
available, by `/proc/net/tcp`. Other systems have no such interface: there every loopback peer counts as this user.

Invariants:

- only a socket that a process still holds counts: the kernel reports sockets without one as root's;
- a peer whose user cannot be found out, although the kernel answers, counts as another user.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import struct
import sys
from contextlib import suppress
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_SOCKET_ID = struct.Struct("!HH16s16s")
_ANY_INTERFACE = struct.pack("=III", 0, 0xFFFF_FFFF, 0xFFFF_FFFF)
_UID_AT = 16 + 4 + 48 + 12
"""Where a reply has the user: after the headers of netlink and of the reply, the socket's id, and three numbers."""

_MISSING = (errno.ENOENT, errno.ESTALE)
TIMEOUT_SECONDS = 0.5

logger = logging.getLogger(__name__)

Address = tuple[str, int]
Ip = IPv4Address | IPv6Address


class Unavailable(Exception):
    """This system does not answer such questions."""


def is_loopback_connection(client: Address, server: Address) -> bool:
    """Return whether both ends of a connection are on this machine; addresses as `getpeername` returns them."""
    with suppress(ValueError):
        client_ip, server_ip = _ip(client[0]), _ip(server[0])
        return client_ip.is_loopback or client_ip == server_ip
    return False


def peer_user(client: Address, server: Address) -> int | None:
    """Return the user of the program at the other end of a loopback connection; None if no program is there.

    Where the system does not tell, it is this user.

    Args:
        client: address and port of the peer.
        server: address and port of our end.
    """
    if not sys.platform.startswith("linux"):
        return os.geteuid()
    try:
        return user_of(client, server)
    except Unavailable as error:
        _warn(str(error))
        return os.geteuid()


def tells_users() -> bool:
    """Return whether this system says which user is at the other end of a loopback connection."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        user_of(("127.0.0.1", 1), ("127.0.0.1", 1))
    except Unavailable:
        return False
    return True


def user_of(client: Address, server: Address) -> int | None:
    """Return the user id of the process that holds the socket at the client's end; None if none does.

    Raises:
        Unavailable: neither `sock_diag` nor `/proc/net/tcp` can be read.
    """
    try:
        return _by_sock_diag(client, server)
    except OSError:
        return _by_proc(client, server)


def _by_sock_diag(client: Address, server: Address) -> int | None:
    client_ip, server_ip = _ip(client[0]), _ip(server[0])
    family = socket.AF_INET if client_ip.version == 4 else socket.AF_INET6
    body = (
        _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFF_FFFF)
        + _SOCKET_ID.pack(client[1], server[1], client_ip.packed, server_ip.packed)
        + _ANY_INTERFACE
    )
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    ) as netlink:
        netlink.settimeout(TIMEOUT_SECONDS)
        head = _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)
        netlink.sendto(head + body, (0, 0))
        reply = netlink.recv(8192)
    _, kind, _, _, _ = _HEADER.unpack_from(reply)
    if kind == _NLMSG_ERROR:
        code = -int(struct.unpack_from("=i", reply, _HEADER.size)[0])
        if code in _MISSING:
            return None
        raise OSError(code, os.strerror(code))
    user, inode = struct.unpack_from("=II", reply, _UID_AT)
    return int(user) if inode else None


def _by_proc(client: Address, server: Address) -> int | None:
    """Find the socket in the kernel's tables; a client's IPv6 socket may hold an IPv4 connection."""
    read = False
    for name in ("tcp", "tcp6"):
        with suppress(OSError, ValueError):
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
            read = True
            for line in lines:
                fields = line.split()
                if _same(fields[1], client) and _same(fields[2], server):
                    return int(fields[7]) if fields[9] != "0" else None
    if not read:
        raise Unavailable("neither sock_diag nor /proc/net/tcp can be read")
    return None


def _same(text: str, address: Address) -> bool:
    digits, _, port = text.partition(":")
    if int(port, 16) != address[1]:
        return False
    # Each 32-bit word is written in the machine's own order.
    words = [int(digits[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(digits), 8)]
    return _plain(ip_address(b"".join(words))) == _ip(address[0])


def _ip(text: str) -> Ip:
    return _plain(ip_address(text.partition("%")[0]))


def _plain(address: Ip) -> Ip:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@cache
def _warn(reason: str) -> None:
    logger.warning("access.users_unknown", extra={"reason": reason})
