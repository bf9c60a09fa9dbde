"""Sockets in memory do what the kernel does: each scenario runs on both, and what it saw is compared.

All scenarios run by the rules of this host. Those that need none of its rules run without them, too.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import (
    AF_INET,
    AF_INET6,
    AF_UNIX,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_RECVTOS,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    IPV6_V6ONLY,
    MSG_PEEK,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_ACCEPTCONN,
    SO_BROADCAST,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_PRIORITY,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_MAXSEG,
    TCP_NODELAY,
    inet_aton,
    inet_pton,
)
from typing import Any

import pytest

from inetpy.host.api import ERROR, HANGUP, READ, WRITE
from inetpy.host.routes import find_route
from worlds import LOOPBACK, Kernel, Memory, MemoryOnThisHost, World


def fresh_stream(world: World) -> None:
    for family in (AF_INET, AF_UNIX):
        sock = world.open(family)
        world.note(sock.recv, 1)
        world.note(sock.send, b"a")
        world.note(sock.getpeername)
        world.note(sock.shutdown, SHUT_WR)
        world.note(sock.accept)


def refused(world: World) -> None:
    listener, client = world.listener(), world.open()
    address = listener.getsockname()
    listener.close()
    world.note(client.connect, address)
    world.wait(client, WRITE)
    world.note(client.getpeername)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)
    world.note(client.send, b"a")


def connecting_again(world: World) -> None:
    client, server = world.pair()
    with suppress(OSError):
        client.connect(client.getpeername())  # the kernel reports the success of the one before
    world.note(client.connect, client.getpeername())
    world.seen.append(client.getsockname() == server.getpeername())
    world.seen.append(server.getsockname() == client.getpeername())


def nothing_to_accept(world: World) -> None:
    listener = world.listener()
    world.note(listener.accept)


def refused_and_then_a_listener(world: World) -> None:
    """The error stays with the socket while it listens: recv does not find it, and send does."""
    gone, client = world.listener(), world.open()
    address = gone.getsockname()
    gone.close()
    world.note(client.connect, address)
    world.wait(client, ERROR)
    world.disconnect(client)
    world.note(client.listen, 5)
    world.note(client.recv, 2)
    world.note(client.recv, 2, MSG_PEEK)
    world.note(client.accept)
    world.note(client.shutdown, SHUT_RDWR)
    world.note(client.send, b"abc")


def there_and_back(world: World) -> None:
    client, server = world.pair()
    world.note(client.recv, 10)
    world.note(client.send, b"hello")
    world.wait(server, READ)
    world.note(server.recv, 2)
    world.note(server.recv, 10)
    world.note(server.recv, 10)
    world.note(server.sendmsg, [b"a", b"", b"bc"])
    world.wait(client, READ)
    world.note(client.recv, 10)


def half_close(world: World) -> None:
    client, server = world.pair()
    client.send(b"last")
    world.note(client.shutdown, SHUT_WR)
    world.note(client.send, b"a")
    world.wait(server, READ)
    world.note(server.recv, 10)
    world.note(server.recv, 10)
    world.note(server.send, b"answer")
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(server.shutdown, SHUT_WR)
    world.wait(client, HANGUP)
    world.wait(server, HANGUP)
    world.note(client.recv, 10)


def both_ended(world: World) -> None:
    client, server = world.pair()
    server.send(b"left")
    world.wait(client, READ)
    world.note(client.shutdown, SHUT_WR)
    world.note(client.shutdown, SHUT_WR)
    world.wait(server, READ)
    world.note(server.shutdown, SHUT_WR)
    world.wait(client, HANGUP)
    for sock in (client, server):
        world.note(sock.shutdown, SHUT_WR)
        world.note(sock.shutdown, SHUT_RD)
        world.note(sock.getpeername)
        world.note(sock.recv, 10)
        world.note(sock.recv, 10)
        world.note(sock.send, b"a")


def both_ended_path(world: World) -> None:
    client, server = world.path_pair()
    for sock in (client, server, client, server):
        world.note(sock.shutdown, SHUT_WR)
        world.note(sock.recv, 10)
        world.note(sock.send, b"a")


def deaf(world: World) -> None:
    client, server = world.pair()
    world.note(client.shutdown, SHUT_RD)
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(server.send, b"a")
    world.note(client.send, b"b")
    world.wait(server, READ)
    world.note(server.recv, 10)


def shut_both(world: World) -> None:
    client, server = world.pair()
    world.note(client.shutdown, SHUT_RDWR)
    world.wait(server, READ)
    world.note(server.recv, 10)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def send_to_a_closed_end(world: World) -> None:
    client, server = world.pair()
    server.close()
    world.wait(client, READ)
    world.note(client.send, b"a")
    world.wait(client, HANGUP)
    world.note(client.send, b"a")
    world.note(client.send, b"a")
    world.note(client.recv, 10)
    world.note(client.getpeername)
    world.note(client.shutdown, SHUT_WR)


def send_before_the_end_is_read(world: World) -> None:
    client, server = world.pair()
    server.send(b"last")
    server.close()
    world.wait(client, READ)
    world.note(client.send, b"a")
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)


def closed_with_unread_bytes(world: World) -> None:
    client, server = world.pair()
    client.send(b"unread")
    world.wait(server, READ)
    server.close()
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def reset(world: World) -> None:
    client, server = world.pair()
    server.send(b"last")
    world.wait(client, READ)
    server.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    world.wait(client, HANGUP)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.recv, 10)
    world.note(client.getpeername)


def reset_of_a_sender(world: World) -> None:
    client, server = world.pair()
    server.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    server.close()
    world.wait(client, HANGUP)
    world.note(client.send, b"a")
    world.note(client.send, b"a")
    world.note(client.recv, 10)


def listener_closed_before_accept(world: World) -> None:
    listener, client = world.listener(), world.open()
    world.note(client.connect, listener.getsockname())
    world.wait(client, WRITE)
    listener.close()
    world.wait(client, HANGUP)
    world.note(client.getsockopt, SOL_SOCKET, SO_ERROR)


def full(world: World) -> None:
    client, server = world.pair()
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += client.send(b"x" * 10_000)
    world.note(client.send, b"a")
    received = 0
    while received < sent:
        world._wait(server, READ)
        received += len(server.recv(1 << 20))
    world.wait(client, WRITE)
    world.seen.append(received == sent)


def addresses_in_use(world: World) -> None:
    listener, other = world.listener(), world.open()
    world.note(other.bind, listener.getsockname())
    world.note(other.bind, ("0.0.0.0", listener.getsockname()[1]))
    world.note(other.bind, LOOPBACK)
    world.note(other.bind, LOOPBACK)
    datagram = world.open(kind=SOCK_DGRAM)
    world.note(datagram.bind, listener.getsockname())


def path_stream(world: World) -> None:
    client = world.open(AF_UNIX)
    world.note(client.connect, world.path)
    world.note(client.connect, b"\0inetpy-nobody-has-this-name")
    listener = world.open(AF_UNIX)
    world.note(listener.bind, world.path)
    world.note(client.connect, world.path)
    world.note(listener.listen, 1)
    world.note(world.open(AF_UNIX).bind, world.path)
    world.note(client.connect, world.path)
    world.note(world.open(AF_UNIX).connect, world.path)
    world.note(world.open(AF_UNIX).connect, world.path)
    server = world.accept(listener)
    world.note(client.send, b"hello")
    world.note(server.recv, 10)
    server.close()
    world.wait(client, READ)
    world.note(client.recv, 10)
    world.note(client.send, b"a")


def datagrams(world: World) -> None:
    one, two = world.open(kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
    two.bind(LOOPBACK)
    address = two.getsockname()
    world.note(one.send, b"a")
    world.note(one.recv, 1)
    world.note(one.sendto, b"x" * 65508, address)
    world.note(one.sendto, b"hello", address)
    world.note(one.sendto, b"", address)
    world.wait(two, READ)
    data, sender = two.recvfrom(3)
    world.seen.append((data, sender == ("127.0.0.1", one.getsockname()[1])))
    world.note(two.recv, 10)
    world.note(two.recv, 10)
    world.note(two.connect, sender)
    three = world.open(kind=SOCK_DGRAM)
    world.note(three.sendto, b"no", address)
    world.note(one.sendto, b"yes", address)
    world.wait(two, READ)
    world.note(two.recv, 10)
    world.note(two.recv, 10)


def datagrams_too_long(world: World) -> None:
    """Which is looked at first, the size or the destination, is a matter of the size and of the family."""
    for family, ip in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1")):
        for size in (65507, 65508, 65527, 65528, 65535, 65536):
            one, two = world.open(family, SOCK_DGRAM), world.open(family, SOCK_DGRAM)
            two.bind((ip, 0))
            address = two.getsockname()
            two.close()
            data = b"x" * size
            world.note(one.send, data)
            world.note(one.sendto, data, (ip, 0))
            world.note(one.connect, address)
            world.note(one.send, b"lost")
            world.wait(one, ERROR)
            world.note(one.send, data)
            world.note(one.send, b"an error, or lost")


def refused_datagram(world: World) -> None:
    one, two = world.open(kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
    two.bind(LOOPBACK)
    address = two.getsockname()
    two.close()
    world.note(one.sendto, b"lost", address)
    world.note(one.connect, address)
    world.note(one.send, b"lost")
    world.wait(one, ERROR)
    world.note(one.recv, 10)
    world.note(one.recv, 10)
    world.note(one.send, b"lost")
    world.wait(one, ERROR)
    world.note(one.send, b"lost")


def path_datagrams(world: World) -> None:
    one, two = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
    world.note(one.send, b"a")
    world.note(one.sendto, b"a", world.path)
    world.note(two.bind, world.path)
    world.note(one.sendto, b"hello", world.path)
    data, sender = two.recvfrom(10)
    world.seen.append((data, sender))
    world.note(one.connect, world.path)
    world.note(one.send, b"again")
    world.note(two.recv, 10)


# --- by the rules of this host --------------------------------------------------

FOREIGN, BROADCAST_ADDRESS, GROUP = "198.51.100.1", "255.255.255.255", "239.77.1.2"
ANY_ADDRESS, GROUP6 = "0.0.0.0", "ff02::77:1:2"
IP_RECVTTL = 12


def _set(sock: Any, *options: tuple[int, int, int | bytes]) -> Any:
    for option in options:
        sock.setsockopt(*option)
    return sock


def _bound(world: World, address: Any, *options: tuple[int, int, int], kind: int = SOCK_STREAM) -> Any:
    """A socket that is bound to an address of IPv4 or IPv6, or where it fails None."""
    sock = _set(world.open(AF_INET6 if ":" in address[0] else AF_INET, kind), *options)
    failed = world.seen[:]
    world.note(sock.bind, address)
    return sock if world.seen[-1] == ("bind", None) and len(world.seen) > len(failed) else None


def options_of_a_stream(world: World) -> None:
    sock = world.open()
    for option, value in (
        (SO_KEEPALIVE, 1),
        (SO_SNDBUF, 5000),
        (SO_RCVBUF, 1),
        (SO_SNDBUF, 1),
        (SO_PRIORITY, 3),
    ):
        world.note(sock.setsockopt, SOL_SOCKET, option, value)
        world.note(sock.getsockopt, SOL_SOCKET, option)
    for level, option, taken in (
        (IPPROTO_TCP, TCP_NODELAY, 7),
        (IPPROTO_IP, IP_TTL, 9),
        (IPPROTO_IP, IP_TOS, 8),
    ):
        world.note(sock.setsockopt, level, option, taken)
        world.note(sock.getsockopt, level, option)
    for level, option, refused in (
        (IPPROTO_IP, IP_TTL, 256),
        (IPPROTO_TCP, TCP_MAXSEG, 1),
        (999, 1, 1),
        (6, 999, 1),
    ):
        world.note(sock.setsockopt, level, option, refused)
        world.note(sock.getsockopt, level, option, 4)
    world.note(sock.getsockopt, SOL_SOCKET, SO_PRIORITY)
    world.note(sock.getsockopt, SOL_SOCKET, SO_LINGER, 8)
    world.note(sock.getsockopt, SOL_SOCKET, SO_TYPE)


def options_are_inherited(world: World) -> None:
    listener, client = world.listener(), world.open()
    _set(
        listener, (SOL_SOCKET, SO_KEEPALIVE, 1), (IPPROTO_TCP, TCP_NODELAY, 1), (SOL_SOCKET, SO_RCVBUF, 9000)
    )
    world.note(client.connect, listener.getsockname())
    world.wait(listener, READ)
    server = world.accept(listener)
    for level, option in ((SOL_SOCKET, SO_KEEPALIVE), (IPPROTO_TCP, TCP_NODELAY), (SOL_SOCKET, SO_RCVBUF)):
        world.note(server.getsockopt, level, option)
    for sock in (listener, server, client):
        world.note(sock.getsockopt, SOL_SOCKET, SO_ACCEPTCONN)


def options_of_a_path(world: World) -> None:
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        sock = world.open(AF_UNIX, kind)
        for option in ((IPPROTO_TCP, TCP_NODELAY, 1), (IPPROTO_IP, IP_TTL, 9), (SOL_SOCKET, SO_SNDBUF, 9999)):
            world.note(sock.setsockopt, *option)
            world.note(sock.getsockopt, *option[:2])


def _shared(world: World, *options: tuple[int, int, int]) -> None:
    """Two sockets at one address, and then both listen."""
    one = _bound(world, LOOPBACK, *options)
    two = _bound(world, one.getsockname(), *options)
    three = _bound(world, (ANY_ADDRESS, one.getsockname()[1]), *options)
    for sock in (one, two, three):
        if sock is not None:
            world.note(sock.listen, 5)
    _bound(world, one.getsockname(), *options)
    _bound(world, one.getsockname())


def reused_address(world: World) -> None:
    _shared(world, (SOL_SOCKET, SO_REUSEADDR, 1))


def reused_port(world: World) -> None:
    _shared(world, (SOL_SOCKET, SO_REUSEPORT, 1))


def port_of_a_connection(world: World) -> None:
    listener, client = world.listener(), world.open()
    address = listener.getsockname()
    world.note(client.connect, address)
    world.wait(listener, READ)
    world.accept(listener)
    listener.close()
    _bound(world, address)
    _bound(world, address, (SOL_SOCKET, SO_REUSEADDR, 1))
    again = world.open()
    world.note(again.connect, address)


def shared_datagrams(world: World) -> None:
    one = _bound(world, LOOPBACK, (SOL_SOCKET, SO_REUSEADDR, 1), kind=SOCK_DGRAM)
    address = one.getsockname()
    two = _bound(world, address, (SOL_SOCKET, SO_REUSEADDR, 1), kind=SOCK_DGRAM)
    three = _bound(world, (ANY_ADDRESS, address[1]), (SOL_SOCKET, SO_REUSEADDR, 1), kind=SOCK_DGRAM)
    _bound(world, address, kind=SOCK_DGRAM)
    sender = _bound(world, LOOPBACK, kind=SOCK_DGRAM)
    for _ in range(2):
        world.note(sender.sendto, b"x", address)
        for sock in (one, two, three):
            world.note(sock.recv, 10)
        world.note(one.connect, sender.getsockname())  # the one that knows the sender gets it
    world.note(sender.sendto, b"x", ("127.0.0.2", address[1]))
    for sock in (one, two, three):
        world.note(sock.recv, 10)


def both_families(world: World) -> None:
    listener = _bound(world, ("::", 0), (IPPROTO_IPV6, IPV6_V6ONLY, 0))
    port = listener.getsockname()[1]
    world.note(listener.setsockopt, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    world.note(listener.getsockopt, IPPROTO_IPV6, IPV6_V6ONLY)
    listener.listen(5)
    _bound(world, ("127.0.0.1", port))
    for family, address in ((AF_INET, "127.0.0.1"), (AF_INET6, "::1"), (AF_INET6, "::ffff:127.0.0.1")):
        client = world.open(family)
        world.note(client.connect, (address, port))
        world.wait(client, WRITE)
        server = world.accept(listener)
        for sock in (client, server):
            world.seen.append((sock.getsockname()[0], sock.getpeername()[0]))
        world.seen.append(server.getpeername()[1] == client.getsockname()[1])


def _port_of_both() -> int:
    """A port that is free in both families."""
    while True:
        with socket.socket(AF_INET) as four, socket.socket(AF_INET6) as six, suppress(OSError):
            four.bind((ANY_ADDRESS, 0))
            six.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
            six.bind(("::", four.getsockname()[1]))
            port: int = four.getsockname()[1]
            return port


def one_family(world: World) -> None:
    port = _port_of_both()
    listener = _bound(world, ("::", port), (IPPROTO_IPV6, IPV6_V6ONLY, 1))
    listener.listen(5)
    _bound(world, ("127.0.0.1", port))
    _bound(world, ("::1", port))
    _bound(world, ("::ffff:127.0.0.1", 0), (IPPROTO_IPV6, IPV6_V6ONLY, 1))
    client = _set(world.open(AF_INET6), (IPPROTO_IPV6, IPV6_V6ONLY, 1))
    world.note(client.connect, ("::ffff:127.0.0.1", port))
    own = _bound(world, ("::1", 0))
    world.note(own.getsockopt, IPPROTO_IPV6, IPV6_V6ONLY)


def mapped_datagrams(world: World) -> None:
    six = _bound(world, ("::", 0), (IPPROTO_IPV6, IPV6_V6ONLY, 0), kind=SOCK_DGRAM)
    _set(six, (IPPROTO_IPV6, IPV6_RECVTCLASS, 1), (IPPROTO_IP, IP_RECVTOS, 1))
    four = _set(_bound(world, LOOPBACK, kind=SOCK_DGRAM), (IPPROTO_IP, IP_TOS, 16))
    world.note(four.sendto, b"up", ("127.0.0.1", six.getsockname()[1]))
    data, control, flags, sender = six.recvmsg(10, 256)
    world.seen.append((data, control, flags, sender[0]))
    world.note(six.sendto, b"down", sender)
    data, sender = four.recvfrom(10)
    world.seen.append((data, sender[0], sender[1] == six.getsockname()[1]))


def addresses_of_others(world: World) -> None:
    for kind in (SOCK_STREAM, SOCK_DGRAM):
        for address in (FOREIGN, GROUP, BROADCAST_ADDRESS, "127.3.2.1", "2001:db8::7", "fe80::1"):
            sock = _bound(world, (address, 0), kind=kind)
            if sock is not None:
                world.seen.append(sock.getsockname()[0])


def no_way_for_a_stream(world: World) -> None:
    for address in (BROADCAST_ADDRESS, GROUP):
        world.note(world.open().connect, (address, 9))
    for address in ("ff02::1", "fe80::1"):
        world.note(world.open(AF_INET6).connect, (address, 9))


def source_address(world: World) -> None:
    listener = _bound(world, (ANY_ADDRESS, 0))
    listener.listen(5)
    client = world.open()
    world.note(client.connect, ("127.1.2.3", listener.getsockname()[1]))
    world.wait(client, WRITE)
    world.seen.append((client.getsockname()[0], client.getpeername()[0]))
    server = world.accept(listener)
    world.seen.append((server.getsockname()[0], server.getpeername()[0]))
    one = world.open(kind=SOCK_DGRAM)
    world.note(one.connect, ("127.1.2.3", 9))
    world.seen.append(one.getsockname()[0])
    world.disconnect(one)
    world.note(one.getsockname().__getitem__, 1)
    world.seen.append(one.getsockname()[0])
    two = _bound(world, LOOPBACK, kind=SOCK_DGRAM)
    address = two.getsockname()
    world.note(two.connect, ("127.1.2.3", 9))
    world.disconnect(two)
    world.seen.append(two.getsockname() == address)


def broadcast(world: World) -> None:
    sock = world.open(kind=SOCK_DGRAM)
    world.note(sock.sendto, b"x", (BROADCAST_ADDRESS, 9))
    world.note(sock.connect, (BROADCAST_ADDRESS, 9))
    world.note(sock.sendto, b"x", ("127.0.0.1", 0))
    world.note(sock.sendto, b"x", ("127.255.255.255", 9))
    receiver = _bound(world, (ANY_ADDRESS, 0), kind=SOCK_DGRAM)
    other = _bound(world, LOOPBACK, kind=SOCK_DGRAM)
    _set(sock, (SOL_SOCKET, SO_BROADCAST, 1))
    world.note(sock.sendto, b"all", ("127.255.255.255", receiver.getsockname()[1]))
    world.wait(receiver, READ)
    data, sender = receiver.recvfrom(10)
    world.seen.append((data, sender[0]))
    world.note(sock.sendto, b"all", ("127.255.255.255", other.getsockname()[1]))
    world.note(other.recv, 10)


def control_messages(world: World) -> None:
    receiver = _bound(world, LOOPBACK, kind=SOCK_DGRAM)
    address = receiver.getsockname()
    sender = _set(world.open(kind=SOCK_DGRAM), (IPPROTO_IP, IP_TTL, 33))
    world.note(sender.sendto, b"nothing", address)
    _set(receiver, (IPPROTO_IP, IP_RECVTOS, 1))
    world.note(sender.sendto, b"tos", address)
    _set(receiver, (IPPROTO_IP, IP_RECVTTL, 1))
    _set(sender, (IPPROTO_IP, IP_TOS, 16))
    world.note(sender.sendto, b"both", address)
    for level, kind, value in (
        (IPPROTO_IP, IP_TTL, 7), (IPPROTO_IP, IP_TOS, 40), (IPPROTO_IP, IP_TOS, 256), (IPPROTO_IP, IP_TTL, 0),
        (IPPROTO_IP, 999, 1), (IPPROTO_IPV6, IPV6_TCLASS, 5),
    ):  # fmt: skip
        world.note(sender.sendmsg, [b"told", b"!"], [(level, kind, struct.pack("i", value))], 0, address)
    for _ in range(6):
        world.seen.append(receiver.recvmsg(100, 256)[:3])
    world.note(receiver.recv, 1)


def control_messages6(world: World) -> None:
    receiver = _bound(world, ("::1", 0), kind=SOCK_DGRAM)
    _set(receiver, (IPPROTO_IPV6, IPV6_RECVTCLASS, 1), (IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1))
    sender = world.open(AF_INET6, SOCK_DGRAM)
    told = [(IPPROTO_IPV6, IPV6_TCLASS, struct.pack("i", 12)), (IPPROTO_IP, IP_TOS, struct.pack("i", 999))]
    for control in ([], told):
        world.note(sender.sendmsg, [b"x"], control, 0, receiver.getsockname())
        world.seen.append(receiver.recvmsg(100, 256)[:3])
    world.note(sender.sendto, b"x" * 65527, receiver.getsockname())
    world.note(sender.sendto, b"x" * 65528, receiver.getsockname())


def cut_and_peeked(world: World) -> None:
    receiver, sender = _bound(world, LOOPBACK, kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
    for data in (b"long", b"", b"last"):
        world.note(sender.sendto, data, receiver.getsockname())
    world.note(receiver.recv, 10, MSG_PEEK)
    for _ in range(3):
        world.seen.append(receiver.recvmsg(2)[:3])


def many_datagrams(world: World) -> None:
    """How many a small buffer keeps."""
    for size in (0, 100, 300, 1000, 5000):
        receiver, sender = _bound(world, LOOPBACK, kind=SOCK_DGRAM), world.open(kind=SOCK_DGRAM)
        _set(receiver, (SOL_SOCKET, SO_RCVBUF, 10_000))
        for _ in range(100):
            sender.sendto(b"x" * size, receiver.getsockname())
        kept = 0
        with suppress(BlockingIOError):
            while True:
                receiver.recv(size + 1)  # Python asks nobody for no bytes
                kept += 1
        world.about(kept)


def multicast(world: World) -> None:
    group, lo = inet_aton(GROUP), inet_aton("127.0.0.1")
    member = _bound(world, (ANY_ADDRESS, 0), kind=SOCK_DGRAM)
    _set(member, (IPPROTO_IP, IP_RECVTTL, 1))
    stranger = _bound(world, LOOPBACK, kind=SOCK_DGRAM)
    sender = _set(world.open(kind=SOCK_DGRAM), (IPPROTO_IP, IP_MULTICAST_IF, lo))
    address = (GROUP, member.getsockname()[1])

    def sent() -> None:
        world.note(sender.sendto, b"x", address)
        try:
            data, control, _, source = member.recvmsg(10, 256)
            world.seen.append((data, control, source[0]))
        except BlockingIOError:
            world.seen.append("nothing")
        world.note(stranger.recv, 10)

    sent()
    world.note(member.setsockopt, IPPROTO_IP, IP_ADD_MEMBERSHIP, group + lo)
    world.note(member.setsockopt, IPPROTO_IP, IP_ADD_MEMBERSHIP, group + lo)
    sent()
    _set(sender, (IPPROTO_IP, IP_MULTICAST_TTL, 5), (IPPROTO_IP, IP_MULTICAST_LOOP, 0))
    sent()
    world.note(member.setsockopt, IPPROTO_IP, IP_DROP_MEMBERSHIP, group + lo)
    world.note(member.setsockopt, IPPROTO_IP, IP_DROP_MEMBERSHIP, group + lo)
    sent()
    world.note(member.setsockopt, IPPROTO_IP, IP_ADD_MEMBERSHIP, lo + lo)


def multicast6(world: World) -> None:
    """On the interface with the route to groups. On a host without one all of it fails."""
    number = 1
    with suppress(OSError):
        number = find_route(AF_INET6, GROUP6).interface
    group, interface = inet_pton(AF_INET6, GROUP6), struct.pack("i", number)
    member = _bound(world, ("::", 0), kind=SOCK_DGRAM)
    _set(member, (IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1))
    sender = world.open(AF_INET6, SOCK_DGRAM)
    address = (GROUP6, member.getsockname()[1], 0, number)
    for change in (IPV6_JOIN_GROUP, IPV6_JOIN_GROUP, IPV6_LEAVE_GROUP, IPV6_LEAVE_GROUP):
        world.note(member.setsockopt, IPPROTO_IPV6, change, group + interface)
        world.note(sender.sendto, b"x", address)
        time.sleep(0.01)  # the kernel sends it around by the interface
        world.note(member.recv, 10)


def files_of_paths(world: World) -> None:
    one, two, client = world.open(AF_UNIX), world.open(AF_UNIX), world.open(AF_UNIX)
    world.note(one.bind, world.path)
    world.seen.append(oct(os.stat(world.path).st_mode))
    world.note(two.bind, world.path)
    world.note(two.bind, world.path + "/below")
    world.note(two.bind, os.path.dirname(world.path) + "/no/folder")
    one.listen(5)
    os.rename(world.path, world.path + "2")
    world.note(client.connect, world.path)
    world.note(client.connect, world.path + "2")
    world.note(world.open(AF_UNIX, SOCK_DGRAM).connect, world.path + "2")
    one.close()
    world.note(world.open(AF_UNIX).connect, world.path + "2")
    Path(world.path).touch()
    world.note(world.open(AF_UNIX).connect, world.path)
    world.note(two.bind, world.path)
    os.unlink(world.path)
    world.note(two.bind, world.path)


def abstract_names(world: World) -> None:
    name = b"\0inetpy-" + os.path.basename(os.path.dirname(world.path)).encode()
    one, two, datagram = world.open(AF_UNIX), world.open(AF_UNIX), world.open(AF_UNIX, SOCK_DGRAM)
    world.note(one.bind, name)
    world.note(two.bind, name)
    world.note(two.connect, name)
    world.note(one.listen, 1)
    world.note(two.connect, name)
    world.seen.append((one.getsockname() == name, two.getpeername() == name, len(two.getsockname())))
    world.note(datagram.bind, name)
    nameless = world.open(AF_UNIX, SOCK_DGRAM)
    world.note(nameless.bind, b"")
    world.seen.append((nameless.getsockname()[:1], len(nameless.getsockname())))


def queue_of_a_path(world: World) -> None:
    one, two = world.open(AF_UNIX, SOCK_DGRAM), world.open(AF_UNIX, SOCK_DGRAM)
    one.bind(world.path)
    taken = 0
    with suppress(BlockingIOError):
        while True:
            taken += two.sendto(b"x", world.path)
    world.seen.append(taken)
    world.note(one.recv, 1)
    world.note(two.sendto, b"x", world.path)
    world.note(two.sendto, b"x", b"")
    world.note(one.connect, world.path)
    for _ in range(taken):
        one.recv(1)
    world.note(two.sendto, b"x", world.path)
    one.close()
    world.note(two.sendto, b"x", world.path)


def room_of_a_stream(world: World) -> None:
    """About as much as the kernel takes, and writable again when about as much has been read."""
    for sent, window in ((None, None), (20_000, None), (20_000, 20_000), (100_000, 3000)):
        listener, client = world.listener(), world.open()
        if window is not None:
            _set(listener, (SOL_SOCKET, SO_RCVBUF, window))
        if sent is not None:
            _set(client, (SOL_SOCKET, SO_SNDBUF, sent))
        with suppress(BlockingIOError):
            client.connect(listener.getsockname())
        world.wait(client, WRITE)
        world.wait(listener, READ)
        server = world.accept(listener)
        world.about(_filled(world, client))
        read = 0
        while not _is_writable(world, client):
            with suppress(BlockingIOError):
                read += len(server.recv(5000))
        world.seen.append(read > 0)


def room_of_a_path(world: World) -> None:
    client, server = world.path_pair()
    world.about(_filled(world, client))
    read = 0
    while not _is_writable(world, client):
        read += len(server.recv(1000))
    world.about(read)


def _filled(world: World, sock: Any) -> int:
    """How much a stream takes, until it takes no more for a moment."""
    sent = 0
    while True:
        try:
            sent += sock.send(b"x" * 10_000)
        except BlockingIOError:
            if not _is_writable(world, sock):
                return sent


def _is_writable(world: World, sock: Any) -> bool:
    return bool(world.ready(sock, 5) & WRITE)


HOST_SCENARIOS = [
    options_of_a_stream, options_are_inherited, options_of_a_path, reused_address, reused_port,
    port_of_a_connection, shared_datagrams, both_families, one_family, mapped_datagrams, addresses_of_others,
    no_way_for_a_stream, source_address, broadcast, control_messages, control_messages6, cut_and_peeked,
    many_datagrams, multicast, multicast6, files_of_paths, abstract_names, queue_of_a_path, room_of_a_stream,
    room_of_a_path,
]  # fmt: skip

SCENARIOS = [
    fresh_stream, refused, connecting_again, nothing_to_accept, refused_and_then_a_listener, there_and_back,
    half_close, both_ended, both_ended_path, deaf, shut_both, send_to_a_closed_end,
    send_before_the_end_is_read,
    closed_with_unread_bytes, reset, reset_of_a_sender, listener_closed_before_accept, full,
    addresses_in_use, path_stream, datagrams, datagrams_too_long, refused_datagram, path_datagrams,
]  # fmt: skip


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_equal_to_the_kernel(scenario: Callable[[World], None]) -> None:
    assert _seen(Memory, scenario) == _seen(Kernel, scenario)


@pytest.mark.parametrize("scenario", [*SCENARIOS, *HOST_SCENARIOS], ids=lambda scenario: scenario.__name__)
def test_equal_by_the_rules_of_this_host(scenario: Callable[[World], None]) -> None:
    memory, kernel = _seen(MemoryOnThisHost, scenario), _seen(Kernel, scenario)
    assert memory == kernel


def _seen(kind: type[World], scenario: Callable[[World], None]) -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        world = kind(Path(folder))
        try:
            scenario(world)
        finally:
            for sock in world.sockets:
                sock.close()
    return world.seen
