"""Operating system errors as the posix atoms that `inet` answers with.

The names are those of the emulator's `erl_errno_id`: the C name in lower case. Where C has two
names for one number, `_PREFERRED` has the one that the emulator says on Linux. Numbers that the
emulator has no name for are `unknown`, here too.
"""

from __future__ import annotations

import errno

__all__ = ["POSIX_NAMES", "posix_name", "use_release"]

_PREFERRED = {
    errno.EAGAIN: "eagain",
    errno.EDEADLK: "edeadlk",
    errno.ENOTSUP: "enotsup",
}

_UNNAMED = frozenset((
    "ECANCELED", "EISNAM", "EKEYEXPIRED", "EKEYREJECTED", "EKEYREVOKED", "EMEDIUMTYPE", "ENOKEY", "ENOMEDIUM",
    "ENOTRECOVERABLE", "EOWNERDEAD", "ERESTART", "ERFKILL", "ESTRPIPE",
))  # fmt: skip

# Those that the emulator has a name for since OTP 28.
_SINCE_28 = {getattr(errno, name): name.lower() for name in ("ECANCELED", "ENOTRECOVERABLE", "EOWNERDEAD")}

_NAMES = {
    number: name.lower() for number, name in errno.errorcode.items() if name not in _UNNAMED
} | _PREFERRED

POSIX_NAMES = frozenset((*_NAMES.values(), *_SINCE_28.values(), "unknown"))


def use_release(release: int) -> None:
    """From now on the names are those of an emulator of this edition of OTP."""
    if release >= 28:
        _NAMES.update(_SINCE_28)


def posix_name(error: OSError) -> str:
    """The atom for `error`, e.g. "econnrefused"; "unknown" for a number without a name."""
    return _NAMES.get(error.errno or 0, "unknown")
