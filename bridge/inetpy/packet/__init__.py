"""The packet types of `gen_tcp`, without I/O.

A type is a `PacketType` in `PACKET_TYPES`. Its `length` looks at the bytes
received so far and answers how long the packet at their start is: a positive
number (there may be fewer bytes yet), 0 when that cannot be told yet, -1 when
no packet can start so. The rules are those of `erlang:decode_packet/3`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ..terms import Atom
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
    """What cutting a stream depends on; a socket is such settings.

    packet_size: 0 for no limit. line_delimiter: a byte. in_headers: for http,
    whether a header comes next. read_ahead: whether more may be read than the
    packet that is wanted.
    """

    packet: PacketType
    packet_size: int
    line_delimiter: int
    in_headers: bool
    read_ahead: bool


@dataclass(frozen=True, slots=True, eq=False)
class PacketType:
    """One value of the option `packet`.

    value: as `getopts` gives it. length(data, settings, limit): see above; `limit`
    is the size of the receive buffer. header: how many bytes of a length stand
    in front, cut off on receive and put on when sending. body: what is handed
    out of a packet, where that is not all of it. parse(packet, in_headers): for
    packets that become terms, the term and whether a header comes next.
    is_record: the term is one of ssl. smallest: the bytes that tell a length, where
    they are so many.
    """

    value: object
    length: Callable[[bytearray, Settings, int], int]
    header: int = 0
    body: Callable[[bytes], bytes] | None = None
    parse: Callable[[bytes, bool], tuple[object, bool]] | None = None
    is_record: bool = False
    smallest: int = 1


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
        width, lambda data, settings, _limit: length(data, settings.packet_size), width, smallest=width
    )


def _record(
    name: str,
    length: Callable[[bytearray, int], int],
    smallest: int,
    body: Callable[[bytes], bytes] | None = None,
) -> PacketType:
    return PacketType(
        Atom(name),
        lambda data, settings, _limit: length(data, settings.packet_size),
        body=body,
        smallest=smallest,
    )


RAW = PacketType(0, _raw_length)
_TLS = PacketType(
    Atom("ssl"),
    lambda data, settings, _limit: tls_length(data, settings.packet_size),
    parse=lambda packet, in_headers: (parse_record(packet), in_headers),
    is_record=True,
    smallest=5,
)

# `raw` is a second name of 0, and getopts says 0; `ssl_tls` one of `ssl`.
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
