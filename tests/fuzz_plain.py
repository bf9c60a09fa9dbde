"""Requests of plain sockets for fuzz_bridge.py: arguments as a node would send them."""

from __future__ import annotations

import random
from collections.abc import Callable

from inetpy.codec.terms import Atom, Charlist, Pid, Ref
from inetpy.wire.plain_requests import PLAIN, PLAIN_SESSION

__all__ = ["PLAIN", "PLAIN_SESSION", "arguments"]

DOMAINS = [Atom(name) for name in ("inet", "inet", "inet6", "local", "unspec")]
TYPES = [Atom(name) for name in ("stream", "stream", "dgram", "dgram", "seqpacket", "raw")]
OPTIONS: list[object] = [
    (Atom(level), Atom(name))
    for level, name in (
        ("otp", "rcvbuf"), ("otp", "fd"), ("otp", "meta"), ("otp", "iow"), ("otp", "controlling_process"),
        ("otp", "select_read"), ("socket", "rcvbuf"), ("socket", "linger"), ("socket", "type"),
        ("socket", "rcvtimeo"), ("socket", "passcred"), ("socket", "bindtodevice"), ("socket", "peek_off"),
        ("ip", "tos"), ("ip", "add_membership"), ("ip", "msfilter"), ("ip", "mtu_discover"),
        ("ip", "pktinfo"),
        ("ipv6", "v6only"), ("ipv6", "unicast_hops"), ("tcp", "nodelay"), ("tcp", "congestion"),
        ("udp", "cork"), ("nonsense", "nonsense"),
    )
]  # fmt: skip
NATIVE: list[object] = [(1, 3), (Atom("socket"), 8), (6, 1), (0, 1), (17, 1), (1 << 40, 1), (Atom("ip"), -1)]
SETTINGS: list[object] = [
    5, 0, Atom("true"), Atom("default"), Atom("abort"), (3, 100), Charlist(b"lo"), b"\1\0\0\0", Atom("null"),
    {Atom("onoff"): Atom("true"), Atom("linger"): 0}, {Atom("sec"): 1, Atom("usec"): 5},
    {Atom("multiaddr"): (224, 0, 0, 7), Atom("interface"): Atom("any")},
    {Atom("multiaddr"): (224, 0, 0, 7), Atom("interface"): Atom("any"), Atom("mode"): Atom("include"),
     Atom("slist"): [(10, 0, 0, 1)]},
]  # fmt: skip
FLAGS: list[object] = [[], [], [], [Atom("peek")], [Atom("oob")], [Atom("trunc"), 64], 0, [Atom("errqueue")]]
CONTROL: list[object] = [
    {Atom("level"): Atom("ip"), Atom("type"): Atom("ttl"), Atom("value"): 5},
    {Atom("level"): Atom("ip"), Atom("type"): Atom("tos"), Atom("data"): b"\1\0\0\0"},
    {Atom("level"): Atom("socket"), Atom("type"): Atom("rights"), Atom("data"): b"\xe7\3\0\0"},
    {Atom("level"): Atom("ipv6"), Atom("type"): Atom("hoplimit"), Atom("value"): 5},
    {Atom("level"): 1, Atom("type"): 2, Atom("data"): bytes(12)},
]
OPERATIONS = [Atom(name) for name in ("accept", "recv", "recvmsg", "send", "sendto", "connect", "nonsense")]
# None of them has an argument that changes an interface.
IOCTLS: list[object] = [
    (Atom("gifconf"), []), (Atom("gifflags"), [Charlist(b"none0")]), (Atom("gifname"), [1]),
    (Atom("nread"), []), (Atom("atmark"), []), (Atom("tcp_info"), []),
]  # fmt: skip
SYSTEM: list[object] = [
    (Atom("info"), []), (Atom("supports"), []), (Atom("supports"), [Atom("options")]),
    (Atom("supports"), [Atom("options"), Atom("tcp")]), (Atom("is_supported"), [Atom("ipv6")]),
    (Atom("table"), [Atom("protocols")]), (Atom("use_registry"), [Atom("true")]),
    (Atom("debug"), [Atom("false")]),
]  # fmt: skip


def arguments(
    dice: random.Random, op: str, owners: list[Pid], ports: list[int], new_ref: Callable[[], Ref]
) -> object:
    """Those of an operation on a socket, or of one that opens a socket."""
    owner = dice.choice(owners)
    handle = new_ref() if dice.random() < 0.7 else Atom("zero")
    flags, option = dice.choice(FLAGS), dice.choice(OPTIONS)
    size = dice.choice((0, 1, 100, 70_000, 1 << 30))

    def address() -> object:
        known = {Atom("addr"): Atom("loopback"), Atom("port"): dice.choice([0, *ports[-9:]])}
        return dice.choice(
            [
                {Atom("family"): Atom("inet"), **known},
                {Atom("family"): Atom("inet"), **known},
                {Atom("family"): Atom("inet6"), **known},
                {Atom("family"): Atom("local"), Atom("path"): b"\0inetpy-fuzz-%d" % dice.randrange(9)},
                {Atom("family"): Atom("unspec"), Atom("addr"): bytes(14)},
                {Atom("family"): 17, Atom("addr"): bytes(18)},
            ]
        )

    def data() -> bytes:
        return bytes(dice.choice((0, 1, 100, 20_000)))

    def message() -> object:
        parts: dict[object, object] = {}
        if dice.random() < 0.5:
            parts[Atom("addr")] = address()
        if dice.random() < 0.5:
            parts[Atom("ctrl")] = dice.sample(CONTROL, dice.randrange(3))
        return parts

    table: dict[str, Callable[[], object]] = {
        "socket_accept": lambda: (owner, handle, new_ref()),
        "socket_bind": address,
        "socket_bindx": lambda: ([address()], Atom("add")),
        "socket_cancel": lambda: (owner, dice.choice(OPERATIONS), new_ref()),
        "socket_connect": lambda: (owner, new_ref(), address()),
        "socket_connected": lambda: owner,
        "socket_fdopen": lambda: (new_ref(), owner, 999, {}),
        "socket_getopt": lambda: option,
        "socket_getopt_native": lambda: (
            dice.choice(NATIVE),
            dice.choice((Atom("integer"), 4, b"abcd", Atom("boolean"))),
        ),
        "socket_ioctl": lambda: dice.choice(IOCTLS),
        "socket_listen": lambda: dice.choice((0, 5)),
        "socket_open": lambda: (new_ref(), owner, dice.choice(DOMAINS), dice.choice(TYPES), 0, {}),
        "socket_recv": lambda: (owner, handle, size, flags),
        "socket_recvfrom": lambda: (owner, handle, size, flags),
        "socket_recvmsg": lambda: (owner, handle, size, dice.choice((0, 100)), flags),
        "socket_send": lambda: (owner, handle, flags, Atom("true"), data()),
        "socket_sendfile": lambda: (owner, handle, 0, 0, dice.choice((999, Atom("none")))),
        "socket_sendmsg": lambda: (owner, handle, message(), flags, [data(), data()]),
        "socket_sendto": lambda: (owner, handle, address(), flags, data()),
        "socket_sendv": lambda: (owner, handle, [data(), data()]),
        "socket_setopt": lambda: (owner, option, dice.choice([*SETTINGS, *owners])),
        "socket_setopt_native": lambda: (dice.choice(NATIVE), dice.choice(SETTINGS)),
        "socket_shutdown": lambda: Atom(dice.choice(("read", "write", "read_write"))),
        "socket_system": lambda: dice.choice(SYSTEM),
    }
    return table.get(op, list)()
