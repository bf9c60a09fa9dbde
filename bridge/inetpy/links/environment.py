"""The settings of a bridge, which come in variables of the environment.

    INETPY_FAST=0         no fast paths: see `fast`
    INETPY_LOG_LEVEL      what goes to the logger of the node, default `warning`
    INETPY_LOOP=asyncio   the loop of the standard library, also where uvloop is installed
    INETPY_SPIN           microseconds to look for more work before sleeping
    INETPY_BRIDGES        how many bridges the node has; the node sets it
    INETPY_STATS          a folder for figures: see `statistics`; `inetpy run --stats` sets it

INETPY_PURE is read where the codec is chosen (`codec.implementation`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Settings", "read_settings"]

SPIN = 100e-6  # seconds


class Settings(NamedTuple):
    """See the module. `spin` is in seconds."""

    fast: bool
    log_level: str
    uvloop: bool
    spin: float
    statistics: Path | None


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    folder = environ.get("INETPY_STATS")
    return Settings(
        fast=environ.get("INETPY_FAST") != "0",
        log_level=environ.get("INETPY_LOG_LEVEL", "WARNING").upper(),
        uvloop=environ.get("INETPY_LOOP") != "asyncio",
        spin=_spin(environ),
        statistics=Path(folder) if folder else None,
    )


def _spin(environ: Mapping[str, str]) -> float:
    """Without a spare core, polling takes time from the node."""
    given = environ.get("INETPY_SPIN")
    if given is not None:
        return int(given) / 1e6
    bridges = int(environ.get("INETPY_BRIDGES", "1"))
    return SPIN if len(os.sched_getaffinity(0)) > bridges else 0.0
