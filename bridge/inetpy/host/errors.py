"""Operating system errors as the posix atoms that `inet` answers with.

The names are those of the emulator's `erl_errno_id`: the C name in lower case. Where C has two
names for one number, `_PREFERRED` has the one that the emulator says on Linux. Numbers without
a name in the emulator are `unknown`, as in the emulator.
"""

from __future__ import annotations

import errno
import os

__all__ = ["POSIX_NAMES", "PosixNames", "os_error", "posix_name"]

_PREFERRED = {
    errno.EAGAIN: "eagain",
    errno.EDEADLK: "edeadlk",
    errno.ENOTSUP: "enotsup",
}

_UNNAMED = frozenset((
    "ECANCELED", "EISNAM", "EKEYEXPIRED", "EKEYREJECTED", "EKEYREVOKED", "EMEDIUMTYPE", "ENOKEY", "ENOMEDIUM",
    "ENOTRECOVERABLE", "EOWNERDEAD", "ERESTART", "ERFKILL", "ESTRPIPE",
))  # fmt: skip

# The emulator has names for these since OTP 28.
_SINCE_28 = {getattr(errno, name): name.lower() for name in ("ECANCELED", "ENOTRECOVERABLE", "EOWNERDEAD")}

_NAMES = {
    number: name.lower() for number, name in errno.errorcode.items() if name not in _UNNAMED
} | _PREFERRED

POSIX_NAMES = frozenset((*_NAMES.values(), *_SINCE_28.values(), "unknown"))


class PosixNames:
    """The names that an emulator of an edition of OTP has."""

    def __init__(self, release: int = 0) -> None:
        self._names = _NAMES | _SINCE_28 if release >= 28 else _NAMES

    def name(self, error: OSError) -> str:
        """The atom for `error`, e.g. "econnrefused"; "unknown" for a number without a name."""
        return self._names.get(error.errno or 0, "unknown")


# For what has no session: the functions of inet, whose errors all editions name alike.
posix_name = PosixNames().name


def os_error(number: int) -> OSError:
    """A BlockingIOError, BrokenPipeError or whatever the number stands for."""
    return OSError(number, os.strerror(number))
