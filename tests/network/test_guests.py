"""Servers of the ecosystem run unchanged in memory, and Erlang's clients speak to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import run_client

GUESTS = Path(__file__).parent / "guests.py"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("client", ["http", "https", "asgi", "smtp", "starttls", "redis"])
def test_guest(client: str, loop: str) -> None:
    """The client's function returns, and the node logs nothing."""
    for package in ("aiohttp", "aiosmtpd", "fakeredis", "uvicorn", loop):
        pytest.importorskip(package)
    assert run_client(GUESTS, f"guest_clients:{client}()", loop) == (0, "", "")
