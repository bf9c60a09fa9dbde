"""The functions of `inet` that take no socket, for the callers of a session.

A function that may ask a server runs in a thread: a slow server delays no other caller.
"""

from __future__ import annotations

import logging
from typing import Any

from ..codec.etf import encode_body
from ..codec.show import shown
from ..host.api import Host
from ..names import inet, resolver
from ..names.resolver import ResolverError
from ..session.session import Session
from ..session.waiting import Waiting
from ..wire.messages import build_error, build_failure, build_raise
from ..wire.requests import Inet

__all__ = ["all_addresses", "answer"]

log = logging.getLogger(__name__)


def answer(session: Session, ref: bytes, request: Inet) -> None:
    """A function of `inet` that takes no socket."""
    function, arguments, timeout = request
    if len(arguments) not in inet.ARITIES.get(function.name, ()):
        return session.answer(ref, build_failure("unknown_op", f"{function.name}/{len(arguments)}"))
    quick = inet.QUICK.get(function.name)
    if quick is not None:
        return session.answer(ref, _answer_of(quick, session.host, list(arguments)))
    _Lookup(session, ref, timeout).start(inet.SLOW[function.name], list(arguments))


def _answer_of(function: inet.Function, host: Host, arguments: list[Any]) -> bytes:
    """Calls a function of `inet`. Its answer, or the error that the Erlang function would give."""
    try:
        return encode_body(function(host, arguments))
    except inet.Fails as error:
        return build_raise("error", error.name)
    except ResolverError as error:
        return build_error(error.name)
    except Exception as error:  # in a thread nobody else would see it
        log.exception("%s failed", function.__name__)
        return build_failure("exception", shown(error))


def all_addresses(host: Host, name: str) -> tuple[list[tuple[int, str]], str]:
    """(family, address) of all addresses of a name, and why there are none."""
    try:
        return resolver.all_addresses(host, name), "nxdomain"
    except ResolverError as error:
        return [], error.name
    except Exception:  # in a thread nobody else would see it
        log.exception("the addresses of %s", shown(name))
        return [], "nxdomain"


class _Lookup:
    """A function that runs in a thread, for a caller with a timeout."""

    __slots__ = ("caller",)

    def __init__(self, session: Session, ref: bytes, timeout: int) -> None:
        self.caller = Waiting(session, self, ref, timeout, self.on_timeout)

    def start(self, function: inet.Function, arguments: list[Any]) -> None:
        session = self.caller.session
        host = session.host if session.network is None else session.network.lookup_host()

        def work() -> bytes:
            # One that waited for a thread in vain asks no server any more.
            return _answer_of(function, host, arguments) if self.caller.waits else b""

        host.in_thread(work, self.on_done)

    def on_timeout(self) -> None:
        self.caller.answer(build_error("timeout"))

    def on_done(self, body: bytes) -> None:
        self.caller.answer(body)

    def fail(self, error: Exception) -> None:
        self.caller.fail(error)
