"""Control messages (cmsg(3)): what the system says of a packet besides its bytes, and is told of one.

`tos`, `ttl` and `tclass` are such messages. `recvtos`, `recvttl` and `recvtclass` ask for them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from socket import AF_INET, AF_INET6, IP_TOS, IP_TTL, IPPROTO_IP, IPPROTO_IPV6, IPV6_TCLASS
from typing import TYPE_CHECKING, TypeAlias

from ..codec.terms import Atom
from .option import Option, OptionError, Target

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "ControlMessage", "build_control", "get_pktoptions", "parse_control", "parse_messages",
    "remember_tclass", "remember_tos", "remember_ttl",
]  # fmt: skip

ControlMessage: TypeAlias = tuple[int, int, bytes]  # level, type, data: as recvmsg and sendmsg have it

# Of linux/in.h and in6.h, where Python has no names for them.
IP_PKTOPTIONS, IPV6_2292PKTOPTIONS = 9, 6

MAX_PKTOPTIONS = 1024  # bytes: the system has no more
_HEAD = struct.Struct("Nii")  # of a control message: its size with the head, level, type

# (level, type) -> the option that the message is about
_NAMES = {
    (IPPROTO_IP, IP_TOS): Atom("tos"),
    (IPPROTO_IP, IP_TTL): Atom("ttl"),
    (IPPROTO_IPV6, IPV6_TCLASS): Atom("tclass"),
}
_PLACES = {option.name: place for place, option in _NAMES.items()}

# family -> (level, constant): the control messages of the last packet
_PKTOPTIONS: dict[int, tuple[int, int]] = {
    AF_INET: (IPPROTO_IP, IP_PKTOPTIONS),
    AF_INET6: (IPPROTO_IPV6, IPV6_2292PKTOPTIONS),
}


def parse_messages(control: Iterable[ControlMessage]) -> list[tuple[Atom, int]]:
    """`[{tos, N}, ...]` of what recvmsg(2) gives."""
    return [
        (_NAMES[level, kind], int.from_bytes(data[: 4 if len(data) >= 4 else 1], "little"))
        for level, kind, data in control
        if (level, kind) in _NAMES
    ]


def parse_control(data: bytes) -> list[tuple[Atom, int]]:
    """The same, of a buffer of control messages."""
    found: list[ControlMessage] = []
    at = 0
    while at + _HEAD.size <= len(data):
        size, level, kind = _HEAD.unpack_from(data, at)
        if size < _HEAD.size:
            break
        found.append((level, kind, data[at + _HEAD.size : at + size]))
        at += (size + 7) & ~7
    return parse_messages(found)


def build_control(settings: Iterable[tuple[Option, object]]) -> list[ControlMessage]:
    """Control messages for sendmsg(2), of parsed options. Raises OptionError for other options."""
    control = []
    for option, value in settings:
        place = _PLACES.get(option.name)
        if place is None:
            raise OptionError(f"no control message: {option.name}")
        control.append((*place, struct.pack("i", value)))
    return control


def get_pktoptions(target: Target) -> list[tuple[Atom, int]]:
    """The control messages of the last packet, as far as `recvtos` and the like ask for them."""
    place = _PKTOPTIONS.get(target.family())
    if place is None:
        raise OptionError("no socket of the internet")
    return parse_control(target.get_system_option(*place, MAX_PKTOPTIONS))


def _remember(bit: int) -> Callable[[Settings, object], None]:
    """Notes in `controls` that datagrams come with a control message, or no longer."""

    def remember(settings: Settings, value: object) -> None:
        settings.controls = settings.controls | bit if value else settings.controls & ~bit

    return remember


remember_tclass, remember_tos, remember_ttl = _remember(1), _remember(2), _remember(4)
