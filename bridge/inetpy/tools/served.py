"""A server of nodes of its own, in a private folder, for as long as a command needs it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .run import outside

__all__ = ["NotServedError", "served"]

PATIENCE = 5.0  # seconds for its end


class NotServedError(Exception):
    """The server has not begun, with what it says."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL. Raises NotServedError."""
    command = [sys.executable, "-P", "-m", "inetpy", "serve", f"unix:{folder}/bridge"]
    environment = outside() | {"INETPY_CONTROL": "0", "INETPY_LOG_LEVEL": "WARNING"}
    log = folder / "serve.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment, start_new_session=True
        ) as server,
    ):
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            server.wait()
            raise NotServedError(f"inetpy serve does not begin\n{log.read_text()}".rstrip())
        try:
            yield line.partition(": ")[2].strip()
        finally:
            server.terminate()
            try:
                server.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                server.kill()
