"""The functions of `inet` that take no socket, as a table: name to Python function.

Each takes the host that it is to ask, and the terms that the Erlang function was called with. It gives
the term that the Erlang function returns. Functions in `QUICK` are called in the loop. Functions in
`SLOW` can block and run in threads. Arguments that make the Erlang function fail raise `Fails`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import reduce
from operator import or_
from typing import Any, TypeAlias

from ..codec.terms import Atom, Charlist, ImproperList
from ..host.api import Host, Interface
from ..host.errors import posix_name
from . import ip_text, resolver
from .addresses import is_ip
from .resolver import Hostent, ResolverError

__all__ = ["ARITIES", "QUICK", "SLOW", "Fails", "Function"]

Function: TypeAlias = Callable[[Host, list[Any]], object]

_OK, _ERROR = Atom("ok"), Atom("error")
_EINVAL = (_ERROR, Atom("einval"))


class Fails(Exception):  # noqa: N818
    """The Erlang function would fail, with an error for the reason `name`."""

    def __init__(self, name: str = "function_clause") -> None:
        super().__init__(name)
        self.name = name


# --- texts -------------------------------------------------------------------


def _is_list(term: object) -> bool:
    return isinstance(term, (list, Charlist))


def _text(term: Any) -> str:
    """The characters of a list. Raises ValueError for other elements."""
    try:
        return "".join(map(chr, term))
    except (TypeError, OverflowError):
        raise ValueError(term) from None


def _name(term: object) -> str:
    """A host's or a service's name: an atom or a string."""
    if isinstance(term, Atom):
        return term.name
    if isinstance(term, ImproperList):
        raise Fails
    if not _is_list(term):
        raise ResolverError("einval")
    try:
        return _text(term)
    except ValueError:
        raise Fails from None


def _service(term: object) -> str:
    """The same of a service or a protocol, where other elements make it one that is unknown."""
    if isinstance(term, ImproperList):
        raise Fails("badarg")
    try:
        return _name(term)
    except Fails:
        raise ResolverError("einval") from None


def _string(text: str) -> object:
    return Charlist(text.encode("latin-1", "replace")) if text else []


# --- addresses and their text --------------------------------------------------


# What a parser makes of terms that are no list: nothing, or einval, and of an improper list.
_FAILS, _REFUSES_TERMS, _REFUSES_ALL = range(3)


def _parser(parse: Callable[[str], tuple[int, ...]], others: int = _FAILS) -> Function:
    def parse_term(_host: Host, args: list[Any]) -> object:
        (term,) = args
        if not _is_list(term):
            fails = _REFUSES_TERMS if isinstance(term, ImproperList) else _FAILS
            if others <= fails:
                raise Fails
            return _EINVAL
        try:
            return _OK, parse(_text(term))
        except ValueError:
            return _EINVAL

    return parse_term


def _is_address(term: object) -> bool:
    return is_ip(term, socket.AF_INET) or is_ip(term, socket.AF_INET6)


def _ntoa(_host: Host, args: list[Any]) -> object:
    (address,) = args
    return _string(ip_text.format_address(address)) if _is_address(address) else _EINVAL


def _map_address(_host: Host, args: list[Any]) -> object:
    """The clause of inet looks at no more than how large the numbers are: they may be negative."""
    (address,) = args
    largest = {4: 0xFF, 8: 0xFFFF}.get(len(address)) if isinstance(address, tuple) else None
    if largest is None or not all(type(field) is int for field in address):
        raise Fails
    if reduce(or_, address) > largest:
        raise Fails
    return ip_text.map_address(address)


def _test(*families: int) -> Function:
    def is_address(_host: Host, args: list[Any]) -> object:
        return any(is_ip(args[0], family) for family in families)

    return is_address


# --- names ---------------------------------------------------------------------


def _hostent(entry: Hostent) -> tuple[object, ...]:
    """#hostent{}"""
    found = [ip_text.parse_address(address) for address in entry.addresses]
    aliases = [_string(alias) for alias in entry.aliases]
    size = 4 if entry.family == "inet" else 16
    return Atom("hostent"), _string(entry.name), aliases, Atom(entry.family), size, found


def _family(term: object) -> str:
    return term.name if isinstance(term, Atom) else ""


def _gethostbyname(host: Host, args: list[Any]) -> object:
    name, family = args
    if _family(family) not in resolver.FAMILIES:
        raise ResolverError("einval")
    return _OK, _hostent(resolver.host_by_name(host, _name(name), _family(family)))


