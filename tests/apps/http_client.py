"""OTP's HTTP client in a node, as tests/apps/src/http_client.erl has it, and what it sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import web

from inetpy import Atom
from inetpy.testing import Node, charlist

CLIENT = Path(__file__).parent / "src" / "http_client.erl"
PATIENCE = 700  # ms that a request may take where nothing comes

GOT_ALL = (200, web.SIZE)
CUT_OFF = (Atom("shutdown"), Atom("server_closed"))  # within the body
GONE = Atom("socket_closed_remotely")  # before an answer
TIMEOUT = Atom("timeout")


def no_connection(reason: str) -> object:
    return (Atom("failed_connect"), Atom(reason))


def seen(node: Node, url: str, patience: int = PATIENCE) -> Any:
    """What the client sees, with nothing left of the requests before."""
    node.eval("http_client:forget()")
    return node.eval("http_client:get(Url, [{timeout, Patience}])", Url=charlist(url), Patience=patience)


def assert_seen(found: object, expected: object) -> None:
    assert found in expected if isinstance(expected, set) else found == expected
