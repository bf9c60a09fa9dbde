"""What a node prints that evaluates a script."""

from __future__ import annotations

import subprocess

from conftest import erl


def evaluated(script: str, *flags: str, env: dict[str, str] | None = None) -> list[str]:
    """The lines that a node prints, which evaluates the script and halts.

    flags: more of its command line.
    env: its environment.
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": env}
    with erl(*flags, "-eval", f"{script}, halt(0).", **options) as node:
        output, _ = node.communicate(timeout=100)
    assert node.returncode == 0, output.decode()
    return output.decode().splitlines()
