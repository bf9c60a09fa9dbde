"""Requests, read the short way.

`inetpy_request` writes `{Op, SocketId, Ref, Args}`. Of most requests everything but the
reference and the data has been seen before, so a pattern finds their parts, data is not
looked at, and the rest is remembered. What does not fit, `etf.decode` reads.

`RequestReader.read` and `etf.decode` agree on every frame: see tests/unit/test_requests.py.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from .etf import EtfError, decode
from .identity import Identity

__all__ = ["Request", "RequestReader"]

# (operation, number of the socket, external form of the reference, arguments)
Request = tuple[str, int, bytes, Any]

# Where the length of an atom stands behind its tag: ATOM_EXT, and SMALL_ATOM_UTF8_EXT.
_LENGTH_AT = {100: 2, 119: 1}
_REMEMBERED = 256  # bytes: arguments up to this size are worth a look into the memory


class RequestReader:
    """Reads the requests of one node, whose references all begin alike."""

    def __init__(self, node: Identity) -> None:
        # An atom of less than 256 bytes, as OTP 25 writes it or as later editions do.
        atom = rb"(?:d\0|w)"
        origin = atom + re.escape(node.atom[1:] + node.creation)
        # NEWER_REFERENCE_EXT of three words, or of five in an alias.
        ref = rb"Z\0(?:\x03" + origin + rb".{12}|\x05" + origin + rb".{20})"
        self._match = re.compile(
            rb"\x83h\x04" + atom + rb".([a-z_]+)(?:a(.)|b(.{4}))(" + ref + rb")(.*)\Z", re.DOTALL
        ).match

    def read(self, frame: bytes) -> Request | None:
        """The request in `frame`; None when the general decoder has to look."""
        found = self._match(frame)
        if found is None:
            return None
        op, small, large, ref, tail = found.groups()
        ident = small[0] if small is not None else int.from_bytes(large, "big", signed=True)
        if frame[3 + _LENGTH_AT[frame[3]]] != len(op):
            return None
        if tail[:1] == b"m":
            args: Any = _data(tail, 0)
        elif len(tail) <= _REMEMBERED and b"jm" not in tail:
            args = _remembered(tail)
        else:
            args = _with_data(tail)
        return None if args is None else (op.decode("ascii"), ident, ref, args)


def _data(tail: bytes, at: int) -> bytes | None:
    """The binary at `at`, if it is all that is left."""
    if int.from_bytes(tail[at + 1 : at + 5], "big") != len(tail) - at - 5:
        return None
    return tail[at + 5 :]


@lru_cache(maxsize=1024)
def _remembered(tail: bytes) -> Any:
    """A term of few bytes, which nobody may change."""
    try:
        return decode(b"\x83" + tail)
    except EtfError:
        return None


def _with_data(tail: bytes) -> Any:
    """`{Destination, [], Data}`."""
    if tail[:2] != b"h\3":
        return None
    end = tail.find(b"jm", 2, _REMEMBERED)
    data = _data(tail, end + 1) if end > 0 else None
    if data is None:
        return None
    destination = _remembered(tail[2:end])
    return None if destination is None else (destination, [], data)
