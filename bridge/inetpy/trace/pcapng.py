"""Blocks of a capture file: pcapng, draft-ietf-opsawg-pcapng. Times are in nanoseconds.

A file is a section header, descriptions of interfaces, names of addresses, keys of TLS, and packets. An
interface, a name, or a key has to come before the first packet that needs it; not before all packets.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

__all__ = [
    "INBOUND", "LARGEST_PACKET", "LINK_BYTES", "LINK_CALLS", "LINK_RAW", "OUTBOUND", "build_interface",
    "build_keys", "build_names", "build_packet", "build_section",
]  # fmt: skip

LINK_RAW = 101  # packets begin with their IP header
LINK_CALLS, LINK_BYTES = 147, 148  # LINKTYPE_USER0 and USER1, which have no meaning of their own
INBOUND, OUTBOUND = 1, 2
LARGEST_PACKET = 1 << 17  # bytes: Wireshark takes twice as many for the sign of a broken file

_SECTION, _INTERFACE, _NAMES, _PACKET, _SECRETS = 0x0A0D0D0A, 1, 4, 6, 10
_TLS_KEYS = 0x544C534B  # the kind of secrets: lines as in a file of SSLKEYLOGFILE
_BYTE_ORDER = 0x1A2B3C4D
_NANOSECONDS = bytes((9,))
_COMMENT, _NAME, _DESCRIPTION, _FLAGS, _RESOLUTION, _APPLICATION = 1, 2, 3, 2, 9, 4
_IPV4, _IPV6 = 1, 2


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    value = value[:0xFFFF]
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes, *options: bytes) -> bytes:
    if options:
        body += b"".join(options) + bytes(4)
    size = len(body) + 12
    return struct.pack("<II", kind, size) + body + struct.pack("<I", size)


def build_section(application: str, comment: str = "") -> bytes:
    """The beginning of a file."""
    options = [_option(_APPLICATION, application.encode())]
    if comment:
        options.insert(0, _option(_COMMENT, comment.encode()))
    return _block(_SECTION, struct.pack("<IHHq", _BYTE_ORDER, 1, 0, -1), *options)


def build_interface(link: int, name: str, description: str) -> bytes:
    """An interface. Those of a section are numbered from 0."""
    return _block(
        _INTERFACE,
        struct.pack("<HHI", link, 0, 0),
        _option(_NAME, name.encode()),
        _option(_DESCRIPTION, description.encode()),
        _option(_RESOLUTION, _NANOSECONDS),
    )


def build_names(names: Iterable[tuple[str, str]]) -> bytes:
    """IP addresses, each with a name."""
    records = b""
    for address, name in names:
        packed = ip_address(address).packed
        value = packed + name.encode() + b"\0"
        kind = _IPV4 if len(packed) == 4 else _IPV6
        records += struct.pack("<HH", kind, len(value)) + _padded(value)
    return _block(_NAMES, records + bytes(4))


def build_keys(lines: Iterable[str]) -> bytes:
    """Keys of TLS: lines as OpenSSL and OTP's ssl give them, "CLIENT_RANDOM 52ab... 9f01..."."""
    text = "".join(f"{line}\n" for line in lines).encode()
    return _block(_SECRETS, struct.pack("<II", _TLS_KEYS, len(text)) + _padded(text))


def build_packet(
    interface: int, time: int, data: bytes, comments: Iterable[str] = (), direction: int = 0
) -> bytes:
    """A packet. time: ns since 1970. direction: INBOUND, OUTBOUND, or 0: unknown."""
    options = [_option(_COMMENT, comment.encode()) for comment in comments]
    if direction:
        options.append(_option(_FLAGS, struct.pack("<I", direction)))
    head = struct.pack("<IIIII", interface, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
    return _block(_PACKET, head + _padded(data), *options)
