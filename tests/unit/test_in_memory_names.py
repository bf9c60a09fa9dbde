"""The functions of `inet` that take no socket ask the host of the session, and no other."""

from __future__ import annotations

import pytest

from in_memory import LOCALHOST, Bench

EXAMPLE = list(b"example")
V6 = (0x2001, 0xDB8, 0, 0, 0, 0, 0, 1)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.host.names["example"] = ["192.0.2.1", "2001:db8::1", "192.0.2.2"]
    bench.host.resolver.services["smtp", "tcp"] = 25
    return bench


def test_by_name(bench: Bench) -> None:
    found = [(192, 0, 2, 1), (192, 0, 2, 2)]
    assert bench.inet("getaddrs", EXAMPLE, "inet") == ("ok", found)
    assert bench.inet("getaddr", EXAMPLE, "inet6") == ("ok", V6)
    assert bench.inet("gethostbyname", EXAMPLE, "inet") == (
        "ok", ("hostent", "example", [], "inet", 4, found),
    )  # fmt: skip
    assert bench.inet("getaddr", list(b"nowhere"), "inet") == ("error", "nxdomain")


def test_by_address(bench: Bench) -> None:
    assert bench.inet("gethostbyaddr", V6) == ("ok", ("hostent", "example", [], "inet6", 16, [V6]))
    assert bench.inet("gethostbyaddr", (192, 0, 2, 77)) == ("error", "nxdomain")


def test_our_own_name(bench: Bench) -> None:
    assert bench.inet("gethostname") == ("ok", "memory")
    assert bench.inet("getaddr", list(b"memory"), "inet") == ("ok", LOCALHOST)


def test_services(bench: Bench) -> None:
    assert bench.inet("getservbyname", "smtp", "tcp") == ("ok", 25)
    assert bench.inet("getservbyport", 25, "tcp") == ("ok", "smtp")
    assert bench.inet("getservbyname", "smtp", "udp") == ("error", "einval")


def test_interfaces(bench: Bench) -> None:
    assert bench.inet("getifaddrs") == (
        "ok",
        [("lo", [
            ("flags", ["up", "loopback", "running"]),
            ("addr", LOCALHOST),
            ("netmask", (255, 0, 0, 0)),
            ("addr", (0, 0, 0, 0, 0, 0, 0, 1)),
            ("netmask", (0xFFFF,) * 8),
            ("hwaddr", "\0\0\0\0\0\0"),
        ])],
    )  # fmt: skip
    assert bench.inet("getifaddrs", b"/no/namespace") == ("error", "enoent")
