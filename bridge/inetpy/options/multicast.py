"""Groups, and the interface to send to them: constants of the system that depend on the family."""

from __future__ import annotations

from socket import AF_INET, AF_INET6

from .option import OptionError, Target
from .plain import PLAIN_OPTIONS, PlainOption

__all__ = [
    "ADD", "DROP", "INTERFACE", "add_membership", "drop_membership", "get_multicast_if", "is_short_ipv4",
    "set_multicast_if",
]  # fmt: skip


def _by_family(ipv4: str, ipv6: str) -> dict[int, PlainOption]:
    return {AF_INET: PLAIN_OPTIONS["ip", ipv4], AF_INET6: PLAIN_OPTIONS["ipv6", ipv6]}


INTERFACE = _by_family("multicast_if", "multicast_if")
ADD = _by_family("add_membership", "add_membership")
DROP = _by_family("drop_membership", "drop_membership")


def _interface(target: Target) -> PlainOption:
    found = INTERFACE.get(target.family())
    if found is None:
        raise OptionError("no socket of the internet")
    return found


def set_multicast_if(target: Target, value: bytes) -> None:
    target.set_system_option(*_interface(target).place, value)


def get_multicast_if(target: Target) -> object:
    option = _interface(target)
    return target.get_system_option(*option.place, option.size)


def add_membership(target: Target, value: tuple[int, bytes]) -> None:
    _change(ADD, target, *value)


def drop_membership(target: Target, value: tuple[int, bytes]) -> None:
    _change(DROP, target, *value)


def _change(options: dict[int, PlainOption], target: Target, family: int, request: bytes) -> None:
    if target.family() != family:
        raise OptionError("a group of another family")
    target.set_system_option(*options[family].place, request)


def is_short_ipv4(term: tuple[object, ...]) -> bool:
    """`{Group, Interface}` of IPv4, which stands besides other groups of a call (inet:udp_opt/3)."""
    return len(term) == 2 and len(term[0]) == 4  # type: ignore[arg-type]
