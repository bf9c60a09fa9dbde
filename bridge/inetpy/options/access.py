"""Where the value of an option is: in the system, in our socket, or computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from .option import OptionError, Target

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["Computed", "Kept", "System", "WithoutEffect"]


class System(NamedTuple):
    """A socket option of the system, by its level and constant.

    size: of values in bytes; 0 for an int.
    reported: whether the system's refusal is einval, or nothing.
    after: called when the system has taken the value, or has refused it unreported.
    """

    level: int
    constant: int
    size: int = 0
    reported: bool = False
    after: Callable[[Settings, Any], None] | None = None

    def set(self, target: Target, value: Any) -> None:
        if not target.set_system_option(self.level, self.constant, value) and self.reported:
            raise OptionError("the system refuses an option")
        if self.after is not None:
            self.after(target.options, value)

    def get(self, target: Target) -> object:
        return target.get_system_option(self.level, self.constant, self.size)


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
    """An option with functions of its own."""

    setter: Callable[[Target, Any], None] = _not_settable
    getter: Callable[[Target], object] = _not_readable

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
