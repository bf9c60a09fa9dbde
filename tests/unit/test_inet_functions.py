"""Every function of inet that OTP documents is in inetpy_inet, or there is a reason why not."""

from __future__ import annotations

import re

import pytest

from conftest import TOP

# The functions of inet in the documentation of OTP 17, 25 and 28.
DOCUMENTED = [
    "cancel_monitor/1",
    "close/1",
    "format_error/1",
    "get_rc/0",
    "getaddr/2",
    "getaddrs/2",
    "gethostbyaddr/1",
    "gethostbyname/1",
    "gethostbyname/2",
    "gethostname/0",
    "getifaddrs/0",
    "getifaddrs/1",
    "getopts/2",
    "getstat/1",
    "getstat/2",
    "i/0",
    "i/1",
    "i/2",
    "info/1",
    "ipv4_mapped_ipv6_address/1",
    "is_ip_address/1",
    "is_ipv4_address/1",
    "is_ipv6_address/1",
    "monitor/1",
    "ntoa/1",
    "parse_address/1",
    "parse_ipv4_address/1",
    "parse_ipv4strict_address/1",
    "parse_ipv6_address/1",
    "parse_ipv6strict_address/1",
    "parse_strict_address/1",
    "peername/1",
    "peernames/1",
    "peernames/2",
    "port/1",
    "setopts/2",
    "sockname/1",
    "socknames/1",
    "socknames/2",
]

SOURCE = (TOP / "erl" / "src" / "inetpy_inet.erl").read_text()
EXPORTED = {
    name
    for group in re.findall(r"^-export\(\[(.*?)\]\)", SOURCE, re.MULTILINE | re.DOTALL)
    for name in re.findall(r"\w+/\d", group)
}


@pytest.mark.parametrize("function", DOCUMENTED)
def test_documented_function(function: str) -> None:
    assert function in EXPORTED


def test_services() -> None:
    """The functions for services are undocumented, but programs use them."""
    assert {"getservbyname/2", "getservbyport/2", "getaddrs/3", "gethostbyname/3"} <= EXPORTED
