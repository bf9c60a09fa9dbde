"""Shared by the tests of real programs: starting and stopping a program under `inetpy run`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """(key, certificate) for localhost."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return key, certificate


@contextmanager
def running(
    folder: Path, port: int, command: list[str], variables: dict[str, str]
) -> Iterator[dict[str, str]]:
    """Runs an Erlang program on Python sockets, with an epmd of its own, until the block ends.

    The block starts when the program listens on `port`. It gets the environment of the program, in which
    commands find it. The home of the program is `folder`; its output goes to the file `output` there.
    """
    epmd = free_port()
    variables = {
        "HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),  # `inetpy faults` finds this program, and no other
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_RELAXED_COMMAND_CHECK": "true",  # so that we can end it
    } | variables
    log = folder / "output"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "inetpy", "run", "--", *command],
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_port(port, process, log)
            yield os.environ | variables
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            assert process.stdin is not None
            process.stdin.close()
            subprocess.run(["epmd", "-port", str(epmd), "-kill"], check=False, capture_output=True)


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(log.read_text())


def assert_listens_in_python(port: int) -> None:
    """The listening socket of `port` belongs to a Python process, and to no other process."""
    assert {Path(program).name for program in _holders(port)} == {Path(sys.executable).resolve().name}


def _holders(port: int) -> set[str]:
    """The programs with a descriptor of the listening socket of a port."""
    suffix = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(suffix) and line[3] == "0A"}
    found = set()
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) in inodes:
                found.add(os.readlink(descriptor.parent.parent / "exe"))
        except OSError:
            continue  # the process has ended
    return found
