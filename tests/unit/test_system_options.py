"""The options of the system: numbers, where they are, and which options of `inet` they do the work of."""

from __future__ import annotations

import errno
import socket

import pytest

from inetpy.options.access import System
from inetpy.options.plain import PLAIN_OPTIONS, PlainOption
from inetpy.options.plain_values import LEVELS
from inetpy.options.table import ROWS, system_options

DOMAINS = {"inet": socket.AF_INET, "inet6": socket.AF_INET6, "local": socket.AF_UNIX}
TYPES = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}
REFUSED = (errno.ENOPROTOOPT, errno.EOPNOTSUPP)
THERE = [row for row in PLAIN_OPTIONS.values() if row.values is not None and row.level != "sctp"]
PREFIXES = {"socket": "SO", "ip": "IP", "ipv6": "IPV6", "tcp": "TCP"}
# Where Python's name is another one than that of `socket`.
PYTHON_NAMES = {
    ("ipv6", "add_membership"): "IPV6_JOIN_GROUP",
    ("ipv6", "drop_membership"): "IPV6_LEAVE_GROUP",
}


def _python_name(row: PlainOption) -> str:
    own = f"{PREFIXES.get(row.level, 'none')}_{row.name.upper()}"
    return PYTHON_NAMES.get((row.level, row.name), own)


NAMED = [row for row in THERE if hasattr(socket, _python_name(row))]


@pytest.mark.parametrize("row", NAMED, ids=lambda row: f"{row.level}_{row.name}")
def test_number(row: PlainOption) -> None:
    """It is that of Python's socket module, if that has the option."""
    assert row.place == (LEVELS[row.level], getattr(socket, _python_name(row)))


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("row", THERE, ids=lambda row: f"{row.level}_{row.name}")
def test_where(row: PlainOption, domain: str, kind: str) -> None:
    """The system has the option where its row says so. Options of the level socket may be elsewhere, too."""
    with socket.socket(DOMAINS[domain], TYPES[kind]) as sock:
        there = _is_there(sock, row)
    said = domain in row.where.domains and kind in row.where.types
    assert there is said or (there and row.level == "socket")


def _is_there(sock: socket.socket, row: PlainOption) -> bool:
    """Whether the system does not say that such a socket does not have the option."""
    assert row.values is not None
    if row.values.build is not None:
        try:
            sock.getsockopt(*row.place, row.values.size or 4)
        except OSError as error:
            return error.errno not in REFUSED
        return True
    try:
        sock.setsockopt(*row.place, bytes(16))
    except OSError as error:
        return error.errno not in REFUSED
    return True


def test_options_of_inet() -> None:
    """An option of `inet` that the system does has a type that both APIs have, and one that is computed
    names what it uses.
    """
    for row in ROWS:
        options = system_options(row)
        if isinstance(row.access, System):
            assert [option.values.inet for option in options if option.values] == [row.values]
        assert all(option.number is not None for option in options)
    computed = {row.name for row in ROWS if system_options(row) and not isinstance(row.access, System)}
    assert computed == {"add_membership", "drop_membership", "multicast_if", "pktoptions"}
