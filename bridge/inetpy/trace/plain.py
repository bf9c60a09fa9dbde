"""Terms as plain Python values, for people and for assertions.

    {ok, <<"data">>}                  ("ok", b"data")
    {error, econnrefused}             ("error", "econnrefused")
    <0.95.0>, a socket                "<0.95.0>", "#Socket<7>"

An atom becomes text, a string becomes text too, and a map a dict. There is no way back.
"""

from __future__ import annotations

from typing import Any

from ..codec.terms import Atom, Charlist, Pid, Port, Ref

__all__ = ["plain", "socket_in", "text_of_pid"]


def plain(term: Any) -> Any:
    """See the module. Terms without a plain form stay as they are."""
    match term:
        case Atom(name=name):
            return {"true": True, "false": False}.get(name, name)
        case Pid():
            return text_of_pid(term)
        case (Atom(name="$inet"), Atom(), (_, _, int() as ident)):
            return f"#Socket<{ident}>"
        case (Atom(name="$socket"), Ref() as reference):
            return f"#Socket<{'.'.join(map(str, _numbers(reference)))}>"
        case tuple():
            return tuple(map(plain, term))
        case Charlist():
            return bytes(term).decode("latin-1")
        case list():
            return [plain(element) for element in term]
        case dict():
            return {_key(plain(key)): plain(value) for key, value in term.items()}
        case memoryview():
            return bytes(term)
        case Port() | Ref():
            return f"#{type(term).__name__}<{'.'.join(map(str, _numbers(term)))}>"
    return term


def _key(value: Any) -> Any:
    """A key of a dict: lists and dicts cannot be one."""
    try:
        hash(value)
    except TypeError:
        return repr(value)
    return value


def _numbers(term: Any) -> tuple[int, ...]:
    first = term.parts[0]
    return first if isinstance(first, tuple) else (first,)


def text_of_pid(pid: Pid) -> str:
    """As the shell of its own node shows it: `<0.95.0>`."""
    ident, serial, _ = pid.parts
    return f"<0.{ident}.{serial}>"


def socket_in(answer: Any) -> int | None:
    """The number of the socket in `{ok, Socket}`; None in another answer."""
    match answer:
        case (Atom(name="ok"), (Atom(name="$inet"), Atom(), (_, _, int() as ident))):
            return ident
    return None
