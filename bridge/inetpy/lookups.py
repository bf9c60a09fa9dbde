"""The functions of `inet` that take no socket, for the callers of a session.

What may have to ask a server runs in a thread: a slow one keeps nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import inet, resolver
from .etf import encode_body
from .messages import build_error, build_failure, build_raise
from .resolver import ResolverError
from .show import shown
from .waiting import Waiting

if TYPE_CHECKING:
    from .session import Session

__all__ = ["all_addresses", "answer"]

log = logging.getLogger(__name__)


def answer(session: Session, ref: bytes, args: Any) -> None:
    """{Function, Arguments, Timeout}: a function of `inet` that takes no socket."""
    function, arguments, patience = args
    timeout = session.remaining(patience)
    if timeout is None:
        return session.reply(ref, build_error("timeout"))
    if len(arguments) not in inet.ARITIES.get(function.name, ()):
        return session.reply(ref, build_failure("unknown_op", f"{function.name}/{len(arguments)}"))
    quick = inet.QUICK.get(function.name)
    if quick is not None:
        return session.reply(ref, _answer_of(quick, list(arguments)))
    _Lookup(session, ref, timeout).start(inet.SLOW[function.name], list(arguments))


def _answer_of(function: Callable[[list[Any]], object], arguments: list[Any]) -> bytes:
    """The answer of a function of `inet`, whatever it comes to."""
    try:
        return encode_body(function(arguments))
    except inet.Fails as error:
        return build_raise("error", error.name)
    except ResolverError as error:
        return build_error(error.name)
    except Exception as error:  # in a thread nobody else would see it
        log.exception("%s failed", function.__name__)
        return build_failure("exception", shown(error))


def all_addresses(name: str) -> tuple[list[tuple[int, str]], str]:
    """(family, address) of all addresses of a name, and why there are none."""
    try:
        return resolver.all_addresses(name), "nxdomain"
    except ResolverError as error:
        return [], error.name
    except Exception:  # in a thread nobody else would see it
        log.exception("the addresses of %s", shown(name))
        return [], "nxdomain"


class _Lookup:
    """A function that runs in a thread, for a caller that may not wait for ever."""

    __slots__ = ("caller",)

    def __init__(self, session: Session, ref: bytes, timeout: int) -> None:
        self.caller = Waiting(session, self, ref, timeout, self.on_timeout)

    def start(self, function: Callable[[list[Any]], object], arguments: list[Any]) -> None:
        self.caller.session.in_thread(lambda: _answer_of(function, arguments), self.on_done)

    def on_timeout(self) -> None:
        self.caller.answer(build_error("timeout"))

    def on_done(self, body: bytes) -> None:
        self.caller.answer(body)

    def fail(self, error: Exception) -> None:
        self.caller.fail(error)
