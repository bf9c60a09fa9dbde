"""Control messages that a plain socket is to send."""

from __future__ import annotations

import array
import struct
from collections.abc import Mapping
from socket import AF_UNIX, CMSG_SPACE
from typing import Any

from ...codec.terms import Atom
from ...host.cmsg import ControlMessage
from ...names.sockaddr import BadTerm
from ...options.plain_control import parse_message
from ...options.plain_values import LEVELS
from .plain import Plain
from .protocols import protocol_number
from .values import Fails, elements

__all__ = ["borrowed", "check_levels", "close", "parse_control"]

_CTRL, _LEVEL = Atom("ctrl"), Atom("level")
_RIGHTS = (LEVELS["socket"], 1)


def check_levels(plain: Plain, term: Any) -> list[tuple[Any, int]]:
    """The messages of a list, each with the number of its level. Raises BadTerm.

    OTP passes over what is no map with a level.
    """
    messages, end = elements(term)
    found = [
        (message, _level(plain, message[_LEVEL]))
        for message in messages
        if isinstance(message, Mapping) and _LEVEL in message
    ]
    if end is not None:
        raise Fails((Atom("bad_generator"), end))
    return found


def _level(plain: Plain, level: Any) -> Any:
    if not isinstance(level, Atom):
        return level
    number = LEVELS["socket"] if level.name == "socket" else protocol_number(plain.session, level.name)
    if number is None:
        raise BadTerm((Atom("protocol"), level))
    return number


def parse_control(plain: Plain, term: Any, messages: list[tuple[Any, int]]) -> list[ControlMessage]:
    """Raises BadTerm with the whole list `term`, also when its messages have no room in sndctrlbuf."""
    try:
        parsed = [parse_message(message, _number(level)) for message, level in messages]
    except (KeyError, OverflowError, TypeError, ValueError, struct.error):
        parsed = None
    if parsed is None or sum(CMSG_SPACE(len(data)) for _, _, data in parsed) > plain.sndctrlbuf:
        raise BadTerm((Atom("msg"), _CTRL, {_CTRL: term}))
    return parsed


def _number(level: Any) -> int:
    if type(level) is not int:
        raise ValueError(level)
    return level


def borrowed(plain: Plain, messages: list[ControlMessage]) -> tuple[list[ControlMessage], list[int]]:
    """The messages with copies of the descriptors of the node that they give away, and these copies.

    Raises OSError.
    """
    copies: list[int] = []
    found: list[ControlMessage] = []
    try:
        for level, number, data in messages:
            if plain.domain == AF_UNIX and (level, number) == _RIGHTS and len(data) >= 4:
                own = array.array("i", data[: len(data) & ~3])
                mine = [plain.session.borrow(descriptor) for descriptor in own]
                copies += mine
                found.append((level, number, array.array("i", mine).tobytes()))
            else:
                found.append((level, number, data))
    except OSError:
        close(plain, copies)
        raise
    return found, copies


def close(plain: Plain, copies: list[int]) -> None:
    for copy in copies:
        plain.session.host.close_file(copy)