def _getaddrs(host: Host, args: list[Any]) -> object:
    asked, family = args
    if isinstance(asked, tuple):
        return _own_address(asked, _family(family))
    try:
        name = _name(asked)
    except Fails:
        raise ResolverError("einval") from None
    if not name or not all("!" <= character <= "~" for character in name):
        raise ResolverError("einval")
    found = resolver.host_by_name(host, name, _family(family))
    return _OK, [ip_text.parse_address(address) for address in found.addresses]


def _own_address(address: tuple[object, ...], family: str) -> object:
    """An ip tuple is its own address, in its own family."""
    for name, number in resolver.FAMILIES.items():
        if is_ip(address, number):
            return (_OK, [address]) if family == name else (_ERROR, Atom("eafnosupport"))
    raise ResolverError("einval")


def _getaddr(host: Host, args: list[Any]) -> object:
    match _getaddrs(host, args):
        case (Atom(name="ok"), [first, *_]):
            return _OK, first
        case answer:
            return answer


def _gethostbyaddr(host: Host, args: list[Any]) -> object:
    (address,) = args
    if isinstance(address, ImproperList):
        raise Fails
    if _is_list(address):
        try:
            address = ip_text.parse_address(_text(address))
        except ValueError:
            raise ResolverError("einval") from None
    if not _is_address(address):
        raise ResolverError("einval")
    return _OK, _hostent(resolver.host_by_address(host, address))


def _getservbyname(host: Host, args: list[Any]) -> object:
    name, protocol = args
    return _OK, resolver.getservbyname(host, _service(name), _service(protocol))


def _getservbyport(host: Host, args: list[Any]) -> object:
    port, protocol = args
    if type(port) is float:
        raise Fails("badarith")
    if type(port) is not int:
        raise ResolverError("einval")
    return _OK, _string(resolver.getservbyport(host, port, _service(protocol)))


def _gethostname(host: Host, _args: list[Any]) -> object:
    return _OK, _string(resolver.hostname(host))


# --- interfaces ----------------------------------------------------------------


def _getifaddrs(host: Host, args: list[Any]) -> object:
    """[] or [Path], the network namespace."""
    try:
        found = host.interfaces(*args)
    except OSError as error:
        raise ResolverError(posix_name(error)) from None
    return _OK, [(Charlist(interface.name), _properties(interface)) for interface in found]


def _properties(interface: Interface) -> list[tuple[Atom, object]]:
    """`[{flags, _}, {addr, _}, {netmask, _}, ..., {hwaddr, _}]`"""
    properties: list[tuple[Atom, object]] = [(Atom("flags"), [Atom(flag) for flag in interface.flags])]
    for address in interface.addresses:
        properties += [
            (name, ip_text.parse_address(text))
            for name, text in zip(_ADDRESS_NAMES, address, strict=True)
            if text is not None
        ]
    if interface.hardware is not None:
        properties.append((Atom("hwaddr"), Charlist(interface.hardware)))
    return properties


# What inet says for the fields of an InterfaceAddress.
_ADDRESS_NAMES = (Atom("addr"), Atom("netmask"), Atom("broadaddr"), Atom("dstaddr"))


QUICK: dict[str, Function] = {
    "gethostname": _gethostname,
    "ipv4_mapped_ipv6_address": _map_address,
    "is_ip_address": _test(socket.AF_INET, socket.AF_INET6),
    "is_ipv4_address": _test(socket.AF_INET),
    "is_ipv6_address": _test(socket.AF_INET6),
    "ntoa": _ntoa,
    "parse_address": _parser(ip_text.parse_address, _REFUSES_TERMS),
    "parse_ipv4_address": _parser(ip_text.parse_ipv4),
    "parse_ipv4strict_address": _parser(ip_text.parse_ipv4_strict),
    "parse_ipv6_address": _parser(ip_text.parse_ipv6),
    "parse_ipv6strict_address": _parser(ip_text.parse_ipv6_strict, _REFUSES_ALL),
    "parse_strict_address": _parser(ip_text.parse_strict, _REFUSES_TERMS),
}

SLOW: dict[str, Function] = {
    "getaddr": _getaddr,
    "getaddrs": _getaddrs,
    "gethostbyaddr": _gethostbyaddr,
    "gethostbyname": _gethostbyname,
    "getifaddrs": _getifaddrs,
    "getservbyname": _getservbyname,
    "getservbyport": _getservbyport,
}

# How many arguments each takes.
ARITIES: dict[str, tuple[int, ...]] = dict.fromkeys((*QUICK, *SLOW), (1,)) | {
    "getaddr": (2,),
    "getaddrs": (2,),
    "gethostbyname": (2,),
    "gethostname": (0,),
    "getifaddrs": (0, 1),
    "getservbyname": (2,),
    "getservbyport": (2,),
}
