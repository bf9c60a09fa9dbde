"""The settings of a bridge, which come in variables of the environment.

    INETPY_CONTROL=1      listen to `inetpy faults`: see `network.control`
    INETPY_EARLY=N        after so many small sends, or `{active, once}`, on a socket their callers do not
                          wait; default 8, with 0 they always do: see `sockets.early`
    INETPY_FAST=0         no fast paths: see `fast`
    INETPY_HOST=memory    sockets in memory, that reach each other alone: see `host.memory_loop`
    INETPY_LOG_LEVEL      what goes to the logger of the node, default `warning`
    INETPY_LOOP=asyncio   the loop of the standard library, also where uvloop is installed
    INETPY_SPIN           microseconds to look for more work before sleeping
    INETPY_BRIDGES        how many bridges the node has; the node sets it
    INETPY_NETWORK        a file that describes the network: see `network.file`
    INETPY_SCHEDULE       the trace of a run whose faults are repeated: see `network.scripts`
    INETPY_SEED           where the random numbers of faults begin
    INETPY_TRACE          a file for calls and bytes: see `network.trace`; `inetpy run --trace` sets it
    INETPY_STATS          a folder for figures: see `statistics`; `inetpy run --stats` sets it

INETPY_PURE is read where the codec is chosen (`codec.implementation`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..fast.paths import EARLY_AFTER, NEVER

__all__ = ["Settings", "control_folder", "read_settings"]

SPIN = 100e-6  # seconds


class Settings(NamedTuple):
    """See the module. `spin` is in seconds."""

    fast: bool
    early_after: int
    in_memory: bool
    log_level: str
    uvloop: bool
    spin: float
    statistics: Path | None
    trace: str | None
    network: Path | None
    seed: int | None
    schedule: Path | None
    control: Path | None
    bridges: int


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    folder, network, seed, schedule = (
        environ.get(f"INETPY_{name}") for name in ("STATS", "NETWORK", "SEED", "SCHEDULE")
    )
    return Settings(
        fast=environ.get("INETPY_FAST") != "0",
        early_after=int(environ.get("INETPY_EARLY") or EARLY_AFTER) or NEVER,
        in_memory=environ.get("INETPY_HOST") == "memory",
        log_level=environ.get("INETPY_LOG_LEVEL", "WARNING").upper(),
        uvloop=environ.get("INETPY_LOOP") != "asyncio",
        spin=_spin(environ),
        statistics=Path(folder) if folder else None,
        trace=environ.get("INETPY_TRACE") or None,
        network=Path(network) if network else None,
        seed=int(seed) if seed else None,
        schedule=Path(schedule) if schedule else None,
        control=control_folder(environ) if environ.get("INETPY_CONTROL") == "1" else None,
        bridges=_bridges(environ),
    )


def control_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the bridges of this user listen to `inetpy faults`."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "inetpy" if runtime else Path(f"/tmp/inetpy-{os.geteuid()}")  # noqa: S108  it is checked


def _spin(environ: Mapping[str, str]) -> float:
    """Without a spare core, polling takes time from the node."""
    given = environ.get("INETPY_SPIN")
    if given is not None:
        return int(given) / 1e6
    return SPIN if len(os.sched_getaffinity(0)) > _bridges(environ) else 0.0


def _bridges(environ: Mapping[str, str]) -> int:
    return int(environ.get("INETPY_BRIDGES", "1"))
