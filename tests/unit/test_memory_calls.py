"""What the module `socket` asks of sockets in memory, and `inet` does not.

Each scenario runs on the kernel, too, and what it saw is compared.
"""

from __future__ import annotations

import array
import errno
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_PACKET,
    AF_UNIX,
    AF_UNSPEC,
    IPPROTO_IP,
    IPPROTO_IPV6,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_DOMAIN,
    SO_LINGER,
    SO_OOBINLINE,
    SO_PASSCRED,
    SO_PEERCRED,
    SO_PROTOCOL,
    SO_RCVLOWAT,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    inet_aton,
)
from typing import Any

import pytest

from inetpy.host.api import READ, WRITE
from inetpy.host.memory_kinds import kind_of
from worlds import Kernel, Memory, MemoryOnThisHost, World

IP_RECVTTL, IP_PKTINFO, IP_RECVERR, IP_RECVTOS, IP_RECVORIGDSTADDR = 12, 8, 11, 13, 20
IPV6_RECVERR, IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVORIGDSTADDR = 25, 49, 51, 66, 74
SO_TIMESTAMP, SO_TIMESTAMPNS, UDP_CORK, IPPROTO_UDP = 29, 35, 1, 17
FIONREAD, SIOCATMARK = 0x541B, 0x8905


def udp(world: World, ip: str = "127.0.0.1") -> Any:
    sock = world.open(AF_INET6 if ":" in ip else AF_INET, SOCK_DGRAM)
    sock.bind((ip, 0))
    return sock


def note_message(world: World, sock: Any, size: int = 100, room: int = 1000, flags: int = 0) -> None:
    """What recvmsg gives. Of an address only whether there is one: ports differ."""
    world.note_plain(lambda: _plain(*sock.recvmsg(size, room, flags)))


def _plain(data: bytes, control: list[tuple[int, int, bytes]], flags: int, address: Any) -> object:
    return data, [_same(*message) for message in control], flags, bool(address)


def _same(level: int, kind: int, data: bytes) -> tuple[int, int, object]:
    """A message without what differs by chance: descriptors, ports, times."""
    if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
        numbers = array.array("i", data)
        for number in numbers:
            os.close(number)
        return level, kind, len(numbers)
    if (level, kind) in ((SOL_SOCKET, SO_TIMESTAMP), (SOL_SOCKET, SO_TIMESTAMPNS)):
        return level, kind, len(data)
    if kind in (IP_RECVORIGDSTADDR, IPV6_RECVORIGDSTADDR):
        return level, kind, data[:2] + data[4:]
    return level, kind, data


# --- addresses of all forms ----------------------------------------------------------

KINDS = [(AF_INET, SOCK_STREAM), (AF_INET, SOCK_DGRAM), (AF_INET6, SOCK_STREAM), (AF_INET6, SOCK_DGRAM),
         (AF_UNIX, SOCK_STREAM), (AF_UNIX, SOCK_DGRAM), (AF_UNIX, SOCK_SEQPACKET)]  # fmt: skip
ADDRESSES = [
    *[(AF_INET, bytes(size)) for size in (0, 2, 6, 13, 14, 20, 26)],
    (AF_INET, struct.pack(">H", 9) + inet_aton("127.0.0.1") + bytes(8)),
    *[(AF_INET6, bytes(size)) for size in (0, 14, 21, 22, 25, 26)],
    (AF_INET6, struct.pack(">HI", 9, 0) + bytes(15) + b"\1" + bytes(4)),
    *[(AF_UNIX, name) for name in (b"", b"x", b"/nonsense/nonsense", b"x" * 106)],
    (AF_UNIX, b"\0" + b"%090d" % os.getpid()),
    *[(AF_UNSPEC, bytes(size)) for size in (14, 26)], (99, b""), (99, bytes(30)),
]  # fmt: skip


def raw_addresses(world: World) -> None:
    for family, kind in KINDS:
        for address in ADDRESSES:
            for call in (world.raw.bind, world.raw.connect, _send(world)):
                sock = world.open(family, kind)
                world.seen.append((family, kind, call.__name__, address))
                world.note(call, sock, *address)
                sock.close()


