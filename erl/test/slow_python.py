#!/usr/bin/env python3
"""inetpy with a resolver that sleeps and knows names of its own: for inetpy_inet_SUITE."""

import os
import sys
import time

from inetpy import cli
from inetpy.names import resolver

ADDRESSES = {
    "slow.test": [(2, "127.0.0.1")],
    # nobody answers at the first: see test nets of RFC 5737
    "both.test": [(10, "::1"), (2, "127.0.0.1")],
    "dead.test": [(10, "::1"), (2, "127.0.0.1")],
}


def host_by_name(_host: object, name: str, family: str) -> resolver.Hostent:
    if name.startswith("slow"):
        time.sleep(float(os.environ["INETPY_TEST_SLEEP"]))
    if name not in ADDRESSES:
        raise resolver.ResolverError("nxdomain")
    number = resolver.FAMILIES[family]
    return resolver.Hostent(name, [], family, [text for kind, text in ADDRESSES[name] if kind == number])


def all_addresses(_host: object, name: str) -> list[tuple[int, str]]:
    if name.startswith("slow"):
        time.sleep(float(os.environ["INETPY_TEST_SLEEP"]))
    if name not in ADDRESSES:
        raise resolver.ResolverError("nxdomain")
    return ADDRESSES[name]


resolver.host_by_name = host_by_name
resolver.all_addresses = all_addresses
sys.exit(cli.main(["bridge"]))
