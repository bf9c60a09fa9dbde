"""What a test hands to its node, and gets back: see docs/terms.md for the values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..codec.etf import EtfError, decode, encode
from ..codec.terms import Atom, Pid
from .errors import ErlangError, ErlangTimeoutError, Frame

__all__ = [
    "ELIXIR",
    "ERLANG",
    "FOR_EVER",
    "Answer",
    "LogEvent",
    "atom",
    "check_bindings",
    "encoded",
    "event_of",
    "forward",
    "milliseconds",
    "parts_of",
    "value_of",
]

FOR_EVER = 2**32 - 1  # ms of a timer of Erlang

# The levels of `logging` for those of Erlang.
LEVELS = {"debug": 10, "info": 20, "notice": 20, "warning": 30, "error": 40} | dict.fromkeys(
    ("critical", "alert", "emergency"), 50
)

ERLANG = re.compile(r"[A-Z_]\w*")
ELIXIR = re.compile(r"[a-z_]\w*[?!]?")


class Answer(NamedTuple):
    """`tag` says what the term in `data` is: see erl/tools/inetpy_agent.erl.

    notes: lines for the text of a "timeout".
    """

    tag: str
    data: bytes
    notes: tuple[str, ...] = ()


class LogEvent(NamedTuple):
    """An event of the node's logger.

    level: "error", "warning", "notice", ...
    pid: the process that has logged it.
    time: in seconds since 1970.
    """

    level: str
    text: str
    pid: Pid
    time: float


def atom(name: str | Atom) -> Atom:
    return name if isinstance(name, Atom) else Atom(name)


def check_bindings(bindings: Mapping[str, object], pattern: re.Pattern[str], language: str) -> None:
    for name in bindings:
        if not pattern.fullmatch(name):
            raise ValueError(f"{name} is no variable of {language}")


def encoded(term: object, parts: Mapping[str, object]) -> bytes:
    """A request in the External Term Format.

    parts: what the test gave, by what it is called in the text of an error. Raises EtfError, which is a
    ValueError.
    """
    try:
        return encode(term)
    except EtfError:
        for name, value in parts.items():
            try:
                encode(value)
            except EtfError as error:
                raise EtfError(f"{name}: {error.reason}") from None
        raise


def value_of(answer: Answer) -> Any:
    """The result. Raises ErlangError and ErlangTimeoutError."""
    __tracebackhide__ = True
    term: Any = decode(answer.data)
    match answer.tag:
        case "raised":
            raise _error(*term)
        case "timeout":
            pid, text = term
            lines = [text.decode(errors="replace").rstrip(), *answer.notes]
            raise ErlangTimeoutError("\n".join(lines), pid)
    return term


def _error(kind: Atom, reason: Any, text: bytes, stack: list[Any]) -> Exception:
    shown = text.decode(errors="replace").rstrip()
    if kind.name == "until":
        return ErlangTimeoutError(shown)
    if kind.name in ("syntax", "compile"):
        reason = shown
    return ErlangError(kind.name, reason, shown, [_frame(*frame) for frame in stack])


def _frame(module: Atom, function: Atom, arity: Any, location: list[Any]) -> Frame:
    """Of a function that could not be called the stack has the arguments in place of their number."""
    places = {pair[0].name: pair[1] for pair in location if isinstance(pair, tuple) and len(pair) == 2}
    file = places.get("file")
    return Frame(
        module.name,
        function.name,
        arity if isinstance(arity, int) else len(arity),
        None if file is None else "".join(map(chr, file)),
        places.get("line"),
    )


def event_of(data: bytes) -> LogEvent:
    event: Any = decode(data)
    level, text, pid, microseconds = event
    return LogEvent(level.name, text.decode(errors="replace"), pid, microseconds / 1e6)


def forward(name: str, event: LogEvent) -> None:
    """To the log of Python, as of the logger of this node."""
    import logging

    logging.getLogger(f"inetpy.node.{name}").log(LEVELS[event.level], "%s", event.text)


def milliseconds(timeout: float | None) -> int:
    """Raises ValueError."""
    if timeout is None:
        return FOR_EVER
    if not 0 <= timeout * 1000 <= FOR_EVER:
        raise ValueError(f"a timeout is seconds from 0 to {FOR_EVER // 1000}, or None, not {timeout!r}")
    return int(timeout * 1000)


def parts_of(arguments: Sequence[object]) -> dict[str, object]:
    """See `encoded`."""
    return {f"argument {number}": value for number, value in enumerate(arguments, 1)}
