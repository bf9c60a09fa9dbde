"""Groups, and the interface to send to them: constants of the system that depend on the family."""

from __future__ import annotations

from socket import (
    AF_INET,
    AF_INET6,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    IPV6_MULTICAST_IF,
)

from .option import OptionError, Target

__all__ = ["add_membership", "drop_membership", "get_multicast_if", "is_short_ipv4", "set_multicast_if"]

# family -> (level, constant, size of the value in bytes; 0: an int)
_INTERFACE: dict[int, tuple[int, int, int]] = {
    AF_INET: (IPPROTO_IP, IP_MULTICAST_IF, 4),
    AF_INET6: (IPPROTO_IPV6, IPV6_MULTICAST_IF, 0),
}
# family -> (level, constant)
_ADD: dict[int, tuple[int, int]] = {
    AF_INET: (IPPROTO_IP, IP_ADD_MEMBERSHIP),
    AF_INET6: (IPPROTO_IPV6, IPV6_JOIN_GROUP),
}
_DROP: dict[int, tuple[int, int]] = {
    AF_INET: (IPPROTO_IP, IP_DROP_MEMBERSHIP),
    AF_INET6: (IPPROTO_IPV6, IPV6_LEAVE_GROUP),
}


def _interface(target: Target) -> tuple[int, int, int]:
    found = _INTERFACE.get(target.family())
    if found is None:
        raise OptionError("no socket of the internet")
    return found


def set_multicast_if(target: Target, value: bytes) -> None:
    level, constant, _ = _interface(target)
    target.set_system_option(level, constant, value)


def get_multicast_if(target: Target) -> object:
    return target.get_system_option(*_interface(target))


def add_membership(target: Target, value: tuple[int, bytes]) -> None:
    _change(_ADD, target, *value)


def drop_membership(target: Target, value: tuple[int, bytes]) -> None:
    _change(_DROP, target, *value)


def _change(requests: dict[int, tuple[int, int]], target: Target, family: int, request: bytes) -> None:
    if target.family() != family:
        raise OptionError("a group of another family")
    target.set_system_option(*requests[family], request)


def is_short_ipv4(term: tuple[object, ...]) -> bool:
    """`{Group, Interface}` of IPv4, which stands besides other groups of a call (inet:udp_opt/3)."""
    return len(term) == 2 and len(term[0]) == 4  # type: ignore[arg-type]
