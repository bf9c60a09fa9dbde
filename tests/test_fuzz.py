"""Mutated frames: a short run of fuzz_bridge.py. `make fuzz` is a long one."""

from __future__ import annotations

import pytest

from fuzz_bridge import fuzz
from seeds import SEED, times


@pytest.mark.random
def test_mutated_frames() -> None:
    """Every request is answered, nothing leaks, and the bridge goes on."""
    print(fuzz(times(20_000), SEED))
