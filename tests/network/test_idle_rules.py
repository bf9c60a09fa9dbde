"""Rules that never do anything: the corpus on controlled sockets is equal to inet_drv and OTP's `socket`."""

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
SOCKET_GROUPS = [
    "xs_address", "xs_bad", "xs_close", "xs_dgram", "xs_families", "xs_functions", "xs_message", "xs_open",
    "xs_options", "xs_stream", "xs_term", "xs_waiting",
]  # fmt: skip
# The relay has read what would fill the queue, and an error that is on its way behind a queue may come first.
EXCEPTIONS = ("no_room", "reset_with_a_queue")
# The relay takes more than a full socket, at once. What it holds has no control messages, and no mark of
# urgent data. A datagram that is cut to 64 KB is not too large.
SOCKET_EXCEPTIONS = (
    *("lingers", "close_nowait", "credentials", "rights", "bad_rights", "out_of_band"),
    *("abort_order", "abort_order_owner", "connect_local_full", "local_refused", "abstract"),
)


@pytest.mark.parametrize(
    ("rules", "reference", "groups", "exceptions"),
    [
        (DIRECT, "inet", ["xc_send", "xc_recv", "xc_udp"], ()),
        (
            STAGED,
            "inet",
            ["xc_connect", "xc_send", "xc_close", "xc_recv", "xc_udp", "xc_local_udp"],
            EXCEPTIONS,
        ),
        (DIRECT, "socket", SOCKET_GROUPS, ()),
        (STAGED, "socket", SOCKET_GROUPS, SOCKET_EXCEPTIONS),
    ],
    ids=["direct", "staged", "socket_direct", "socket_staged"],
)
def test_corpus(
    rules: str,
    reference: str,
    groups: list[str],
    exceptions: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, description = tmp_path / "rows.json", tmp_path / "net.py"
    description.write_text(rules)
    monkeypatch.setenv("INETPY_NETWORK", str(description))
    command = ["-run", "inetpy_xc", "main", str(out), f"{reference},inetpy", *groups]
    with erl(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as node:
        output, _ = node.communicate(timeout=250)
    assert node.returncode == 0, output.decode()
    assert_equal([row for row in read_rows(out) if row["name"] not in exceptions])
