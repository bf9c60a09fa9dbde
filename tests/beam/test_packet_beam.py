"""The packet parsers against erlang:decode_packet/3."""

from __future__ import annotations

from hypothesis import given, strategies as st

from conftest import Oracle
from inetpy.etf import decode, encode
from inetpy.packet import PACKET_TYPES
from inetpy.packet.buffer import InputBuffer
from inetpy.terms import Atom

names = st.sampled_from(list(PACKET_TYPES))
small = st.sampled_from(b"\0\1\2\3\n\xffab")
stream = st.one_of(
    st.binary(max_size=60),
    st.lists(small, max_size=60).map(bytes),
    st.lists(st.integers(0, 20), max_size=6).map(
        lambda sizes: b"".join(bytes((0, n)) + b"x" * n for n in sizes)
    ),
    st.lists(st.integers(0, 9), max_size=6).map(lambda sizes: b"".join(b"y" * n + b"\n" for n in sizes)),
)


@given(name=names, data=stream, packet_size=st.integers(0, 30), line_length=st.integers(0, 30))
def test_length_is_that_of_decode_packet(
    oracle: Oracle, name: object, data: bytes, packet_size: int, line_length: int
) -> None:
    """A whole packet, more bytes needed, and an error, each where the emulator says so."""
    options = [(Atom("packet_size"), packet_size), (Atom("line_length"), line_length)]
    answer = decode(oracle.ask(b"P" + encode((name, data, options))))
    kind = PACKET_TYPES[name]
    length = kind.length(bytearray(data), packet_size, line_length)
    match answer:
        case (Atom(name="ok"), packet, rest):
            assert data[kind.header : length] == packet
            assert data[length:] == rest
        case (Atom(name="more"), needed):
            assert length == 0 or length > len(data)
            if needed != Atom("undefined"):
                assert length == needed
        case (Atom(name="error"), _):
            assert length == -1


@given(
    name=names.filter(lambda name: name not in (0, Atom("raw"))),
    data=stream,
    size=st.integers(1, 40),
    cuts=st.lists(st.integers(1, 10), min_size=1),
)
def test_cuts_do_not_matter(name: object, data: bytes, size: int, cuts: list[int]) -> None:
    """Packets come out the same however the stream was cut."""
    whole = _packets(name, data, size, [len(data) or 1])
    assert _packets(name, data, size, cuts) == whole


def _packets(name: object, data: bytes, size: int, cuts: list[int]) -> list[bytes | str]:
    """Feeds `data` in pieces of the sizes in `cuts`, and takes what comes out."""
    kind = PACKET_TYPES[name]
    inbox = InputBuffer()
    out: list[bytes | str] = []
    pos = turn = 0
    while True:
        wanted, length = inbox.demand(0, size, kind, 0)
        while wanted > 0:
            cut = min(wanted, cuts[turn % len(cuts)])
            turn += 1
            chunk = data[pos : pos + cut]
            if not chunk:
                return out
            pos += len(chunk)
            wanted, length = inbox.fill(chunk, kind, 0)
        if wanted < 0:
            return [*out, "error"]
        out.append(inbox.take(length))
