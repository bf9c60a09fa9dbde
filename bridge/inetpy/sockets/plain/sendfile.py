"""sendfile of a plain socket. The file is one of the node: a copy of its descriptor is kept while it is on
its way.
"""

from __future__ import annotations

import errno
from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom
from ...names.sockaddr import BadTerm
from ...wire.plain_requests import Sendfile
from .. import early
from .answers import SELECT, bad_state
from .closing import close_file
from .counters import SENDFILE_COUNTERS
from .plain import Plain
from .sending import check_connected, has_turn
from .values import NoClause, WrongType

__all__ = ["sendfile"]

CHUNK = 1 << 20  # bytes of one sendfile(2)
WHOLE = 1 << 62  # of a file: OTP says 0


def sendfile(plain: Plain, ref: bytes, request: Sendfile) -> None:
    """Answers `{ok, Sent}`, `select`, or `{select, Sent}`."""
    process, handle = request.process, request.handle
    offset, count = _number(request.offset, 1 << 63), _number(request.count, 1 << 64)
    plain.open_socket  # noqa: B018  raises what a closed one answers
    check_connected(plain)
    writers = plain.writers
    goes_on = type(request.file) is not int
    if goes_on and (plain.file is None or writers.first is None or writers.first.process != process):
        raise bad_state()
    if not has_turn(plain, process):
        return plain.wait(ref, writers, process, handle, SELECT)
    counters = plain.counters
    for name in SENDFILE_COUNTERS:
        counters.setdefault(name, 0)
    if not goes_on:
        if plain.file is not None:
            raise BadTerm(Atom("state"))
        if request.file < 0:
            counters["sendfile_fails"] += 1
            raise OSError(errno.EINVAL, "the file is closed")
        plain.file, plain.file_sent = plain.session.borrow(request.file), 0
        counters["sendfile_tries"] += 1
    assert plain.file is not None
    before = plain.file_sent
    try:
        _send(plain, plain.file, offset, count or WHOLE)
    except BlockingIOError:
        counters["sendfile_waits"] += 1
        sent = _count(plain, before)
        return plain.wait(ref, writers, process, handle, encode_body((Atom("select"), sent)))
    except OSError as error:
        counters["sendfile_fails"] += 1
        close_file(plain)
        plain.answer_error(ref, error)
        return plain.failed(writers, plain.session.posix_name(error))
    close_file(plain)
    if plain.early:
        early.review_sends(plain)
    plain.answer_ok(ref, _count(plain, before))
    plain.served(writers, process, was_ready=False)


def _send(plain: Plain, file: int, offset: int, left: int) -> None:
    """Sends up to the end of the file. Raises OSError."""
    assert plain.sock is not None
    plain.raise_late_error()
    while left:
        plain.counters["sendfile"] += 1
        some = plain.session.host.sendfile(plain.sock, file, offset, min(left, CHUNK))
        if not some:
            break
        plain.file_sent += some
        offset += some
        left -= some


def _count(plain: Plain, before: int) -> int:
    """The bytes that a request has sent, which is counted. The largest is of all requests for one file."""
    counters, sent = plain.counters, plain.file_sent - before
    if sent:
        counters["sendfile_pkg"] += 1
        counters["sendfile_byte"] += sent
        counters["sendfile_pkg_max"] = max(counters["sendfile_pkg_max"], sent)
        counters["sendfile_max"] = max(counters["sendfile_max"], plain.file_sent)
    return sent


def _number(term: Any, largest: int) -> int:
    if type(term) is not int:
        raise WrongType(term)
    if not -(1 << 63) <= term < largest:
        raise NoClause((Atom("invalid"), (Atom("integer_range"), term)))
    return term
