"""Control messages (cmsg(3)): what the system says of a packet besides its bytes, and is told of one.

`tos`, `ttl` and `tclass` are such messages. `recvtos`, `recvttl` and `recvtclass` ask for them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from socket import AF_INET, AF_INET6, IPPROTO_IPV6
from typing import TYPE_CHECKING

from ..codec.terms import Atom
from ..host import cmsg
from ..host.cmsg import ControlMessage
from .option import Option, OptionError, Target
from .plain import PLAIN_OPTIONS
from .plain_control import CONTROL

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "PKTOPTIONS", "ControlMessage", "build_control", "get_pktoptions", "parse_control", "parse_messages",
    "remember_tclass", "remember_tos", "remember_ttl",
]  # fmt: skip

IPV6_2292PKTOPTIONS = 6  # of linux/in6.h; `socket` has another option of that name, which Linux does not have

# (level, type) -> the option that the message is about
_NAMES = {
    place: Atom(row.name)
    for place, row in CONTROL.items()
    if (row.level, row.name) in {("ip", "tos"), ("ip", "ttl"), ("ipv6", "tclass")}
}
_PLACES = {option.name: place for place, option in _NAMES.items()}

PKTOPTIONS = PLAIN_OPTIONS["ip", "pktoptions"]

# family -> (level, constant): the control messages of the last packet
_PKTOPTIONS: dict[int, tuple[int, int]] = {
    AF_INET: PKTOPTIONS.place,
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
    return parse_messages(cmsg.unpack(data))


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
    return parse_control(target.get_system_option(*place, PKTOPTIONS.size))


def _remember(bit: int) -> Callable[[Settings, object], None]:
    """Notes in `controls` that datagrams come with a control message, or no longer."""

    def remember(settings: Settings, value: object) -> None:
        settings.controls = settings.controls | bit if value else settings.controls & ~bit

    return remember


remember_tclass, remember_tos, remember_ttl = _remember(1), _remember(2), _remember(4)
