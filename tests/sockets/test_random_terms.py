"""Terms of the module `socket`, made at random: addresses, values of options, control messages.

Whatever a user gives is taken, or refused in the way that the callers know. What the system gives becomes a
term, and that term gives the same bytes again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given, settings, strategies as st

from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Charlist, ImproperList
from inetpy.names.sockaddr import BadTerm, build_sockaddr, is_encodable, parse_sockaddr
from inetpy.options import plain_values
from inetpy.options.plain_control import CONTROL, build_control, build_messages, parse_message
from inetpy.options.plain_values import LEVELS, PlainType
from inetpy.sockets.plain import Plain
from inetpy.sockets.plain.cmsg import check_levels, parse_control
from inetpy.sockets.plain.flags import parse_flags
from inetpy.sockets.plain.settings import INT_SIZE
from inetpy.sockets.plain.values import Fails
from seeds import times

# What a type of values may raise on a term: see PlainType.
REFUSED = (KeyError, OverflowError, TypeError, ValueError, struct.error)
WORDS = [
    "any", "loopback", "broadcast", "inet", "inet6", "local", "unspec", "socket", "ip", "ipv6", "true",
    "false", "abort", "default", "null", "include", "exclude", "want", "lowdelay", "timestamp", "rights",
    "tos", "ttl", "hoplimit", "peek", "nonsense",
]  # fmt: skip
KEYS = [
    "family", "addr", "port", "path", "flowinfo", "scope_id", "level", "type", "data", "value", "onoff",
    "linger", "sec", "usec", "multiaddr", "interface", "sourceaddr", "mode", "slist",
]  # fmt: skip

atoms = st.sampled_from(WORDS).map(Atom)
byte = st.integers(0, 255)
port, unsigned = st.integers(0, 65535), st.integers(0, (1 << 32) - 1)
ip4 = st.tuples(byte, byte, byte, byte)
ip6 = st.tuples(*[port] * 8)
numbers = st.integers(-3, 300) | st.sampled_from([1 << 31, -(1 << 31), 1 << 32, 1 << 63, 1 << 64, 1 << 100])
simple = (
    atoms | numbers | st.binary(max_size=300) | st.floats(allow_nan=False, allow_infinity=False) | ip4 | ip6
)


def _more(terms: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(terms, max_size=4)
    return (
        lists
        | lists.map(tuple)
        | st.binary(min_size=1, max_size=20).map(Charlist)
        | st.builds(ImproperList, st.lists(terms, min_size=1, max_size=3), numbers)
        | st.dictionaries(st.sampled_from(KEYS).map(Atom) | atoms | numbers, terms, max_size=5)
    )


terms: st.SearchStrategy[Any] = st.recursive(simple, _more, max_leaves=12)


def fields(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Maps with all of these keys."""
    return st.fixed_dictionaries({Atom(name): value for name, value in values.items()})


def just(name: str) -> st.SearchStrategy[Atom]:
    return st.just(Atom(name))


few = settings(max_examples=times(40), deadline=None)

# --- addresses ---

# A path ends at a zero, but for an abstract one.
paths = st.binary(max_size=107).map(lambda path: path if path[:1] == b"\0" else path.replace(b"\0", b"x"))
addresses = (
    fields(family=just("inet"), addr=ip4, port=port)
    | fields(family=just("inet6"), addr=ip6, port=port, flowinfo=st.integers(0, 0xFFFFF), scope_id=st.just(0))
    | fields(family=just("local"), path=paths)
    | fields(family=just("unspec"), addr=st.binary(max_size=126))
    | fields(family=st.integers(18, 40), addr=st.binary(max_size=126))
)
nearly = st.builds(
    lambda address, key, term: address | {Atom(key): term}, addresses, st.sampled_from(KEYS), terms
)


@few
@given(addresses)
def test_an_address_comes_back(term: Any) -> None:
    address = parse_sockaddr(term)
    assert build_sockaddr(address.value, address.family) == term


@few
@given(terms | nearly)
def test_an_address_is_taken_or_refused(term: Any) -> None:
    """What is refused at first is refused at last, too."""
    try:
        is_encodable(term)
    except BadTerm:
        with pytest.raises(BadTerm):
            parse_sockaddr(term)
    try:
        family, _, _ = parse_sockaddr(term)
    except BadTerm as error:
        encode(error.term)  # it goes into the answer
    else:
        assert 0 <= family < 1 << 32


@few
@given(
    st.integers(0, 60).filter(lambda family: family not in (socket.AF_INET, socket.AF_INET6)),
    st.binary(max_size=130),
)
def test_any_address_of_the_system_is_a_term(family: int, data: bytes) -> None:
    assert decode(encode(build_sockaddr(data, family))) == build_sockaddr(data, family)


