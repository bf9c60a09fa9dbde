"""The packet parsers, compared with erlang:decode_packet/3 on random, cut and mutated input."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings as profile, strategies as st

from conftest import Oracle
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom
from inetpy.packet import PACKET_TYPES, PacketType
from inetpy.packet.buffer import InputBuffer
from seeds import times


@dataclass
class Cut:
    """Settings for the parsers."""

    packet: PacketType
    packet_size: int = 0
    line_delimiter: int = 10
    in_headers: bool = False
    read_ahead: bool = True


def sized(header: bytes, width: int) -> st.SearchStrategy[bytes]:
    """Packets with a header, a length that is correct or off by a little, and a body."""
    return st.builds(
        lambda size, off: header + max(0, size + off).to_bytes(width, "big") + b"x" * size,
        st.integers(0, 30),
        st.integers(-2, 2),
    )


VALID: dict[str, st.SearchStrategy[bytes]] = {
    "1": sized(b"", 1),
    "2": sized(b"", 2),
    "4": sized(b"", 4),
    "sunrm": sized(b"", 4) | sized(b"\x80", 3),
    "asn1": sized(b"\x30", 1) | sized(b"\x30\x82", 2) | sized(b"\x1f\x81\x01", 1) | sized(b"\x30\x84", 4),
    "cdr": sized(b"GIOP\1\0\0\0", 4) | sized(b"GIOP\1\0\1\0", 4),
    "fcgi": st.builds(
        lambda n, pad: b"\1\1\0\1" + n.to_bytes(2, "big") + bytes((pad, 0)) + b"c" * n + b"p" * pad,
        st.integers(0, 20),
        st.integers(0, 9),
    ),
    "tpkt": sized(b"\3\0", 2) | st.integers(0, 20).map(lambda n: b"\3\0\0" + bytes((n + 4,)) + b"t" * n),
    "ssl": sized(b"\x16\3\3", 2) | sized(b"\x80", 1).map(lambda record: record[:2] + b"\1" + record[2:]),
    "line": st.lists(st.integers(0, 9), max_size=6).map(
        lambda sizes: b"".join(b"y" * n + b"\n" for n in sizes)
    ),
}
HTTP_PIECES = st.sampled_from(
    [b"GET", b"HEAD", b"get", b"PATCH", b" ", b"  ", b"\t", b"/", b"/path?q=1", b"*", b"http://",
     b":", b"https://h.example", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/", b"HTTP/1", b"200", b"OK",
     b"Not Found", b"\r\n", b"\n", b"\r", b": ", b"host", b"Host", b"X-fOO-bar", b"content-length",
     b"4294967295", b"9" * 5000,
     b"ftp:x", b":80", b":8x", b"value", b"a-very-long-header-name-with-many-parts", b"0", b"7",
     b"\x7f", b"\xe9", b"@", b"(", b"|", b"~", b"."]
)  # fmt: skip
http_text = st.lists(HTTP_PIECES, max_size=12).map(b"".join)
noise = st.binary(max_size=40) | st.lists(st.sampled_from(b"\0\1\2\3\n\xffab"), max_size=40).map(bytes)

TYPES = {str(value.value): value for value in PACKET_TYPES.values()}


def kind_term(name: str) -> object:
    return int(name) if name.isdigit() else Atom("ssl_tls" if name == "ssl" else name)


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Packets that are whole, cut, changed in a byte, or followed by others; and random bytes."""
    packet = http_text if name.startswith("http") else VALID.get(name, noise)
    several = st.lists(packet, min_size=1, max_size=3).map(b"".join)
    cut = st.builds(lambda data, at: data[: at % (len(data) + 1)], several, st.integers(0, 99))
    changed = st.builds(
        lambda data, at, byte: (
            data[: at % (len(data) + 1)] + bytes((byte,)) + data[at % (len(data) + 1) + 1 :]
        ),
        several,
        st.integers(0, 99),
        st.integers(0, 255),
    )
    return several | cut | changed | noise


