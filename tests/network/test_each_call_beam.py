"""each_call of Python and each_call of Erlang fail the same calls of a program."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import run_client

NETWORK = Path(__file__).parent / "each_call.py"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_each_call(loop: str) -> None:
    pytest.importorskip(loop)
    assert run_client(NETWORK, "each_call_clients:equal()", loop) == (0, "", "")
