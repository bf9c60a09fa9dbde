"""The words for faults, and for when they happen.

    latency(200, jitter=50)          Fault("latency", {"ms": 200, "jitter": 50})
    error("connect", "ehostunreach")
    nth(2)                           When("nth", (2, 2))

Times are in ms, sizes in bytes, rates in bytes per second or as text ("256kbit/s"), probabilities from 0
to 1. A wrong word, unit or number raises ValueError. docs/faults.md has what each fault does.
"""

from __future__ import annotations

import errno as numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..host.errors import POSIX_NAMES
from .arguments import (
    BYTES,
    COUNT,
    ERRNO,
    MS,
    RATE,
    RESOLVER_ERRORS,
    SHARE,
    SIZE,
    Values,
    one_of,
    optional,
)

__all__ = [
    "ANY_CALL", "CALLS", "FAULTS", "NEEDED", "RESOLVER_ERRORS", "WHENS", "Fault", "When", "bandwidth",
    "blackhole", "code_of", "corrupt", "down", "duplicate", "eagain", "error", "first", "half_open",
    "latency", "limit", "loss", "make_fault", "make_when", "names_call", "nth", "number_of", "nxdomain",
    "periodic", "probability", "refuse", "reorder", "reset", "resolve_timeout", "short_read", "short_write",
    "slice", "slow_close", "truncate",
]  # fmt: skip

CALLS = ("accept", "bind", "connect", "listen", "recv", "resolve", "send", "setopt")
ANY_CALL = "any"
# A program that opens a socket does not know how many options are set on it: each of them would count.
NOT_ANY = frozenset(("setopt",))


class Fault(NamedTuple):
    """What happens. Made by the functions of this module, or by `make_fault`."""

    word: str
    arguments: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.word}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"

    def __repr__(self) -> str:
        """Python code, without arguments that have their defaults."""
        given = [
            code_of(value) if default is NEEDED else f"{name}={code_of(value)}"
            for name, _, default in FAULTS[self.word].arguments
            if (value := self.arguments[name]) != default
        ]
        return f"{self.word}({', '.join(given)})"


class When(NamedTuple):
    """When it happens: `nth(2)`, `probability(0.1)`, `first(3)`, `periodic(1000, 0.5)`."""

    word: str
    numbers: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.word}({', '.join(f'{number:g}' for number in self.numbers)})"

    def __repr__(self) -> str:
        """Python code: nth(2), and not nth(2, 2)."""
        numbers = self.numbers[:1] if self.word == "nth" and len({*self.numbers}) == 1 else self.numbers
        return f"{self.word}({', '.join(map(repr, numbers))})"


def code_of(value: object) -> str:
    """Python code of a value. Text has double quotes where it can."""
    code = repr(value)
    plain = isinstance(value, str) and code[1:-1] == value and '"' not in value
    return f'"{value}"' if plain else code


NEEDED = object()


class Argument(NamedTuple):
    """An argument of a fault: which values it takes, and the one where none is given."""

    name: str
    values: Values
    default: object = NEEDED


class Word(NamedTuple):
    """A fault. `kinds`: what it can happen to: `stream`, `datagram`, `resolve`."""

    kinds: frozenset[str]
    arguments: tuple[Argument, ...]


def _word(kinds: str, *arguments: Argument) -> Word:
    return Word(frozenset(kinds.split()), arguments)


FAULTS: dict[str, Word] = {
    "latency": _word("stream datagram", Argument("ms", MS), Argument("jitter", MS, 0)),
    "bandwidth": _word("stream datagram", Argument("rate", RATE)),
    "slice": _word(
        "stream", Argument("size", SIZE), Argument("variation", BYTES, 0), Argument("delay", MS, 0)
    ),
    "limit": _word(
        "stream", Argument("bytes", BYTES), Argument("then", one_of("close", "reset", "blackhole"), "close")
    ),
    "reset": _word(
        "stream", Argument("after_bytes", optional(BYTES), None), Argument("after_ms", optional(MS), None)
    ),
    "slow_close": _word("stream", Argument("ms", MS)),
    "blackhole": _word("stream datagram"),
    "half_open": _word("stream"),
    "down": _word("stream datagram"),
    "refuse": _word("stream datagram"),
    "loss": _word("datagram", Argument("p", SHARE)),
    "duplicate": _word("datagram", Argument("p", SHARE)),
    "corrupt": _word("datagram", Argument("p", SHARE)),
    "reorder": _word("datagram", Argument("p", SHARE), Argument("gap", COUNT, 1)),
    "truncate": _word("datagram", Argument("size", BYTES)),
    "error": _word(
        "stream datagram resolve", Argument("call", one_of(*CALLS, ANY_CALL)), Argument("errno", ERRNO)
    ),
    "short_read": _word("stream", Argument("size", SIZE)),
    "short_write": _word("stream", Argument("size", SIZE)),
    "eagain": _word("stream datagram", Argument("n", COUNT)),
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
            arguments[argument.name] = value if value is argument.default else argument.values.parse(value)
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
    if COUNT.parse(n) > COUNT.parse(until):
        raise ValueError(f"nth: from {n} to {until} is nothing")
    return When("nth", (n, until))


def probability(p: float) -> When:
    """Each time with probability `p`."""
    return When("probability", (SHARE.parse(p),))


def first(n: int) -> When:
    """The first `n` times only."""
    return When("first", (COUNT.parse(n),))


def periodic(period: float, duty: float) -> When:
    """In each `period` of ms, for the share `duty` of it, beginning when the rule is added."""
    if MS.parse(period) < 1:
        raise ValueError("periodic: a period is 1 ms or more")
    return When("periodic", (period, SHARE.parse(duty)))


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
