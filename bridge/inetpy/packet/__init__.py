"""The packet types of `gen_tcp`, without I/O.

length   a length in front: {packet, 1}, 2 and 4
line     lines
records  asn1, cdr, sunrm, fcgi, tpkt, ssl
http     HTTP messages
buffer   the receive buffer, which cuts a stream into packets

A type is a `PacketType` in `PACKET_TYPES`. Its `length` looks at the bytes received so far. It
returns the length of the packet at their start, 0 if more bytes are needed to know the length, or
-1 if the bytes cannot start a packet. The length may be greater than the number of bytes received.
The rules are those of `erlang:decode_packet/3`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ..codec.terms import Atom
from .http import http_length, parse_http
from .length import build_header, length_prefixed
from .line import line_length
from .records import (
    asn1_length,
    cdr_length,
    fcgi_body,
    fcgi_length,
    parse_record,
    sunrm_length,
    tls_length,
    tpkt_length,
)

__all__ = ["PACKET_TYPES", "RAW", "PacketType", "Settings", "build_header"]


class Settings(Protocol):
    """The options of a socket that decide how its stream is cut into packets.

    packet_size: 0 for no limit. line_delimiter: a byte. in_headers: for http, true if a header
    comes next. read_ahead: whether bytes behind the current packet may be read.
    """

    packet: PacketType
    packet_size: int
    line_delimiter: int
    in_headers: bool
    read_ahead: bool


@dataclass(frozen=True, slots=True, eq=False)
class PacketType:
    """One value of the option `packet`.

    value: the value that `getopts` returns.
    length(data, settings, limit): see above; `limit` is the size of the receive buffer.
    header: size of the length header, removed on receive and added on send.
    body(packet): the part of a packet that the user gets; None: all of it.
    parse(packet, in_headers): for packets that become terms, (term, whether a header comes next).
    is_record: the term is a record for ssl.
    length_known_at: how many bytes are needed to know the length, if the number is fixed.
    """

    value: object
    length: Callable[[bytearray, Settings, int], int]
    header: int = 0
    body: Callable[[bytes], bytes] | None = None
    parse: Callable[[bytes, bool], tuple[object, bool]] | None = None
    is_record: bool = False
    length_known_at: int = 1


def _raw_length(data: bytearray, _settings: Settings, _limit: int) -> int:
    return len(data)


def _line_length(data: bytearray, settings: Settings, limit: int) -> int:
    return line_length(data, settings.packet_size, limit, settings.line_delimiter)


def _http_length(data: bytearray, settings: Settings, limit: int) -> int:
    return http_length(data, settings.packet_size, limit, settings.in_headers)


def _httph_length(data: bytearray, settings: Settings, limit: int) -> int:
    settings.in_headers = True
    return http_length(data, settings.packet_size, limit, True)


def _prefixed(width: int) -> PacketType:
    length = length_prefixed(width)
    return PacketType(
        width, lambda data, settings, _limit: length(data, settings.packet_size), width, length_known_at=width
    )


def _record(
    name: str,
    length: Callable[[bytearray, int], int],
    length_known_at: int,
    body: Callable[[bytes], bytes] | None = None,
) -> PacketType:
    return PacketType(
        Atom(name),
        lambda data, settings, _limit: length(data, settings.packet_size),
        body=body,
        length_known_at=length_known_at,
    )


RAW = PacketType(0, _raw_length)
_TLS = PacketType(
    Atom("ssl"),
    lambda data, settings, _limit: tls_length(data, settings.packet_size),
    parse=lambda packet, in_headers: (parse_record(packet), in_headers),
    is_record=True,
    length_known_at=5,
)

# `raw` is another name of 0, and `ssl_tls` of `ssl`. getopts returns 0 and `ssl`.
PACKET_TYPES: dict[object, PacketType] = {
    Atom("raw"): RAW,
    0: RAW,
    1: _prefixed(1),
    2: _prefixed(2),
    4: _prefixed(4),
    Atom("line"): PacketType(Atom("line"), _line_length),
    Atom("asn1"): _record("asn1", asn1_length, 2),
    Atom("cdr"): _record("cdr", cdr_length, 12),
    Atom("sunrm"): _record("sunrm", sunrm_length, 4),
    Atom("fcgi"): _record("fcgi", fcgi_length, 8, fcgi_body),
    Atom("tpkt"): _record("tpkt", tpkt_length, 4),
    Atom("ssl"): _TLS,
    Atom("ssl_tls"): _TLS,
    Atom("http"): PacketType(Atom("http"), _http_length, parse=partial(parse_http, binary=False)),
    Atom("httph"): PacketType(Atom("httph"), _httph_length, parse=partial(parse_http, binary=False)),
    Atom("http_bin"): PacketType(Atom("http_bin"), _http_length, parse=partial(parse_http, binary=True)),
    Atom("httph_bin"): PacketType(Atom("httph_bin"), _httph_length, parse=partial(parse_http, binary=True)),
}
