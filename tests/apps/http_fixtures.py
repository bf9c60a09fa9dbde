"""OTP's own sockets beside those of Python: the client there, and a server whose connections really break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from http_client import CLIENT
from web import Relay

from inetpy.network.certificates import server_context
from inetpy.testing import Node


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    context = server_context(True, "localhost")
    assert context is not None
    relay = Relay(context)
    yield relay
    relay.end()


@pytest.fixture(scope="module")
def stock() -> Iterator[Node]:
    """A node on OTP's own sockets, with a client."""
    with Node("stock", install=False) as node:
        node.compile(CLIENT)
        yield node
