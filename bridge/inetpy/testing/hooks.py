"""What a conftest.py can define for the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import Node

__all__ = ["pytest_inetpy_node"]


def pytest_inetpy_node(node: Node) -> None:
    """Called for each new node of the fixture `erlang`, before its first test.

    What is done to the node here stays for all tests: `node.add_path("_build/default/lib/*/ebin")`.
    """
