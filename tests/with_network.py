"""A session in memory whose network is in play."""

from __future__ import annotations

from typing import Any

from in_memory import Bench
from inetpy.network.engine import Engine
from inetpy.network.network import Network
from inetpy.network.rules import Rule

__all__ = ["NetworkBench"]


class NetworkBench(Bench):
    """A bench with a network. `advance` is the time of its host, and so of its network at first."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self.engine = Engine(self.host, seed)
        self.node = self.engine.attach(self.session)
        self.network = Network(self.engine)

    def fault(self, *what: Any, **how: Any) -> Rule:
        """Adds a rule, and lets everything happen that it does at once."""
        rule = self.network.fault(*what, **how)
        self.run()
        return rule
