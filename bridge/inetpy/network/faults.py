"""The words for faults, and for when they happen.

    latency(200, jitter=50)          Fault("latency", {"ms": 200, "jitter": 50})
    error("connect", "ehostunreach")
    nth(2)                           When("nth", (2, 2))

Times are in ms, sizes in bytes, rates in bytes per second or as text ("256kbit/s"), probabilities from 0
to 1. A wrong word, unit or number raises ValueError. docs/faults.md has what each fault does.
"""

from __future__ import annotations

import errno as numbers
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..host.errors import POSIX_NAMES

__all__ = [
    "ANY_CALL", "CALLS", "FAULTS", "RESOLVER_ERRORS", "WHENS", "Fault", "When", "bandwidth", "blackhole",
    "corrupt",
    "down", "duplicate", "eagain", "error", "first", "half_open", "latency", "limit", "loss", "make_fault",
    "make_when", "names_call", "nth", "number_of", "nxdomain", "periodic", "probability", "refuse", "reorder",
    "reset", "resolve_timeout", "short_read", "short_write", "slice", "slow_close", "truncate",
]  # fmt: skip

CALLS = ("accept", "bind", "connect", "listen", "recv", "resolve", "send", "setopt")
ANY_CALL = "any"
# A program that opens a socket does not know how many options are set on it: each of them would count.
NOT_ANY = frozenset(("setopt",))
FASTEST = 1e15  # bytes/s
RESOLVER_ERRORS = ("nxdomain", "timeout", "try_again", "no_recovery", "no_data", "einval")


class Fault(NamedTuple):
    """What happens. Made by the functions of this module, or by `make_fault`."""

    word: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.word}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


class When(NamedTuple):
    """When it happens: `nth(2)`, `probability(0.1)`, `first(3)`, `periodic(1000, 0.5)`."""

    word: str
    numbers: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.word}({', '.join(f'{number:g}' for number in self.numbers)})"


# --- arguments ----------------------------------------------------------------

_UNITS = {
    "bit": 1 / 8,
    "kbit": 1e3 / 8,
    "mbit": 1e6 / 8,
    "gbit": 1e9 / 8,
    "b": 1,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
}
_RATE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)(?:/s|ps)\s*", re.IGNORECASE)


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < math.inf:
        raise ValueError(f"{what} is a number, not {value!r}")
    return value


def _ms(value: object) -> float:
    number = _number(value, "a time in ms")
    if not 0 <= number < 1 << 40:
        raise ValueError(f"a time in ms is 0 or more, not {value!r}")
    return number


def _share(value: object) -> float:
    number = _number(value, "a probability")
    if not 0 <= number <= 1:
        raise ValueError(f"a probability is from 0 to 1, not {value!r}")
    return number


