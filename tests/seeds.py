"""Where random tests begin, and how much they try.

In `make test` they begin at the same numbers each time: what fails there was broken by a change.
`make random` begins anywhere, and tries more. TEST_SEED=N repeats a run; tests of Hypothesis want
`--hypothesis-seed N`, too.
"""

from __future__ import annotations

import os

SEED = int(os.environ.get("TEST_SEED", "1"))
IS_REPEATABLE = "TEST_SEED" not in os.environ
EXAMPLES = int(os.environ.get("TEST_EXAMPLES", "300"))  # of a test of Hypothesis


def times(count: int) -> int:
    """What is count in `make test`, as much more or less as there are examples."""
    return max(1, count * EXAMPLES // 300)