def _send(world: World) -> Callable[..., Any]:
    def sendmsg(sock: Any, family: int, address: bytes) -> object:
        return world.raw.sendmsg(sock, [b"abc"], [], 0, family, address)

    return sendmsg


def names_of_the_unix_domain(world: World) -> None:
    folder = os.path.dirname(world.path)
    path = world.path.encode()
    for name in (path, path + b"\0", b"\0inetpy-" + folder.encode(), b""):
        sock = world.open(AF_UNIX, SOCK_DGRAM)
        world.note(sock.bind, name)
        world.note(sock.bind, b"")
        world.note(sock.bind, name + b"2")
        world.seen.append(len(sock.getsockname()))
        sock.close()
        if os.path.exists(world.path):
            os.unlink(world.path)


# --- control messages ------------------------------------------------------------------

OPTIONS = {
    AF_INET: [(IPPROTO_IP, IP_PKTINFO), (IPPROTO_IP, IP_RECVTTL), (IPPROTO_IP, IP_RECVTOS),
              (IPPROTO_IP, IP_RECVORIGDSTADDR), (SOL_SOCKET, SO_TIMESTAMP), (SOL_SOCKET, SO_TIMESTAMPNS)],
    AF_INET6: [(IPPROTO_IPV6, IPV6_RECVPKTINFO), (IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
               (IPPROTO_IPV6, IPV6_RECVTCLASS), (IPPROTO_IPV6, IPV6_RECVORIGDSTADDR),
               (IPPROTO_IP, IP_PKTINFO), (IPPROTO_IP, IP_RECVTTL), (SOL_SOCKET, SO_TIMESTAMP)],
}  # fmt: skip
# -1 is left out: kernels differ in what it is for the traffic class.
_NUMBERS = [struct.pack("i", number) for number in (-2, 0, 1, 7, 255, 256)]
_NUMBERS += [b"", b"\5", bytes(3), bytes(5)]
TOLD = {
    AF_INET: [
        *[(IPPROTO_IP, kind, data) for kind in (1, 2) for data in _NUMBERS],
        *[(IPPROTO_IP, IP_PKTINFO, data) for data in (
            b"", bytes(11), bytes(12), bytes(13), bytes(4) + inet_aton("127.0.0.5") + bytes(4),
            bytes(4) + inet_aton("203.0.113.9") + bytes(4), struct.pack("i", 1) + bytes(8),
            struct.pack("i", 9999) + bytes(8),
        )],
        (IPPROTO_IP, 7, b""), (IPPROTO_IP, 6, b""), (IPPROTO_IP, 99, b""), (IPPROTO_IP, 20, bytes(16)),
        (IPPROTO_IPV6, 67, b"1234"), (6, 1, b"1234"),
        (SOL_SOCKET, SCM_RIGHTS, bytes(4)), (SOL_SOCKET, SCM_CREDENTIALS, b""),
        (SOL_SOCKET, SO_TIMESTAMP, bytes(16)), (SOL_SOCKET, 12, bytes(4)), (SOL_SOCKET, 12, b""),
        (SOL_SOCKET, 99, b""),
    ],
    AF_INET6: [
        *[(IPPROTO_IPV6, kind, data) for kind in (52, 67) for data in _NUMBERS],
        *[(IPPROTO_IPV6, 50, data) for data in (
            b"", bytes(19), bytes(20), bytes(24), bytes(16) + b"\1\0\0\0", bytes(15) + b"\1" + bytes(4),
            bytes(16) + struct.pack("i", 9999),
        )],
        (IPPROTO_IPV6, 11, bytes(4)), (IPPROTO_IPV6, 54, b""), (IPPROTO_IPV6, 99, b""),
        (IPPROTO_IP, 2, b"\1"),
        (SOL_SOCKET, SCM_RIGHTS, bytes(4)), (SOL_SOCKET, SO_TIMESTAMP, bytes(16)),
    ],
}  # fmt: skip
IP = {AF_INET: "127.0.0.1", AF_INET6: "::1"}


def told_with_a_datagram(world: World) -> None:
    for family, messages in TOLD.items():
        receiver, sender = udp(world, IP[family]), world.open(family, SOCK_DGRAM)
        for option in OPTIONS[family][:3]:
            receiver.setsockopt(*option, 1)
        for message in messages:
            world.seen.append(message)
            world.note(sender.sendmsg, [b"abc"], [message], 0, receiver.getsockname())
            note_message(world, receiver)


def told_with_a_datagram_to_ipv4(world: World) -> None:
    """By a socket of IPv6."""
    receiver, sender = udp(world), world.open(AF_INET6, SOCK_DGRAM)
    address = ("::ffff:127.0.0.1", receiver.getsockname()[1])
    receiver.setsockopt(IPPROTO_IP, IP_RECVTTL, 1)
    for message in ((IPPROTO_IP, 2, struct.pack("i", 9)), (IPPROTO_IPV6, 52, struct.pack("i", 9))):
        world.note(sender.sendmsg, [b"abc"], [message], 0, address)
        note_message(world, receiver)


def what_comes_with_a_datagram(world: World) -> None:
    for bound, target in (
        ("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("::1", "::1"), ("::", "::1"),
        ("::", "::ffff:127.0.0.1"), ("0.0.0.0", "127.255.255.255"),
    ):  # fmt: skip
        receiver = udp(world, bound)
        sender = udp(world, "::" if ":" in target else "0.0.0.0")
        sender.setsockopt(SOL_SOCKET, 6, 1)
        for option in OPTIONS[receiver.family]:
            receiver.setsockopt(*option, 1)
            world.note(sender.sendto, b"abc", (target, receiver.getsockname()[1]))
            world.seen.append((bound, target, option))
            note_message(world, receiver)


def room_for_control_messages(world: World) -> None:
    receiver, sender = udp(world), world.open(AF_INET, SOCK_DGRAM)
    for option in OPTIONS[AF_INET]:
        receiver.setsockopt(*option, 1)
    for room in range(0, 200, 4):
        sender.sendto(b"abc", receiver.getsockname())
        note_message(world, receiver, room=room)


def error_queue(world: World) -> None:
    for family, option in ((AF_INET, (IPPROTO_IP, IP_RECVERR)), (AF_INET6, (IPPROTO_IPV6, IPV6_RECVERR))):
        for has_peer in (False, True):
            gone, sock = udp(world, IP[family]), world.open(family, SOCK_DGRAM)
            address = gone.getsockname()
            gone.close()
            sock.setsockopt(*option, 1)
            if has_peer:
                sock.connect(address)
            world.note(sock.sendto, b"abcdef", address)
            world.seen.append(world.ready(sock, 100))
            world.note(sock.sendto, b"ghi", address)
            note_message(world, sock, 3, flags=MSG_ERRQUEUE | MSG_PEEK)
            note_message(world, sock, 3, flags=MSG_ERRQUEUE)
            world.note(sock.recv, 1)
            world.note(sock.recv, 1)
            note_message(world, sock, flags=MSG_ERRQUEUE)


# --- the unix domain ---------------------------------------------------------------------


def rights(world: World) -> None:
    for kind in (SOCK_STREAM, SOCK_SEQPACKET):
        sender, receiver = world.path_pair(kind)
        given = struct.pack("ii", 0, 1)
        for room in (100, 24, 20, 16, 0):
            world.note(sender.sendmsg, [b"abc"], [(SOL_SOCKET, SCM_RIGHTS, given)])
            world.note(sender.send, b"def")
            note_message(world, receiver, 2, room)
            note_message(world, receiver, 100, room)
            note_message(world, receiver, 100, room)
        for data in (b"", b"\1", struct.pack("i", 99999), struct.pack("i", -1)):
            world.note(sender.sendmsg, [b"abc"], [(SOL_SOCKET, SCM_RIGHTS, data)])
            note_message(world, receiver)
        world.note(sender.sendmsg, [b"abc"], [(SOL_SOCKET, SCM_RIGHTS, given)])
        note_message(world, receiver, flags=MSG_PEEK)
        note_message(world, receiver)


def no_descriptor_is_lost(world: World) -> None:
    """Those that nobody takes are closed."""
    before = len(os.listdir("/proc/self/fd"))
    sender, receiver = world.path_pair()
    opened = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        sender.sendmsg([b"abc"], [(SOL_SOCKET, SCM_RIGHTS, struct.pack("ii", 0, 1))])
    receiver.recvmsg(3, 0)
    receiver.recv(3)
    receiver.close()
    sender.close()
    world.seen.append(len(os.listdir("/proc/self/fd")) <= opened >= before)


def credentials(world: World) -> None:
    own = struct.pack("iII", os.getpid(), os.getuid(), os.getgid())
    for kind in (SOCK_STREAM, SOCK_SEQPACKET):
        sender, receiver = world.path_pair(kind)
        world.seen.append(receiver.getsockopt(SOL_SOCKET, SO_PEERCRED, 12) == own)
        sender.send(b"before")
        receiver.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        sender.send(b"after")
        sender.send(b"again")
        for _ in range(3):
            note_message(world, receiver)
        gone = struct.pack("iII", 0x3FFFFFFF, 0, 0)
        for data in (own, b"", own[:8], gone):
            world.note(sender.sendmsg, [b"told"], [(SOL_SOCKET, SCM_CREDENTIALS, data)])
            note_message(world, receiver)
    one, two = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
    one.bind(b"")
    two.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    world.note(two.sendto, b"abc", one.getsockname())
    world.seen.append(len(two.getsockname()))  # it has got a name
    note_message(world, one)


def packets(world: World) -> None:
    sender, receiver = world.path_pair(SOCK_SEQPACKET)
    for data in (b"abc", b"", b"defghi", b"x" * 1000):
        world.note(sender.send, data)
    world.seen.append((world.ioctl(receiver, FIONREAD), world.ready(receiver, 0)))
    for size, flags in ((2, MSG_PEEK), (2, 0), (5, 0), (3, MSG_PEEK | MSG_TRUNC), (6, 0), (999, 0), (1, 0)):
        note_message(world, receiver, size, flags=flags)
    world.note(sender.send, b"x" * 1_000_000)
    world.note(sender.sendto, b"abc", b"\0nobody")
    note_message(world, receiver)
    sent = 0
    while world.ready(sender, 0) & WRITE:
        sent += sender.send(b"x" * 1000)
    world.seen.append(sent)
    while sent:
        try:
            sent += sender.send(b"x" * 1000)
        except BlockingIOError:
            break
    world.seen.append(sent)
    sender.close()
    world.note(receiver.recv, 1)
    world.note(receiver.send, b"abc")


def room_for_datagrams(world: World) -> None:
    """How many go out, and what lets the sender go on."""
    for sender, receiver, is_mutual in _datagram_pairs(world):
        sent = 0
        with suppress(BlockingIOError):
            while True:
                sent += sender.send(b"abc")
        world.seen.append((sent, world.ready(sender, 0)))
        for _ in range(sent // 3):
            receiver.recv(9)
            world.seen.append(world.ready(sender, 0))
        for name in () if is_mutual else (receiver.getsockname(),):
            stranger = world.open(AF_UNIX, SOCK_DGRAM)
            for _ in range(15):
                world.note(stranger.sendto, b"abc", name)
            world.seen.append((world.ready(sender, 0), world.ready(stranger, 0)))
            receiver.close()
            world.seen.append(world.ready(sender, 0))


def _datagram_pairs(world: World) -> Iterator[tuple[Any, Any, bool]]:
    for number, is_mutual in enumerate((False, True)):
        sender, receiver = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
        for sock, name in ((sender, "sender"), (receiver, "receiver")):
            sock.bind(f"{world.path}-{name}{number}")
        sender.connect(receiver.getsockname())
        if is_mutual:
            receiver.connect(sender.getsockname())
        yield sender, receiver, is_mutual
    lonely = world.open(AF_UNIX, SOCK_DGRAM)
    lonely.bind(f"{world.path}-lonely")
    lonely.connect(lonely.getsockname())
    yield lonely, lonely, True


# --- streams -------------------------------------------------------------------------------


def urgent_bytes(world: World) -> None:
    for is_inline in (0, 1):
        sender, receiver = world.pair()
        receiver.setsockopt(SOL_SOCKET, SO_OOBINLINE, is_inline)
        for data, flags in ((b"ab", 0), (b"cd", MSG_OOB), (b"ef", 0), (b"g", MSG_OOB), (b"h", 0)):
            world.note(sender.send, data, flags)
            world.wait(receiver, READ)
            _note_mark(world, receiver)
        for size, flags in (
            (1, 0),
            (9, MSG_PEEK),
            (9, 0),
            (9, MSG_OOB | MSG_PEEK),
            (9, MSG_OOB),
            (9, 0),
            (9, 0),
        ):
            note_message(world, receiver, size, flags=flags)
            _note_mark(world, receiver)


def _note_mark(world: World, sock: Any) -> None:
    world.seen.append((world.ioctl(sock, FIONREAD), world.ioctl(sock, SIOCATMARK), world.ready(sock, 0)))


def least_to_read(world: World) -> None:
    sender, receiver = world.pair()
    receiver.setsockopt(SOL_SOCKET, SO_RCVLOWAT, 4)
    for data in (b"ab", b"c", b"d"):
        sender.send(data)
        world.seen.append(world.ready(receiver, 20))
    world.note(receiver.recv, 1)
    world.seen.append(world.ready(receiver, 20))
    world.note(receiver.recv, 9)


def linger_that_is_switched_off(world: World) -> None:
    sock = world.open()
    for on, seconds in ((1, 5), (0, 9), (1, 7), (0, 0), (0, 1)):
        sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", on, seconds))
        world.seen.append(sock.getsockopt(SOL_SOCKET, SO_LINGER, 8))


# --- datagrams ---------------------------------------------------------------------------


def datagram_in_parts(world: World) -> None:
    receiver, sender = udp(world), world.open(AF_INET, SOCK_DGRAM)
    sender.connect(receiver.getsockname())
    for data, flags in ((b"ab", MSG_MORE), (b"", MSG_MORE), (b"cd", 0), (b"ef", 0)):
        world.note(sender.send, data, flags)
        world.seen.append(world.ready(receiver, 0))
    sender.setsockopt(IPPROTO_UDP, UDP_CORK, 1)
    for data in (b"gh", b"ij", b"x" * 65000, b"x" * 1000):
        world.note(sender.send, data)
    sender.setsockopt(IPPROTO_UDP, UDP_CORK, 0)
    for _ in range(4):
        note_message(world, receiver, 8)


# --- what the system says ------------------------------------------------------------------


def full_peer(world: World) -> None:
    """A unix datagram socket is not ready to write while the inbox of its peer is full."""
    receiver, sender = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
    receiver.bind(world.path)
    sender.connect(world.path)
    with suppress(BlockingIOError):
        while True:
            sender.send(b"abc")
    world.seen.append(world.ready(sender, 0))
    with suppress(BlockingIOError):
        while True:
            receiver.recv(3)
    world.seen.append(world.ready(sender, 0))


def own_options(world: World) -> None:
    for family, kind in KINDS:
        sock = world.open(family, kind)
        for option in (SO_DOMAIN, SO_TYPE, SO_PROTOCOL):
            world.note(sock.getsockopt, SOL_SOCKET, option)
            for size in (1, 2, 4, 8):
                world.note(sock.getsockopt, SOL_SOCKET, option, size)
            world.note(sock.setsockopt, SOL_SOCKET, option, 1)
            world.note(world.raw.getsockopt_without_buffer, sock, SOL_SOCKET, option)


def largest_packet(world: World) -> None:
    """IP_MTU and IPV6_MTU, without a peer and with one."""
    for ip in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        sock = world.open(AF_INET6 if ":" in ip else AF_INET, SOCK_DGRAM)
        for _ in range(2):
            world.note(sock.getsockopt, IPPROTO_IP, 14)
            world.note(sock.getsockopt, IPPROTO_IP, 14, 4)
            if sock.family == AF_INET6:
                world.note(sock.getsockopt, IPPROTO_IPV6, 24)
            sock.connect((ip, 9))
    client, _ = world.pair()
    world.note(client.getsockopt, IPPROTO_IP, 14)


def loopback_interface(world: World) -> None:
    """Also without the rules of this host: each host has this interface."""
    sock = world.open(AF_INET, SOCK_DGRAM)
    for name in (b"lo", b"nonsense", b""):
        for number in (
            0x8913,
            0x8915,
            0x8917,
            0x8919,
            0x891B,
            0x8921,
            0x8927,
            0x8933,
            0x8942,
            0x8970,
            0x8999,
        ):
            world.note(world.raw.ioctl, sock, number, name.ljust(40, b"\0"))
    for index in (1, 0, -1, 99999):
        world.note(world.raw.ioctl, sock, 0x8910, bytes(16) + struct.pack("i", index) + bytes(20))
    world.seen.append(world.raw.interface_addresses(sock)[:40])


ANYWHERE = [
    urgent_bytes, rights, no_descriptor_is_lost, credentials, datagram_in_parts, loopback_interface,
]  # fmt: skip
HERE = [
    names_of_the_unix_domain, largest_packet,
    raw_addresses, told_with_a_datagram, told_with_a_datagram_to_ipv4,
    what_comes_with_a_datagram,
    room_for_control_messages, error_queue, packets, full_peer, room_for_datagrams, least_to_read,
    linger_that_is_switched_off, own_options,
]  # fmt: skip


@pytest.mark.parametrize("scenario", [*ANYWHERE, *HERE], ids=lambda scenario: scenario.__name__)
def test_equal_by_the_rules_of_this_host(
    scenario: Callable[[World], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for world in (MemoryOnThisHost, Kernel):
        folder = tmp_path / world.__name__  # for names without a folder
        folder.mkdir()
        monkeypatch.chdir(folder)
        seen.append(_seen(world, scenario))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("scenario", ANYWHERE, ids=lambda scenario: scenario.__name__)
def test_equal_to_the_kernel(scenario: Callable[[World], None]) -> None:
    assert _seen(Memory, scenario) == _seen(Kernel, scenario)


def _seen(kind: type[World], scenario: Callable[[World], None]) -> list[object]:
    with _world(kind) as world:
        scenario(world)
    return world.seen


@contextmanager
def _world(kind: type[World]) -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        world = kind(Path(folder))
        try:
            yield world
        finally:
            for sock in world.sockets:
                sock.close()


# --- the kinds ----------------------------------------------------------------------------

PROTOCOLS = [-1, 0, 1, 2, 6, 17, 58, 255, 256, 261, 263, 300, 999]


@pytest.mark.parametrize("family", [-1, 0, 1, 2, 10, 45, 46, 99])
def test_kinds(family: int) -> None:
    """socket(2) itself refuses the same, with the same errors."""
    for kind in (0, 1, 2, 4, 5, 6, 7, 10, 11, 15, 16, 4711):
        for protocol in PROTOCOLS:
            if (family, kind) == (AF_INET, 10) or (kind == SOCK_DGRAM and protocol in (1, 58)):
                continue  # sockets of packets, and of pings
            asked = family, kind, protocol
            assert (asked, _made(*asked)) == (asked, _made_by_the_kernel(*asked))


def _made(family: int, kind: int, protocol: int) -> object:
    try:
        return kind_of(family, kind, protocol)
    except OSError as error:
        return errno.errorcode[error.errno or 0]


def _made_by_the_kernel(family: int, kind: int, protocol: int) -> object:
    """Python takes -1 for a default, so the C library is called."""
    import ctypes
    import socket

    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.socket(family, kind, protocol)
    if descriptor < 0:
        return errno.errorcode[ctypes.get_errno()]
    with socket.socket(fileno=descriptor) as sock:
        return sock.getsockopt(SOL_SOCKET, SO_TYPE), sock.getsockopt(SOL_SOCKET, SO_PROTOCOL)


@pytest.mark.parametrize(
    ("family", "kind", "error"),
    [
        (AF_INET, SOCK_RAW, errno.ESOCKTNOSUPPORT),
        (AF_PACKET, SOCK_RAW, errno.EAFNOSUPPORT),
        (16, SOCK_RAW, errno.EAFNOSUPPORT),
    ],
    ids=["raw", "packet", "netlink"],
)
def test_kinds_of_the_kernel_alone(family: int, kind: int, error: int) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  its number is looked at
        kind_of(family, kind)
    assert caught.value.errno == error
