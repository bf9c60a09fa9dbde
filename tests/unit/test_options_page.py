"""Every option that OTP documents for TCP and UDP has a row, a scenario, and its line on the page."""

from __future__ import annotations

import re
import sys

import pytest

from conftest import TOP
from inetpy import options

sys.path.insert(0, str(TOP / "scripts"))
import options_page

# inet:setopts/2, gen_tcp and gen_udp of the documentation of OTP 17, 25 and 28; and debug, which
# only the types of OTP 25 have.
DOCUMENTED = [
    "active",
    "add_membership",
    "bind_to_device",
    "broadcast",
    "buffer",
    "debug",
    "delay_send",
    "deliver",
    "dontroute",
    "drop_membership",
    "exclusiveaddruse",
    "exit_on_close",
    "header",
    "high_msgq_watermark",
    "high_watermark",
    "ipv6_v6only",
    "keepalive",
    "keepcnt",
    "keepidle",
    "keepintvl",
    "line_delimiter",
    "linger",
    "low_msgq_watermark",
    "low_watermark",
    "mode",
    "multicast_if",
    "multicast_loop",
    "multicast_ttl",
    "netns",
    "nodelay",
    "nopush",
    "packet",
    "packet_size",
    "pktoptions",
    "priority",
    "raw",
    "read_ahead",
    "read_packets",
    "recbuf",
    "recvtclass",
    "recvtos",
    "recvttl",
    "reuseaddr",
    "reuseport",
    "reuseport_lb",
    "send_timeout",
    "send_timeout_close",
    "show_econnreset",
    "sndbuf",
    "tclass",
    "tos",
    "ttl",
    "user_timeout",
]

SCENARIOS = "".join(
    (TOP / "erl" / "test" / f"{group}.erl").read_text() for group in ("xc_sockopts", "xc_udpopts")
)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_option(name: str) -> None:
    """It is in the table, and its values are tried at every place on both backends."""
    assert name in options.OPTIONS
    assert re.search(rf"^\s+\{{{name}, (\[|memberships)", SCENARIOS, re.MULTILINE)


def test_page() -> None:
    """docs/options.md is what the table says; scripts/options_page.py writes it."""
    assert options_page.PAGE.read_text() == options_page.page()


def test_no_other_rows() -> None:
    assert sorted(options.OPTIONS) == DOCUMENTED
