"""Rules that never do anything: the corpus on controlled sockets is equal to inet_drv all the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from conftest import erl
from crossed import assert_equal, read_rows

# Without stages the calls of a controlled socket are those of the socket itself.
DIRECT = """
network.fault(short_read(2**50))
network.fault(short_write(2**50))
network.fault(error("any", "eio"), when=nth(2**40))
"""
# With a stage, all bytes and datagrams go through the relay.
STAGED = """
network.fault(reset(after_bytes=2**50), direction="both")
network.fault(truncate(2**16), direction="both")
"""
# The relay has read what would fill the queue, and an error that is on its way behind a queue may come first.
EXCEPTIONS = ("no_room", "reset_with_a_queue")


@pytest.mark.parametrize(
    ("rules", "groups", "exceptions"),
    [
        (DIRECT, ["xc_send", "xc_recv", "xc_udp"], ()),
        (STAGED, ["xc_connect", "xc_send", "xc_close", "xc_recv", "xc_udp", "xc_local_udp"], EXCEPTIONS),
    ],
    ids=["direct", "staged"],
)
def test_corpus(
    rules: str,
    groups: list[str],
    exceptions: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, description = tmp_path / "rows.json", tmp_path / "net.py"
    description.write_text(rules)
    monkeypatch.setenv("INETPY_NETWORK", str(description))
    command = ["-run", "inetpy_xc", "main", str(out), "inet,inetpy", *groups]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=250)
    assert node.returncode == 0, output.decode()
    assert_equal([row for row in read_rows(out) if row["name"] not in exceptions])