@pytest.mark.parametrize("name", TYPES)
@profile(max_examples=times(400))
@given(data=st.data())
def test_packets_are_those_of_decode_packet(oracle: Oracle, name: str, data: st.DataObject) -> None:
    """The result (a packet, more bytes needed, an error) is that of the emulator."""
    stream = data.draw(inputs(name))
    packet_size, line_length = data.draw(st.integers(0, 30)), data.draw(st.integers(0, 30))
    delimiter = data.draw(st.sampled_from(b"\nxy"))
    options = [
        (Atom("packet_size"), packet_size),
        (Atom("line_length"), line_length),
        (Atom("line_delimiter"), delimiter),
    ]
    if name == "ssl":
        return check_record(oracle, stream, packet_size)
    answer = decode(oracle.ask(b"P" + encode((kind_term(name), stream, options))))
    cut = Cut(TYPES[name], packet_size, delimiter)
    length = cut.packet.length(bytearray(stream), cut, line_length)
    match answer:
        case (Atom(name="ok"), packet, rest):
            assert 0 < length <= len(stream)
            assert stream[length:] == rest
            assert handed_out(cut, stream[:length]) == packet
        case (Atom(name="more"), needed):
            assert length == 0 or length > len(stream)
            if needed != Atom("undefined"):
                assert length == needed
        case (Atom(name="error"), _):
            assert length == -1


def check_record(oracle: Oracle, stream: bytes, packet_size: int) -> None:
    """decode_packet returns an ssl_tls packet as a tuple; its last three elements are the record."""
    answer = decode(
        oracle.ask(b"P" + encode((Atom("ssl_tls"), stream, [(Atom("packet_size"), packet_size)])))
    )
    cut = Cut(TYPES["ssl"], packet_size)
    length = cut.packet.length(bytearray(stream), cut, 0)
    match answer:
        case (Atom(name="ok"), (_, _, *record), rest):
            assert stream[length:] == rest
            assert handed_out(cut, stream[:length]) == tuple(record)
        case (Atom(name="more"), needed):
            assert length == 0 or length > len(stream)
            assert needed in (length, Atom("undefined"))
        case _:
            assert length == -1


def handed_out(cut: Cut, packet: bytes) -> object:
    """The part of a packet that a socket delivers."""
    if cut.packet.parse is not None:
        return cut.packet.parse(packet, cut.in_headers)[0]
    body = packet[cut.packet.header :]
    return cut.packet.body(body) if cut.packet.body else body


@given(
    name=st.sampled_from([name for name in TYPES if name != "0" and not name.startswith("http")]),
    data=st.data(),
    size=st.integers(1, 40),
    cuts=st.lists(st.integers(1, 10), min_size=1),
    ahead=st.booleans(),
)
def test_cuts_do_not_matter(name: str, data: st.DataObject, size: int, cuts: list[int], ahead: bool) -> None:
    """The packets do not depend on how the stream was cut, nor on read-ahead."""
    stream = data.draw(inputs(name))
    if name == "line":
        ahead = True  # without read-ahead a line may be longer than the buffer
    if not ahead:
        size = 200  # the same is true of a header
    whole = packets(Cut(TYPES[name]), stream, size, [len(stream) or 1])
    assert packets(Cut(TYPES[name], read_ahead=ahead), stream, size, cuts) == whole


def packets(cut: Cut, stream: bytes, size: int, cuts: list[int]) -> list[bytes | str]:
    """The packets of `stream`, which is fed in pieces of the sizes in `cuts`."""
    inbox = InputBuffer()
    out: list[bytes | str] = []
    pos = turn = 0
    while True:
        wanted, length = inbox.demand(0, size, cut)
        while wanted > 0:
            chunk = stream[pos : pos + min(wanted, cuts[turn % len(cuts)])]
            turn += 1
            if not chunk:
                return out
            pos += len(chunk)
            wanted, length = inbox.fill(chunk, cut)
        if wanted < 0:
            return [*out, "error"]
        out.append(inbox.take(length))
