"""The same store. One connection in four is reset in the middle of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import store

from inetpy.network import probability, reset

if TYPE_CHECKING:
    from inetpy import Network

    network: Network

network.server("store.example", 6379)(store)
network.fault(reset(after_bytes=1000), host="store.example", when=probability(0.25))
