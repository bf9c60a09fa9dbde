"""Operating system errors as the posix atoms that `inet` answers with.

The names are those of `erl_posix_msg` and the emulator's `erl_errno_id`: the
C name in lower case. Where C has two names for one number, `_PREFERRED` has
the one that the emulator says on Linux.
"""

from __future__ import annotations

import errno

__all__ = ["posix_name"]

_PREFERRED = {
    errno.EAGAIN: "eagain",
    errno.EDEADLK: "edeadlk",
    errno.EOPNOTSUPP: "eopnotsupp",
}

_NAMES = {number: name.lower() for number, name in errno.errorcode.items()} | _PREFERRED


def posix_name(error: OSError) -> str:
    """The atom for `error`, e.g. "econnrefused"; "unknown" for a number without a name."""
    return _NAMES.get(error.errno or 0, "unknown")
