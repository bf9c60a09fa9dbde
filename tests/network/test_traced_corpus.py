"""With a trace that is on, the corpus is equal to inet_drv and OTP's `socket`; tshark reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import TEST_EBIN, erl
from crossed import assert_equal, read_rows

GROUPS = sorted(path.stem for path in TEST_EBIN.glob("x[cs]_*.beam"))

# Random bytes may look like another protocol: nothing above TCP and UDP is asked for.
# A socket of inetpy_socket that was refused tries again from the same port.
FLAGS = "(tcp.analysis.flags && !tcp.analysis.reused_ports)"
COMPLAINTS = f"{FLAGS} || tcp.checksum.status == 0 || udp.checksum.status == 0 || udp.length < 8"


@pytest.mark.parametrize("group", GROUPS)
def test_corpus(group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, description, trace = (tmp_path / name for name in ("rows.json", "net.py", "run.pcapng"))
    description.write_text(f"network.trace.start(file={str(trace)!r})")
    monkeypatch.setenv("INETPY_NETWORK", str(description))
    reference = "socket" if group.startswith("xs_") else "inet"
    command = ["-run", "inetpy_xc", "main", str(out), f"{reference},inetpy", group]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=250)
    assert node.returncode == 0, output.decode()
    assert_equal(read_rows(out))
    assert b"the trace ends" not in output
    checked = ["-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    tshark = ["tshark", "-r", str(trace), *checked, "-Y", COMPLAINTS]
    done = subprocess.run(tshark, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
