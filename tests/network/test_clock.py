"""A node whose network has a clock of its own: timeouts of Erlang's calls end when the clock says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import run_client

NETWORK = Path(__file__).parent / "clock.py"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("client", ["by_hand", "standing", "delay", "lookup", "rate"])
def test_clock(client: str, loop: str) -> None:
    """The client's function returns, and the node logs nothing."""
    pytest.importorskip(loop)
    assert run_client(NETWORK, f"clock_clients:{client}()", loop) == (0, "", "")
