"""What an option is: a row of the table, and the socket that it is set on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from .values import ValueType

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "CONNECT", "GET", "LISTEN", "OPEN", "PLACES", "SET", "Access", "Option", "OptionError",
    "SocketClosed", "SocketKind", "Target",
]  # fmt: skip

# Where an option may stand.
CONNECT, LISTEN, OPEN, SET, GET = "connect", "listen", "open", "setopts", "getopts"
PLACES = (CONNECT, LISTEN, OPEN, SET, GET)

SocketKind = str  # "stream", "listener" or "datagram"
STREAM_KINDS: frozenset[SocketKind] = frozenset(("stream", "listener"))
DATAGRAM_KINDS: frozenset[SocketKind] = frozenset(("datagram",))
KINDS = STREAM_KINDS | DATAGRAM_KINDS


class OptionError(ValueError):
    """A list of options that is refused, as einval or badarg."""


class SocketClosed(Exception):  # noqa: N818
    """Setting this option closed the socket: the remaining options are skipped."""


class Target(Protocol):
    """A socket, as options need it."""

    table: ClassVar[Mapping[str, Option]]
    options: Settings
    active: int
    active_count: int

    def family(self) -> int:
        """AF_INET, AF_INET6 or AF_UNIX. Raises OSError on a closed descriptor."""

    def set_system_option(self, level: int, constant: int, value: int | bytes) -> bool:
        """setsockopt(2). False when the system refuses."""

    def get_system_option(self, level: int, constant: int, size: int) -> Any:
        """getsockopt(2): an int, or `size` bytes where a size is given. Raises OSError."""

    def set_active(self, mode: int, increment: int) -> None:
        """Raises OptionError for a count out of range, SocketClosed when the socket ends of it."""


class Access(Protocol):
    """Where an option's value is, and how it is set and read: see `access`."""

    def set(self, target: Target, value: Any, /) -> None:
        """Raises OptionError or SocketClosed; OSError for a refusal of the system that is not reported."""

    def get(self, target: Target, /) -> object:
        """Raises OSError where there is no value, OptionError where it may not be asked for."""


def _never(_term: object) -> bool:
    return False


class Option(NamedTuple):
    """One row of the table.

    values: the type of its values.
    access: where its value is.
    places: where it may stand.
    kinds: the kinds of sockets that it is for. On others it is taken without effect.
    inherited: an accepted socket starts with the listener's value.
    since: the edition of OTP whose documentation has it first (17: or before).
    note: what a user should know.
    repeats: of a value's term, whether it is set besides other values of the same name that stand
        in the options of one call.
    """

    name: str
    values: ValueType
    access: Access
    places: frozenset[str] = frozenset(PLACES)
    kinds: frozenset[SocketKind] = KINDS
    inherited: bool = True
    since: int = 17
    note: str = ""
    repeats: Callable[[Any], bool] = _never
