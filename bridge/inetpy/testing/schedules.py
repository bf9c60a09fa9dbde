"""Schedules of faults as a strategy of Hypothesis.

    @given(faults(["reset", "latency"], whom={"host": "db.example"}))
    def test_client(schedule):
        with network.schedule(schedule):
            ...

What is drawn comes from the tables of `network.faults`. A schedule that makes the test fail is shrunk: to
fewer faults, to faults without conditions and with fewer arguments, to the first of such words, and to the
least numbers. Hypothesis prints it as code: `[fault(reset(after_bytes=1), host="db.example", when=nth(2))]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..network.arguments import Values
from ..network.faults import FAULTS, NEEDED, WHENS, Fault, When, error, make_fault
from ..network.rules import Rule
from ..network.schedules import PlannedFault, fault
from ..network.whom import Whom, text_of

try:
    from hypothesis import strategies as st
except ImportError:
    raise ImportError("inetpy.testing.faults needs Hypothesis: pip install 'inetpy[hypothesis]'") from None

__all__ = ["faults"]

# The errors that a call has on a real network. The first are the simplest.
ERRNOS = {
    "connect": ("econnrefused", "etimedout", "ehostunreach", "enetunreach"),
    "recv": ("econnreset", "etimedout"),
    "send": ("econnreset", "epipe", "enobufs"),
    "accept": ("econnaborted", "emfile"),
    "bind": ("eaddrinuse", "eacces"),
    "listen": ("eaddrinuse", "eacces"),
    "resolve": ("nxdomain", "try_again", "timeout"),
    "setopt": ("einval", "enoprotoopt"),
    "any": ("econnreset", "etimedout"),
}
OF_LISTENERS = frozenset(("accept", "listen"))
KINDS = {
    "tcp": {"stream", "resolve"},
    "udp": {"datagram", "resolve"},
    None: {"stream", "datagram", "resolve"},
}
SHARES = (1, 0.5, 0.25, 0.1)  # the first is no matter of chance
RATES = (1_000_000, 100_000, 10_000, 1_000)  # bytes/s
MOST = 5  # of a count

Range = tuple[int, int]


def faults(
    words: Iterable[str | Fault] | None = None,
    *,
    protocol: str | None = "tcp",
    whom: Mapping[str, object] | Sequence[Mapping[str, object]] = (),
    when: Iterable[str] = ("nth", "first", "probability"),
    min_faults: int = 0,
    max_faults: int = 3,
    times: Range = (1, 1000),
    sizes: Range = (0, 4096),
) -> st.SearchStrategy[list[PlannedFault]]:
    """Lists of `fault(...)`, for `network.schedule`. The empty list is the simplest.

    words: faults that may happen: a word as "reset", whose arguments are drawn, or a
        fault as latency(200). None: all words of the table, in its order.
    protocol: "tcp" and "udp" leave out words that are of the other one alone; None leaves out nothing.
    whom: the sockets of each fault, {"host": "db.example"} for example; or a list of these, the simplest
        first, of which one is drawn for each fault. Faults that cannot happen to them are not drawn.
    when: conditions that may be drawn. With "periodic", what happens depends on time: see `network.clock`.
    min_faults, max_faults: how many there are.
    times: the least and the largest time, in ms.
    sizes: the least and the largest size, in bytes.

    Raises ValueError for a wrong word, for a word that cannot be with this protocol or for these sockets, and
    where nothing is left to draw.
    """
    if protocol not in KINDS:
        raise ValueError(f'protocol is "tcp", "udp" or None, not {protocol!r}')
    least, most = _range("min_faults and max_faults", (min_faults, max_faults))
    drawn = _Drawn(_range("times", times), _range("sizes", sizes))
    given = None if words is None else list(words)
    places = [whom] if isinstance(whom, Mapping) else list(whom) or [{}]
    whens = drawn.whens(list(when))
    planned = [_planned(place, _possible(given, protocol, place, drawn), whens) for place in places]
    return st.lists(st.one_of(planned), min_size=least, max_size=most)


def _range(what: str, given: object) -> Range:
    match given:
        case (int(least), int(most)) if 0 <= least <= most:
            return least, most
    raise ValueError(f"{what} are the least and the largest number, (1, 1000) for example, not {given!r}")


@st.composite  # of `builds` and `map`, Hypothesis would print the function that is called
def _planned(
    draw: st.DrawFn,
    whom: Mapping[str, Any],
    what: st.SearchStrategy[Fault],
    when: st.SearchStrategy[When | None],
) -> PlannedFault:
    return fault(draw(what), when=draw(when), **whom)


def _possible(
    words: list[str | Fault] | None, protocol: str | None, whom: Mapping[str, object], drawn: _Drawn
) -> st.SearchStrategy[Fault]:
    """The faults that can happen to some sockets. Raises ValueError for a named word that cannot."""
    found: list[_Kind] = []
    for word in FAULTS if words is None else words:
        kind = drawn.kind(word)
        reasons = [_why_not(example, protocol, whom) for example in kind.examples]
        possible = [example for example, why in zip(kind.examples, reasons, strict=True) if why is None]
        if possible:
            found.append(kind._replace(examples=possible))
        elif words is not None:
            raise ValueError(reasons[0])
    if not found:
        raise ValueError(f"there is no word whose faults can happen to {dict(whom)}")
    found.sort(key=lambda kind: kind.size)  # for Hypothesis, what is made of fewer choices is simpler
    return st.one_of([kind.drawn() for kind in found])


def _why_not(example: Fault, protocol: str | None, whom: Mapping[str, object]) -> str | None:
    """Why such a fault cannot happen to these sockets, or None."""
    call = example.arguments.get("call")
    if call in OF_LISTENERS and protocol == "udp":
        return f"a socket of UDP does not {call}"
    if call in OF_LISTENERS and "role" in whom and text_of(whom["role"]) != "listener":
        return f"only a listener does {call}"
    if not FAULTS[example.word].kinds & KINDS[protocol]:
        return f"{example.word} cannot happen with protocol {protocol!r}"
    try:
        Rule(example, Whom(whom))
    except ValueError as error:
        return str(error)
    return None


class _Kind(NamedTuple):
    """The faults of a word: the examples, or those of a strategy, which can happen where its example can.

    size: how many choices make one.
    """

    size: int
    examples: list[Fault]
    strategy: st.SearchStrategy[Fault] | None = None

    def drawn(self) -> st.SearchStrategy[Fault]:
        return st.sampled_from(self.examples) if self.strategy is None else self.strategy


class _Drawn(NamedTuple):
    """What is drawn. Both ranges are the least and the largest number."""

    times: Range
    sizes: Range

    def kind(self, word: str | Fault) -> _Kind:
        """Raises ValueError for a wrong word."""
        if isinstance(word, Fault):
            return _Kind(0, [word])
        if word == "error":
            return _Kind(1, [error(call, errno) for call, errnos in ERRNOS.items() for errno in errnos])
        needed = [argument.name for argument in _arguments(word) if argument.default is NEEDED]
        values = {argument.name: self._values(argument.values) for argument in _arguments(word)}
        given = st.fixed_dictionaries({name: values.pop(name) for name in needed}, optional=values)
        strategy = given.filter(lambda given: _can_be(word, given)).map(lambda given: make_fault(word, given))
        return _Kind(len(_arguments(word)), [make_fault(word, dict.fromkeys(needed, 1))], strategy)

    def _values(self, values: Values) -> st.SearchStrategy[Any]:
        match values.unit:
            case "ms":
                return _integers(values.least, self.times)
            case "bytes":
                return _integers(values.least, self.sizes)
            case "count":
                return st.integers(values.least, MOST)
            case "share":
                return st.sampled_from(SHARES)
            case "rate":
                return st.sampled_from(RATES)
        return st.sampled_from(values.words)

    def whens(self, words: list[str]) -> st.SearchStrategy[When | None]:
        """None, or a condition. Raises ValueError for a wrong word."""
        numbers: dict[str, list[st.SearchStrategy[Any]]] = {
            "nth": [st.integers(1, MOST)],
            "first": [st.integers(1, MOST)],
            "probability": [st.sampled_from(SHARES[1:])],
            "periodic": [_integers(1, self.times), st.sampled_from(SHARES[1:])],
        }
        unknown = [word for word in words if word not in numbers]
        if unknown:
            raise ValueError(f"there is no 'when' of {unknown[0]!r}: there are {', '.join(numbers)}")
        return st.one_of(st.none(), *(st.builds(WHENS[word], *numbers[word]) for word in words))


def _arguments(word: str) -> tuple[Any, ...]:
    if word not in FAULTS:
        make_fault(word, {})  # says which words there are
    return FAULTS[word].arguments


def _integers(least: int, limits: Range) -> st.SearchStrategy[int]:
    return st.integers(max(least, limits[0]), max(least, limits[1]))


def _can_be(word: str, given: Mapping[str, object]) -> bool:
    """A reset is not after bytes and after a time, for example."""
    try:
        make_fault(word, given)
    except ValueError:
        return False
    return True
