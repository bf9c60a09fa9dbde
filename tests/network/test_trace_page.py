"""The commands with tshark on docs/trace.md run, and find what the page says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from conftest import TOP

PAGE = (TOP / "docs" / "trace.md").read_text()
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def _block(language: str, beginning: str) -> str:
    (found,) = [
        text
        for text in re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
        if text.startswith(beginning)
    ]
    return str(found)


def _run(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        check=False,
        cwd=folder,
        env=os.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_page(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(_block("python", "# net.py"))
    (tmp_path / "client.erl").write_text(_block("erlang", "-module(client)"))
    _run(
        "erlc client.erl; inetpy run --network net.py --trace run.pcapng -- erl -noshell -s client main",
        tmp_path,
    )
    packets, comment, live = (
        _run(command, tmp_path) for command in re.findall(r"^    \$ (.*tshark.*)$", PAGE, re.MULTILINE)
    )
    shown = re.findall(r"^ +\d+ [\d.]+ +(db\.example .*)$", PAGE, re.MULTILINE)
    assert len(shown) == 6
    for line in shown:
        assert line in packets
    assert comment.strip() in PAGE
    assert "[SYN]" in live


def test_preference(tmp_path: Path) -> None:
    (preference,) = re.findall(r"`-o ('uat:.*?')`", PAGE)
    listen = "erl -noshell -eval 'gen_tcp:listen(0, []), halt(0).'"
    command = f"inetpy run --trace run.pcapng -- {listen}; tshark -r run.pcapng -o {preference}"
    assert "JavaScript Object Notation" in _run(command, tmp_path)
