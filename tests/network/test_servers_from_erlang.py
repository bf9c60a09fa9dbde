"""Servers in memory as Erlang sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import run_client

NETWORK = Path(__file__).parent / "seen_from_erlang.py"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("function", ["same", "names", "both_families", "listener", "tls", "static", "many"])
def test_scene(function: str, loop: str) -> None:
    """`same`: each scene is equal on the loopback interface and in memory, seen from both ends."""
    pytest.importorskip(loop)
    assert run_client(NETWORK, f"memory_scenes:{function}()", loop) == (0, "", "")


@pytest.mark.parametrize("function", ["same", "names", "listener", "datagrams"])
def test_scene_of_socket(function: str) -> None:
    """The same with inetpy_socket: `same` compares with stock `socket` on the loopback interface."""
    assert run_client(NETWORK, f"socket_scenes:{function}()", "asyncio") == (0, "", "")


def test_a_handler_that_raises_is_in_the_log_of_the_node() -> None:
    status, out, err = run_client(NETWORK, "memory_scenes:wrong()", "asyncio")
    assert status == 0, out
    assert "server wrong.example:1: Traceback" in out + err
    assert "LookupError: what was looked for" in out + err
