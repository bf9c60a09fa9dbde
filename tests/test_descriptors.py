"""`{fd, N}` and fdopen: a node started with open descriptors uses them on both backends.

As a service manager starts it, with sockets that are open already.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import pytest

ROOT = Path(__file__).resolve().parent.parent


def serve_echo(sock: socket.socket) -> None:
    with sock:
        while data := sock.recv(4096):
            sock.sendall(data)


def echoed(stack: ExitStack, family: int) -> socket.socket:
    """A connection whose peer echoes until its end."""
    if family == socket.AF_UNIX:
        mine, peer = socket.socketpair()
    else:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            mine = socket.create_connection(listener.getsockname())
            peer, _ = listener.accept()
    threading.Thread(target=serve_echo, args=(peer,), daemon=True).start()
    return stack.enter_context(mine)


def open_all(stack: ExitStack) -> dict[str, int]:
    def fresh(kind: int = socket.SOCK_STREAM) -> socket.socket:
        return stack.enter_context(socket.socket(socket.AF_INET, kind))

    def bound() -> socket.socket:
        sock = fresh(socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        return sock

    def connected() -> socket.socket:
        sock = bound()
        sock.connect(bound().getsockname())
        return sock

    descriptors: dict[str, socket.socket | BinaryIO] = {
        "listening": stack.enter_context(socket.create_server(("127.0.0.1", 0))),
        "connected": echoed(stack, socket.AF_INET),
        "active": echoed(stack, socket.AF_INET),
        "fresh": fresh(),
        "fresh_bound": fresh(),
        "unconnected": fresh(),
        "connected_again": echoed(stack, socket.AF_INET),
        "path": echoed(stack, socket.AF_UNIX),
        "family": fresh(),
        "datagram": fresh(socket.SOCK_DGRAM),
        "file": stack.enter_context(Path(sys.executable).open("rb")),  # noqa: SIM115
        "bad_option": fresh(),
        "bound_datagram": bound(),
        "fresh_datagram": fresh(socket.SOCK_DGRAM),
        "active_datagram": bound(),
        "connected_datagram": connected(),
        "datagram_file": stack.enter_context(Path(sys.executable).open("rb")),  # noqa: SIM115
    }
    return {name: thing.fileno() for name, thing in descriptors.items()}


def observe(backend: str) -> dict[str, str]:
    with ExitStack() as stack:
        descriptors = open_all(stack)
        given = [f"{name}={number}" for name, number in descriptors.items()]
        command = ["erl", "-noshell", "-pa", "erl/ebin", "-pa", "erl/test/ebin"]
        done = subprocess.run(
            [*command, "-run", "inetpy_descriptors", "main", backend, *given],
            cwd=ROOT,
            env={**os.environ, "INETPY_PYTHON": sys.executable},
            pass_fds=descriptors.values(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def can_borrow() -> bool:
    """Whether a child may look into its parent (pidfd_getfd(2)): Yama and containers can forbid it."""
    code = "import sys; from inetpy.host.linux import borrow; borrow(int(sys.argv[1]), 0)"
    done = subprocess.run([sys.executable, "-c", code, str(os.getpid())], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not can_borrow(), reason="pidfd_getfd is not allowed here")
def test_equal_to_the_stock_driver() -> None:
    stock, ours = observe("inet"), observe("inetpy")
    assert len(stock) == 21
    assert ours == stock