# --- values of options ---

TYPES = {name: value for name, value in vars(plain_values).items() if isinstance(value, PlainType)}
whole = st.integers(-(1 << 31), (1 << 31) - 1)
# Values that come back as they were.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BOOL": st.sampled_from([Atom("true"), Atom("false")]),
    "INT": whole,
    "UINT": unsigned,
    "HOPS": byte,
    "LINGER": fields(
        onoff=st.sampled_from([Atom("true"), Atom("false")]), linger=st.integers(0, (1 << 31) - 1)
    ),
    "TIME": fields(sec=st.integers(0, 1 << 40), usec=st.integers(0, 999_999)),
    "IP_INTERFACE": ip4,
    "MTU_DISCOVER": st.sampled_from(["dont", "want", "do", "probe"]).map(Atom),
    "TOS": st.sampled_from(["lowdelay", "throughput", "reliability", "mincost"]).map(Atom),
    "ASSOCINFO": fields(
        assoc_id=whole, asocmaxrxt=port, number_peer_destinations=port, peer_rwnd=unsigned,
        local_rwnd=unsigned, cookie_life=unsigned,
    ),
    "INITMSG": fields(num_outstreams=port, max_instreams=port, max_attempts=port, max_init_timeo=port),
}  # fmt: skip


def parsed(values: PlainType, term: Any) -> bytes:
    """The bytes for setsockopt(2)."""
    assert values.parse is not None
    result = values.parse(term)
    return struct.pack("i", result) if isinstance(result, int) else result


def bytes_of(values: PlainType) -> int:
    """How many bytes getsockopt(2) is asked for."""
    return values.size or INT_SIZE


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back(name: str) -> None:
    values = TYPES[name]
    build = cast(Callable[[bytes], Any], values.build)

    @few
    @given(VALUES[name])
    def comes_back(term: Any) -> None:
        data = parsed(values, term)
        assert len(data) == bytes_of(values)
        assert build(data) == term

    comes_back()


@pytest.mark.parametrize("name", [name for name, values in TYPES.items() if values.parse])
def test_a_value_is_taken_or_refused(name: str) -> None:
    @few
    @given(terms)
    def is_taken_or_refused(term: Any) -> None:
        try:
            parsed(TYPES[name], term)
        except REFUSED:
            pass

    is_taken_or_refused()


@pytest.mark.parametrize("name", [name for name, values in TYPES.items() if values.build])
def test_any_value_of_the_system_is_a_term(name: str) -> None:
    size, build = bytes_of(TYPES[name]), cast(Callable[[bytes], Any], TYPES[name].build)

    @few
    @given(st.binary(min_size=size, max_size=size))
    def is_a_term(data: bytes) -> None:
        encode(build(data))

    is_a_term()


# --- control messages and flags ---

kinds = st.sampled_from(sorted(CONTROL)) | st.tuples(st.integers(-5, 300), st.integers(-5, 300))
received = st.lists(st.tuples(kinds, st.binary(max_size=60)), max_size=4)


class FakePlain:
    """What of a socket the control messages ask for."""

    sndctrlbuf = 1024

    class session:  # noqa: N801
        protocols: tuple[tuple[int, tuple[str, ...]], ...] = ((0, ("ip",)), (41, ("ipv6",)))


PLAIN = cast(Plain, FakePlain())


@few
@given(received)
def test_a_received_message_can_be_sent(messages: list[tuple[tuple[int, int], bytes]]) -> None:
    """Its data is what it was."""
    control = [(level, number, data) for (level, number), data in messages]
    for (level, number, data), term in zip(control, build_control(control), strict=True):
        assert parse_message(decode(encode(term)), level) == (level, number, data)


@few
@given(
    terms
    | st.lists(
        st.dictionaries(st.sampled_from(["level", "type", "data", "value"]).map(Atom), terms), max_size=3
    )
)
def test_messages_are_taken_or_refused(term: Any) -> None:
    try:
        parse_control(PLAIN, term, check_levels(PLAIN, term))
    except (BadTerm, Fails) as error:
        encode(error.term)


@few
@given(st.binary(max_size=200))
def test_any_buffer_of_messages_is_read(data: bytes) -> None:
    encode(build_messages(data))


@few
@given(terms)
def test_flags_are_taken_or_refused(term: Any) -> None:
    try:
        assert isinstance(parse_flags(term), int)
    except (BadTerm, Fails) as error:
        encode(error.term)


def test_levels_have_numbers() -> None:
    """A name and its number are one level."""
    for name in ("socket", "ip", "ipv6"):
        message = {Atom("level"): Atom(name), Atom("type"): 1, Atom("data"): b"x"}
        assert check_levels(PLAIN, [message]) == [(message, LEVELS[name])]