def _whole(value: object, what: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 1 << 62:
        raise ValueError(f"{what} is a whole number from {least} on, not {value!r}")
    return value


def _size(value: object) -> int:
    return _whole(value, "a size in bytes", 1)


def _bytes(value: object) -> int:
    return _whole(value, "a number of bytes", 0)


def _count(value: object) -> int:
    return _whole(value, "a count", 1)


def _rate(value: object) -> float:
    """Bytes per second."""
    if isinstance(value, (str, bytes)):
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        match = _RATE.fullmatch(text)
        if match is None or match[2].lower() not in _UNITS:
            raise ValueError(
                f'a rate is a number of bytes/s, or text as "256kbit/s" or "2MB/s", not {text!r}'
            )
        value = float(match[1]) * _UNITS[match[2].lower()]
    number = _number(value, "a rate")
    if not 0 < number <= FASTEST:
        raise ValueError(f"a rate is more than 0, and no more than {FASTEST:g}, not {value!r}")
    return number


def _name(value: object) -> str:
    """Erlang has atoms, binaries and strings for names."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").lower()
    name = getattr(value, "name", value)
    if not isinstance(name, str):
        raise ValueError(f"a name is text, not {value!r}")
    return name.lower()


def _one_of(*names: str) -> Callable[[object], str]:
    def parse(value: object) -> str:
        name = _name(value)
        if name not in names:
            raise ValueError(f"{name!r} is none of {', '.join(names)}")
        return name

    return parse


def _errno(value: object) -> str:
    name = _name(value)
    if name not in POSIX_NAMES and name not in RESOLVER_ERRORS:
        raise ValueError(f"{name!r} is no error of a call: it is named as in Erlang, econnreset for example")
    return name


def _optional(parse: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None or _is_undefined(value) else parse(value)


def _is_undefined(value: object) -> bool:
    return getattr(value, "name", None) in ("undefined", "nil", "none")


NEEDED = object()


class Argument(NamedTuple):
    """An argument of a fault: how its value is parsed, and the value where none is given."""

    name: str
    parse: Callable[[object], Any]
    default: object = NEEDED


class Word(NamedTuple):
    """A fault. `kinds`: what it can happen to: `stream`, `datagram`, `resolve`."""

    kinds: frozenset[str]
    arguments: tuple[Argument, ...]


def _word(kinds: str, *arguments: Argument) -> Word:
    return Word(frozenset(kinds.split()), arguments)


FAULTS: dict[str, Word] = {
    "latency": _word("stream datagram", Argument("ms", _ms), Argument("jitter", _ms, 0)),
    "bandwidth": _word("stream datagram", Argument("rate", _rate)),
    "slice": _word(
        "stream", Argument("size", _size), Argument("variation", _bytes, 0), Argument("delay", _ms, 0)
    ),
    "limit": _word(
        "stream", Argument("bytes", _bytes), Argument("then", _one_of("close", "reset", "blackhole"), "close")
    ),
    "reset": _word(
        "stream", Argument("after_bytes", _optional(_bytes), None), Argument("after_ms", _optional(_ms), None)
    ),
    "slow_close": _word("stream", Argument("ms", _ms)),
    "blackhole": _word("stream datagram"),
    "half_open": _word("stream"),
    "down": _word("stream datagram"),
    "refuse": _word("stream datagram"),
    "loss": _word("datagram", Argument("p", _share)),
    "duplicate": _word("datagram", Argument("p", _share)),
    "corrupt": _word("datagram", Argument("p", _share)),
    "reorder": _word("datagram", Argument("p", _share), Argument("gap", _count, 1)),
    "truncate": _word("datagram", Argument("size", _bytes)),
    "error": _word(
        "stream datagram resolve", Argument("call", _one_of(*CALLS, ANY_CALL)), Argument("errno", _errno)
    ),
    "short_read": _word("stream", Argument("size", _size)),
    "short_write": _word("stream", Argument("size", _size)),
    "eagain": _word("stream datagram", Argument("n", _count)),
    "nxdomain": _word("resolve"),
    "resolve_timeout": _word("resolve"),
}


def make_fault(word: str, given: Mapping[str, object]) -> Fault:
    """A fault of a word and its arguments by name. Raises ValueError."""
    if word not in FAULTS:
        raise ValueError(f"there is no fault {word!r}: there are {', '.join(FAULTS)}")
    arguments = {}
    for argument in FAULTS[word].arguments:
        value = given.get(argument.name, argument.default)
        if value is NEEDED:
            raise ValueError(f"{word} needs {argument.name!r}")
        try:
            arguments[argument.name] = value if value is argument.default else argument.parse(value)
        except ValueError as error:
            raise ValueError(f"{word}, {argument.name}: {error}") from None
    unknown = [name for name in given if name not in arguments]
    if unknown:
        known = ", ".join(arguments) or "none"
        raise ValueError(f"{word} has no argument {unknown[0]!r}; its arguments: {known}")
    return _checked(Fault(word, arguments))


def _checked(fault: Fault) -> Fault:
    """What is wrong with arguments that are right one by one."""
    arguments = fault.arguments
    if fault.word == "reset" and None not in arguments.values():
        raise ValueError("a reset is after_bytes or after_ms, not both")
    if fault.word == "slice" and arguments["variation"] >= arguments["size"]:
        raise ValueError("slice, variation: it is less than the size")
    if fault.word == "error":
        is_name = arguments["errno"] in RESOLVER_ERRORS and arguments["errno"] not in POSIX_NAMES
        if is_name and arguments["call"] != "resolve":
            raise ValueError(f"{arguments['errno']!r} is an error of resolve only")
    return fault


def names_call(word: str, call: str) -> bool:
    """Whether `error(word, ...)` is about a call."""
    return word == call or (word == ANY_CALL and call not in NOT_ANY)


def number_of(name: str) -> int:
    """The errno of a posix name."""
    return int(getattr(numbers, name.upper(), numbers.EIO))


# --- the words ----------------------------------------------------------------


def latency(ms: float, jitter: float = 0) -> Fault:
    """What the socket receives comes `ms` later, give or take up to `jitter` ms. Streams keep their order.

    With `direction="send"` what is sent leaves later; with "both", both.
    """
    return make_fault("latency", {"ms": ms, "jitter": jitter})


def bandwidth(rate: float | str) -> Fault:
    """No more than `rate` bytes per second, in each direction; or text as "256kbit/s"."""
    return make_fault("bandwidth", {"rate": rate})


def slice(size: int, variation: int = 0, delay: float = 0) -> Fault:  # noqa: A001
    """A stream comes in pieces of `size` bytes, give or take `variation`, with `delay` ms between them."""
    return make_fault("slice", {"size": size, "variation": variation, "delay": delay})


def limit(bytes: int, then: str = "close") -> Fault:  # noqa: A002
    """After so many bytes in a direction the connection is closed; or `then` is "reset" or "blackhole"."""
    return make_fault("limit", {"bytes": bytes, "then": then})


def reset(after_bytes: int | None = None, after_ms: float | None = None) -> Fault:
    """A reset of the connection: after so many bytes in a direction, after a time, or at once."""
    return make_fault("reset", {"after_bytes": after_bytes, "after_ms": after_ms})


def slow_close(ms: float) -> Fault:
    """The end of a direction (FIN) comes `ms` later than the bytes before it."""
    return make_fault("slow_close", {"ms": ms})


def blackhole() -> Fault:
    """Nothing gets through, and nobody says so. New connections wait for ever; datagrams are lost."""
    return make_fault("blackhole", {})


def half_open() -> Fault:
    """The peer has forgotten the connection: nothing comes, and what is sent is answered by a reset."""
    return make_fault("half_open", {})


def down() -> Fault:
    """The peer has gone: new connections are refused, those that are open are reset."""
    return make_fault("down", {})


def refuse() -> Fault:
    """New connections are refused. Connections that are open go on."""
    return make_fault("refuse", {})


def loss(p: float) -> Fault:
    """A datagram is lost with probability `p`."""
    return make_fault("loss", {"p": p})


def duplicate(p: float) -> Fault:
    """A datagram comes twice with probability `p`."""
    return make_fault("duplicate", {"p": p})


def corrupt(p: float) -> Fault:
    """One bit of a datagram is turned over with probability `p`."""
    return make_fault("corrupt", {"p": p})


def reorder(p: float, gap: int = 1) -> Fault:
    """A datagram is overtaken by the next `gap` datagrams with probability `p`."""
    return make_fault("reorder", {"p": p, "gap": gap})


def truncate(size: int) -> Fault:
    """Of a datagram the first `size` bytes come."""
    return make_fault("truncate", {"size": size})


def error(call: str, errno: str) -> Fault:
    """A call fails: `error("connect", "ehostunreach")`.

    call: accept, bind, connect, listen, recv, resolve, send, setopt; or `any`, which is all but setopt.
    At `resolve`, an errno of `any` that no lookup has is nxdomain.
    """
    return make_fault("error", {"call": call, "errno": errno})


def short_read(size: int) -> Fault:
    """A read gets no more than `size` bytes."""
    return make_fault("short_read", {"size": size})


def short_write(size: int) -> Fault:
    """A write takes no more than `size` bytes."""
    return make_fault("short_write", {"size": size})


def eagain(n: int) -> Fault:
    """Before each read, write and accept that has something to do, `n` calls fail with EAGAIN."""
    return make_fault("eagain", {"n": n})


def nxdomain() -> Fault:
    """A name is not known."""
    return make_fault("nxdomain", {})


def resolve_timeout() -> Fault:
    """The servers that know names do not answer."""
    return make_fault("resolve_timeout", {})


# --- when ---------------------------------------------------------------------


def nth(n: int, last: int | None = None) -> When:
    """The n-th time only; or from the n-th to the `last` time. Counted from 1."""
    until = n if last is None else last
    if _count(n) > _count(until):
        raise ValueError(f"nth: from {n} to {until} is nothing")
    return When("nth", (n, until))


def probability(p: float) -> When:
    """Each time with probability `p`."""
    return When("probability", (_share(p),))


def first(n: int) -> When:
    """The first `n` times only."""
    return When("first", (_count(n),))


def periodic(period: float, duty: float) -> When:
    """In each `period` of ms, for the share `duty` of it, beginning when the rule is added."""
    if _ms(period) < 1:
        raise ValueError("periodic: a period is 1 ms or more")
    return When("periodic", (period, _share(duty)))


WHENS: dict[str, Callable[..., When]] = {
    "nth": nth,
    "probability": probability,
    "first": first,
    "periodic": periodic,
}


def make_when(word: str, given: object) -> When:
    """`nth` with 2 or (1, 3), and so on. Raises ValueError."""
    if word not in WHENS:
        raise ValueError(f"there is no 'when' of {word!r}: there are {', '.join(WHENS)}")
    arguments = tuple(given) if isinstance(given, (tuple, list)) else (given,)
    try:
        return WHENS[word](*arguments)
    except TypeError:
        raise ValueError(f"{word} does not take {len(arguments)} numbers") from None
