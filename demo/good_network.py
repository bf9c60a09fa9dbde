"""A store in memory: `inetpy run --network demo/good_network.py -- CMD`. Other programs cannot see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from store import store

if TYPE_CHECKING:
    from inetpy import Network

    network: Network

network.server("store.example", 6379)(store)
