"""cancel and info of a plain socket."""

from __future__ import annotations

from typing import Any

from ...codec.etf import encode_body
from ...codec.terms import Atom, Pid, Ref
from ...options.plain_values import build_domain, build_type
from ...wire.messages import OK, build_error
from ...wire.plain_requests import Cancel
from . import connector
from .answers import CLOSED
from .plain import Plain
from .protocols import protocol_name
from .values import WrongType
from .waiters import Waiter, Waiters

__all__ = ["cancel", "info"]

# States of each direction, in the order in which info/1 has them.
_STATES = ("bound", "listening", "accepting", "connecting", "connected", "selected", "closing", "closed")

# What each operation waits in.
_QUEUES = {
    "accept": "acceptors",
    "recv": "readers",
    "recvfrom": "readers",
    "recvmsg": "readers",
    "send": "writers",
    "sendto": "writers",
    "sendmsg": "writers",
    "sendv": "writers",
    "sendfile": "writers",
}
_SENT, _NOT_FOUND = encode_body(Atom("select_sent")), encode_body(Atom("not_found"))


def cancel(plain: Plain, ref: bytes, request: Cancel) -> None:
    """The process does not wait any longer for a message with this handle."""
    if not isinstance(request.handle, Ref):
        raise WrongType(request.handle)
    name = request.operation.name
    if name != "connect" and name not in _QUEUES:
        raise WrongType(request.operation)
    if plain.sock is None:
        return plain.answer(ref, CLOSED)
    waiter = _take(plain, name, request.process, request.handle)
    if waiter is None:
        later = name == "connect" and not plain.session.before_28
        return plain.answer(ref, build_error("not_found") if later else _NOT_FOUND)
    plain.forget(waiter)
    plain.answer(ref, _SENT if waiter.told else OK)
    plain.update_interest()


def _take(plain: Plain, name: str, process: Pid, handle: Ref) -> Waiter | None:
    if name == "connect":
        waiter = plain.connector
        if waiter is None or waiter.process != process or waiter.handle != handle:
            return None
        return connector.take(plain)
    waiters: Waiters = getattr(plain, _QUEUES[name])
    waiter = waiters.find(process, handle)
    if waiter is not None:
        waiters.remove(waiter)
    return waiter


def info(plain: Plain, ref: bytes, _request: Any) -> None:
    owner = Atom("undefined") if plain.sock is None else Pid(plain.session.outward(plain.owner.raw))
    closed = {"closing", "closed"} if plain.sock is None else set()
    term = {
        Atom("domain"): build_domain(plain.domain),
        Atom("type"): build_type(plain.type),
        Atom("protocol"): protocol_name(plain.session, plain.protocol),
        Atom("owner"): owner,
        Atom("ctype"): Atom("normal"),
        Atom("counters"): {Atom(name): count for name, count in plain.counters.items()},
        Atom("num_readers"): len(plain.readers),
        Atom("num_writers"): len(plain.writers),
        Atom("num_acceptors"): len(plain.acceptors),
        Atom("rstates"): _states(plain.read_state | closed),
        Atom("wstates"): _states(plain.write_state | closed),
    }
    plain.answer(ref, encode_body(term))


def _states(states: set[str]) -> list[Atom]:
    return [Atom(name) for name in _STATES if name in states]
