"""Where the value of an option is: in the system, in our socket, or computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .option import OptionError, Target
from .plain import PLAIN_OPTIONS, PlainOption

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["Computed", "Kept", "System", "WithoutEffect"]


class System:
    """An option of the system, which `socket` knows by this level and name: see `plain`."""

    def __init__(
        self,
        level: str,
        name: str,
        reported: bool = False,
        after: Callable[[Settings, Any], None] | None = None,
    ) -> None:
        """reported: whether the system's refusal is einval, or nothing.
        after: called when the system has taken the value, or has refused it unreported.
        """
        self.option = PLAIN_OPTIONS[level, name]
        self._place = self.option.place
        self._size = self.option.size
        self._reported = reported
        self._after = after

    def set(self, target: Target, value: Any) -> None:
        if not target.set_system_option(*self._place, value) and self._reported:
            raise OptionError("the system refuses an option")
        if self._after is not None:
            self._after(target.options, value)

    def get(self, target: Target) -> object:
        return target.get_system_option(*self._place, self._size)


class Kept(NamedTuple):
    """A field of the socket's `Settings`.

    default: the value on a new socket.
    setter: in place of plain assignment.
    """

    field: str
    default: Any
    setter: Callable[[Settings, Any], None] | None = None

    def set(self, target: Target, value: Any) -> None:
        if self.setter is not None:
            self.setter(target.options, value)
        else:
            setattr(target.options, self.field, value)

    def get(self, target: Target) -> object:
        return getattr(target.options, self.field)


def _not_settable(_target: Target, _value: Any) -> None:
    raise OptionError("an option to be read only")


def _not_readable(_target: Target) -> object:
    raise OptionError("an option to be set only")


class Computed(NamedTuple):
    """An option with functions of its own.

    options: those of the system that the functions use.
    """

    setter: Callable[[Target, Any], None] = _not_settable
    getter: Callable[[Target], object] = _not_readable
    options: tuple[PlainOption, ...] = ()

    def set(self, target: Target, value: Any) -> None:
        self.setter(target, value)

    def get(self, target: Target) -> object:
        return self.getter(target)


class WithoutEffect:
    """The option is taken and forgotten, and getopts leaves it out: it is not for this kind of sockets."""

    def set(self, _target: Target, _value: Any) -> None:
        pass

    def get(self, _target: Target) -> object:
        raise OSError("not of this kind of sockets")
