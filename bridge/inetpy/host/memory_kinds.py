"""The kinds of sockets that there are in memory: socket(2).

What the kernel refuses is refused with the same error. Besides, there are no raw sockets, no sockets of
packets, of netlink, of MPTCP and the like in memory: the errors are those of a kernel without them.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)

from .errors import os_error

__all__ = ["kind_of"]

_NO_KIND, _NO_FAMILY = 11, 46  # SOCK_MAX and AF_MAX of the kernel
_NO_PROTOCOL = 263  # IPPROTO_MAX
_FLAGS = 0o2004000  # SOCK_CLOEXEC and SOCK_NONBLOCK
_IP: Mapping[int, int] = {SOCK_STREAM: IPPROTO_TCP, SOCK_DGRAM: IPPROTO_UDP}
_PING: Mapping[int, int] = {AF_INET: IPPROTO_ICMP, AF_INET6: IPPROTO_ICMPV6}
# A raw socket of the unix domain is one of datagrams.
_UNIX: Mapping[int, int] = {
    SOCK_STREAM: SOCK_STREAM, SOCK_DGRAM: SOCK_DGRAM, SOCK_RAW: SOCK_DGRAM, SOCK_SEQPACKET: SOCK_SEQPACKET,
}  # fmt: skip


def kind_of(family: int, kind: int, protocol: int = 0) -> tuple[int, int]:
    """What SO_TYPE and SO_PROTOCOL say of a new socket. Raises OSError where there is no such socket."""
    if kind & ~0xF & ~_FLAGS:
        raise os_error(errno.EINVAL)
    kind &= 0xF
    if not 0 <= family < _NO_FAMILY:
        raise os_error(errno.EAFNOSUPPORT)
    if kind >= _NO_KIND:
        raise os_error(errno.EINVAL)
    if family == AF_UNIX:
        return _unix_kind(kind, protocol)
    if family not in (AF_INET, AF_INET6):
        raise os_error(errno.EAFNOSUPPORT)
    return _ip_kind(family, kind, protocol)


def _unix_kind(kind: int, protocol: int) -> tuple[int, int]:
    if protocol not in (0, AF_UNIX):
        raise os_error(errno.EPROTONOSUPPORT)
    if kind not in _UNIX:
        raise os_error(errno.ESOCKTNOSUPPORT)
    return _UNIX[kind], 0


def _ip_kind(family: int, kind: int, protocol: int) -> tuple[int, int]:
    if not 0 <= protocol < _NO_PROTOCOL:
        raise os_error(errno.EINVAL)
    if kind not in _IP:
        raise os_error(errno.ESOCKTNOSUPPORT)
    if kind == SOCK_DGRAM and protocol == _PING[family]:
        raise os_error(errno.EACCES)  # as where no group may send pings
    if protocol not in (0, _IP[kind]):
        raise os_error(errno.EPROTONOSUPPORT)
    return kind, _IP[kind]
