"""Mutated frames: a short run of fuzz_bridge.py. `make fuzz` is a long one."""

from __future__ import annotations

import os
import random

from fuzz_bridge import fuzz


def test_mutated_frames() -> None:
    """Every request is answered, nothing leaks, and the bridge goes on."""
    seed = int(os.environ.get("INETPY_SEED", random.randrange(1 << 30)))
    print(fuzz(20_000, seed))
