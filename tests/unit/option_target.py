"""A socket without a system, for options to be set on."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any, ClassVar

from inetpy import options
from inetpy.codec.terms import Atom
from inetpy.wire import active


def pair(name: str, value: object) -> tuple[Atom, object]:
    """An option, or what getopts answers for it."""
    return Atom(name), value


class FakeSocket:
    """A `Target`: it notes what the system is asked, and answers from `values`."""

    table: ClassVar[Mapping[str, options.Option]] = options.STREAM

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.options = options.Settings.new()
        self.active = active.PASSIVE
        self.active_count = 0
        self.address_family = family
        self.refuses = False
        self.closes = False
        self.asked: list[tuple[int, int, int | bytes]] = []
        self.values: dict[tuple[int, int, int], int | bytes] = {}

    def family(self) -> int:
        return self.address_family

    def set_system_option(self, level: int, constant: int, value: int | bytes) -> bool:
        self.asked.append((level, constant, value))
        return not self.refuses

    def get_system_option(self, level: int, constant: int, size: int) -> int | bytes:
        try:
            return self.values[level, constant, size]
        except KeyError:
            raise OSError("refused") from None

    def set_active(self, mode: int, increment: int) -> None:
        self.active, self.active_count = mode, increment
        if self.closes:
            raise options.SocketClosed

    def set(self, *terms: object) -> None:
        """As setopts."""
        options.apply(self, options.parse_settings(self.table, list(terms)))

    def get(self, *names: Any) -> list[Any]:
        """As getopts."""
        return options.get(self, list(names))


class FakeDatagramSocket(FakeSocket):
    table = options.DATAGRAM
