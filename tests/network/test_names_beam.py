"""OTP's own resolver knows the names of the network, and forgets them with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes import run_client

NETWORK = Path(__file__).parent / "names.py"


@pytest.mark.parametrize("function", ["reached", "http", "avoided", "order", "strict", "bridges"])
def test_names_in_play(function: str) -> None:
    assert run_client(NETWORK, f"name_clients:{function}()", "asyncio") == (0, "", "")


@pytest.mark.parametrize(
    "function", ["as_before", "stopped", "uninstalled", "mine", "configured", "killed", "recovered"]
)
def test_the_former_configuration(function: str) -> None:
    """That inetpy was stopped or has failed is logged."""
    status, out, err = run_client(NETWORK, f"name_clients:{function}()", "asyncio")
    assert status == 0, out + err
