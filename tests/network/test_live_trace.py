"""`inetpy trace --live`: a node that runs is looked at for a while."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "inetpy"]
# Sends a datagram every few ms, and says once that it is there. It ends with its input.
BUSY = """
    {ok, S} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}, {active, false}]), {ok, P} = inet:port(S),
    Beat = fun() -> ok = gen_udp:send(S, {127, 0, 0, 1}, P, "beat"), {ok, _} = gen_udp:recv(S, 0) end,
    spawn_link(fun Loop() -> Beat(), timer:sleep(5), Loop() end),
    io:format("up~n"), eof = io:get_line(""), halt(0).
"""


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where bridges and the command meet. The path of a unix socket must be short; pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


@pytest.fixture
def node() -> Iterator[subprocess.Popen[bytes]]:
    """A node that is busy, with one Python."""
    command = [*COMMAND, "run", "--", "erl", "-noshell", "-eval", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == b"up\n"
        yield node
        assert node.stdin is not None
        node.stdin.close()
        assert node.wait(60) == 0


def live(*arguments: str) -> subprocess.Popen[bytes]:
    # What runs in the background ignores Ctrl-C, and so would what it starts.
    command = ["env", "--default-signal=INT", *COMMAND, "trace", "--live", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_lines_until_the_node_ends(node: subprocess.Popen[bytes]) -> None:
    with live() as command:
        assert command.stdout is not None
        lines = [json.loads(command.stdout.readline()) for _ in range(20)]
        assert {"text": "beat"} in [line.get("data") for line in lines]
        assert "recv" in [line.get("op") for line in lines]
        assert node.stdin is not None
        node.stdin.close()
        for line in command.stdout.read().splitlines():
            json.loads(line)
        assert command.wait(60) == 0


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT", "the reader"])
def test_it_ends_and_the_node_goes_on(number: str, node: subprocess.Popen[bytes]) -> None:
    """More than once, one behind the other."""

    for _ in range(2):
        with live() as command:
            assert command.stdout is not None
            assert command.stdout.readline().startswith(b"{")
            if number == "the reader":
                command.stdout.close()
            else:
                command.send_signal(getattr(signal, number))
                command.stdout.read()
            assert command.wait(60) == 0
            assert command.stderr is not None
            assert command.stderr.read() == b""
    assert node.poll() is None


def test_a_capture(node: subprocess.Popen[bytes]) -> None:
    with live("--pcapng") as command:
        tshark = ["tshark", "-r", "-", "-c", "20", "-T", "fields", "-e", "udp.payload", "-Y", "udp"]
        done = subprocess.run(tshark, check=True, stdin=command.stdout, stdout=subprocess.PIPE)
        assert command.stdout is not None
        command.stdout.close()
        assert command.wait(60) == 0
    assert b"beat".hex().encode() in done.stdout.split()
    assert node.poll() is None


def test_errors() -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run([*COMMAND, *arguments], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    assert "no node listens" in run("trace", "--live")
    assert "--live" in run("trace")
    command = [*COMMAND, "run", "--", "erl", "-inetpy", "bridges", "2", "-noshell", "-eval", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        assert node.stdout.readline() == b"up\n"
        assert "has 2 Pythons" in run("trace", "--live", "--pcapng")
        assert node.stdin is not None
        node.stdin.close()
