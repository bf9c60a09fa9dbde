"""A node on a network that a file describes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["run_client"]

EBIN = Path(__file__).parent.parent.parent / "erl" / "test" / "ebin"


def run_client(network: Path, client: str, loop: str) -> tuple[int, str, str]:
    """The exit status of a node that runs `client`, and what it prints and logs."""
    done = subprocess.run(
        [
            sys.executable, "-m", "inetpy", "run", "--",
            "erl", "-noshell", "-pa", str(EBIN), "-eval", f"ok = {client}, halt(0).",
        ],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        env=os.environ | {"INETPY_NETWORK": str(network), "INETPY_LOOP": loop, "ERL_CRASH_DUMP": os.devnull},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr
