"""IP packets: TCP segments and UDP datagrams, with right lengths and checksums."""

from __future__ import annotations

import struct
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

__all__ = [
    "ACK", "FIN", "LARGEST", "PSH", "RST", "SYN", "Ends", "build_tcp", "build_udp", "of_one_family",
    "plain_ip",
]  # fmt: skip

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
LARGEST = 60_000  # bytes of one segment: a packet has 65,535

_TCP, _UDP = 6, 17
_WINDOW = 0xFFFF


class Ends(NamedTuple):
    """From where to where: IP addresses as text, and ports."""

    source: str
    source_port: int
    target: str
    target_port: int

    def turned(self) -> Ends:
        return Ends(self.target, self.target_port, self.source, self.source_port)


def build_tcp(ends: Ends, sequence: int, acknowledged: int, flags: int, data: bytes = b"") -> bytes:
    """A segment. The numbers are taken modulo 2^32."""
    head = struct.pack(
        ">HHIIBBHHH",
        ends.source_port,
        ends.target_port,
        sequence & 0xFFFFFFFF,
        acknowledged & 0xFFFFFFFF,
        5 << 4,
        flags,
        _WINDOW,
        0,
        0,
    )
    return _with_ip(ends, _TCP, head, data, 16)


def build_udp(ends: Ends, data: bytes) -> bytes:
    """A datagram."""
    head = struct.pack(">HHHH", ends.source_port, ends.target_port, len(data) + 8, 0)
    return _with_ip(ends, _UDP, head, data, 6)


def _with_ip(ends: Ends, protocol: int, head: bytes, data: bytes, checksum_at: int) -> bytes:
    source, target = _packed(ends.source), _packed(ends.target)
    size = len(head) + len(data)
    pseudo = source + target + struct.pack(">II", size, protocol)
    checksum = _checksum(pseudo + head + data)
    if protocol == _UDP:
        checksum = checksum or 0xFFFF  # zero says that there is none
    head = head[:checksum_at] + struct.pack(">H", checksum) + head[checksum_at + 2 :]
    return _ip_head(source, target, protocol, size) + head + data


def _ip_head(source: bytes, target: bytes, protocol: int, size: int) -> bytes:
    if len(source) == 16:
        return struct.pack(">IHBB", 6 << 28, size, protocol, 64) + source + target
    head = struct.pack(">BBHHHBBH", 0x45, 0, size + 20, 0, 0x4000, 64, protocol, 0) + source + target
    return head[:10] + struct.pack(">H", _checksum(head)) + head[12:]


def _packed(address: str) -> bytes:
    return ip_address(address.partition("%")[0]).packed


def plain_ip(address: str) -> str:
    """An IPv4 address that is mapped to IPv6 is one."""
    ip = ip_address(address.partition("%")[0])
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(ip if mapped is None else mapped)


def of_one_family(*addresses: str) -> list[str]:
    """The addresses of a packet. A socket of IPv6 can have a peer of IPv4, and `::` as its own address."""
    plain = [plain_ip(address) for address in addresses]
    if len({":" in address for address in plain}) == 1:
        return plain
    plain = ["0.0.0.0" if address == "::" else address for address in plain]  # noqa: S104
    if any(":" in address for address in plain):
        return [address if ":" in address else f"::ffff:{address}" for address in plain]
    return plain


def _checksum(data: bytes) -> int:
    """RFC 1071. The sum of the 16-bit words in ones' complement is their number modulo 65,535."""
    number = int.from_bytes(data + bytes(len(data) % 2), "big")
    total = number % 0xFFFF
    if not total and number:
        total = 0xFFFF
    return ~total & 0xFFFF
