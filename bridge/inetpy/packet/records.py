"""Packets with a binary header that contains their length: asn1, cdr, sunrm, fcgi, tpkt, ssl.

References: X.690 (BER), CORBA 3.0 part 2 (GIOP), RFC 5531 (record marking), the FastCGI
specification, RFC 1006 (TPKT), RFC 8446 (TLS records).
"""

from __future__ import annotations

import re

__all__ = [
    "asn1_length",
    "cdr_length",
    "fcgi_body",
    "fcgi_length",
    "parse_record",
    "sunrm_length",
    "tls_length",
    "tpkt_length",
]

_MAX_INT = 0x7FFFFFFF
_CONTINUED = re.compile(rb"[\x80-\xff]*")  # a long tag without its last byte


def _whole(header: int, body: int, packet_size: int) -> int:
    """The length of a packet; -1 if its body is longer than `packet_size`."""
    return -1 if body > (packet_size or _MAX_INT - header) or body < 0 else header + body


def asn1_length(data: bytearray, packet_size: int) -> int:
    """A tag of one byte or more, and a length in the short form or in up to four bytes."""
    have = len(data)
    if have < 2:
        return 0
    at = 1
    if data[0] & 0x1F == 0x1F:
        at = _CONTINUED.match(data, 1).end()  # type: ignore[union-attr]
        if have - at < 2:
            return 0
        at += 1
    count = data[at] & 0x7F
    if not data[at] & 0x80:
        return _whole(at + 1, count, packet_size)
    at += 1
    if have - at < count:
        return 0
    if count > 4:
        return -1
    return _whole(at + count, int.from_bytes(data[at : at + count], "big"), packet_size)


def cdr_length(data: bytearray, packet_size: int) -> int:
    """A GIOP message: a header of twelve bytes. The last four are the length; a flag has their byte order."""
    if len(data) < 12:
        return 0
    if data[:4] != b"GIOP":
        return -1
    order = "little" if data[6] & 1 else "big"
    return _whole(12, int.from_bytes(data[8:12], order), packet_size)  # type: ignore[arg-type]


def sunrm_length(data: bytearray, packet_size: int) -> int:
    """A record mark: its highest bit marks the last fragment, the others are the length."""
    if len(data) < 4:
        return 0
    return _whole(4, int.from_bytes(data[:4], "big") & _MAX_INT, packet_size)


def fcgi_length(data: bytearray, packet_size: int) -> int:
    """A header of eight bytes: version, type, request, length of the content, length of the padding."""
    if len(data) < 8:
        return 0
    if data[0] != 1:
        return -1
    return _whole(8, (data[4] << 8 | data[5]) + data[6], packet_size)


def fcgi_body(packet: bytes) -> bytes:
    """The packet without its padding."""
    return packet[: len(packet) - packet[6]]


def tpkt_length(data: bytearray, packet_size: int) -> int:
    """Version 3, a reserved byte, and a length that includes the header."""
    if len(data) < 4:
        return 0
    if data[0] != 3:
        return -1
    return _whole(4, int.from_bytes(data[2:4], "big") - 4, packet_size)


def parse_record(packet: bytes) -> tuple[int, tuple[int, int], bytes]:
    """(type, version, data) of a record. An SSL 2 client hello becomes a handshake message."""
    if packet[0] & 0x80 and packet[2] == 1:
        return 22, (packet[3], packet[4]), b"\1" + (len(packet) - 3).to_bytes(3, "big") + packet[3:]
    return packet[0], (packet[1], packet[2]), packet[5:]


def tls_length(data: bytearray, packet_size: int) -> int:
    """A TLS record, or an SSL 2 client hello."""
    if len(data) < 5:
        return 0
    if data[0] & 0x80 and data[2] == 1:
        return _whole(5, (int.from_bytes(data[:2], "big") & 0x7FFF) - 3, packet_size)
    return _whole(5, int.from_bytes(data[3:5], "big"), packet_size)
