"""A node in a network namespace without any address, and `inetpy serve` in another one.

The program is that of the containers (docker/app.erl), and so is the web server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import EBIN, TOP

PAGE = TOP / "docker" / "www"
START = "{ok, _} = application:ensure_all_started(inetpy)."
DOWNLOAD = "{ok, _} = application:ensure_all_started(app)."
LISTEN = """
    {ok, L} = gen_tcp:listen(7000, []),
    io:format("listening~n"),
    {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(S, "hello"),
    halt().
"""
CLIENT = "import socket; print(socket.create_connection(('127.0.0.1', 7000)).recv(5))"
TOOLS = ("ip", "nsenter", "unshare")
LONG = 60.0

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or any(shutil.which(tool) is None for tool in TOOLS), reason="needs root and iproute2"
)


class Worlds:
    """The two namespaces. What runs in them ends with the test."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.url = f"unix:{folder}/bridge"
        self.web = self._start(
            "web",
            ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'],
            [
                sys.executable,
                "-u",
                "-m",
                "http.server",
                "--bind",
                "127.0.0.1",
                "--directory",
                str(PAGE),
                "8080",
            ],
        )
        self.wait_for("web", "Serving HTTP")

    def beside_web(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A Python in the namespace of the web server."""
        inside = ["nsenter", f"--net=/proc/{self.web.pid}/ns/net"]
        return self._start(name, inside, [sys.executable, *arguments])

    def serve(self) -> subprocess.Popen[bytes]:
        return self.beside_web("serve", "-m", "inetpy", "serve", self.url)

    def node(self, program: str = DOWNLOAD, **variables: str) -> subprocess.Popen[bytes]:
        """The node, in a namespace in which not even the loopback interface is up."""
        flags = ["-pa", str(EBIN), "-pa", str(self.folder), "-inetpy", "install", "true"]
        command = ["erl", "-noshell", *flags, "-eval", START, "-eval", program]
        return self._start("node", ["unshare", "--net"], command, **variables)

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def wait_for(self, name: str, text: str, after: int = 0) -> int:
        """Waits until the program prints a line with the text. The number of its lines until then."""
        wait(lambda: any(text in line for line in self.lines(name)[after:]), lambda: self.lines(name))
        return len(self.lines(name))

    def _start(
        self, name: str, inside: list[str], command: list[str], **variables: str
    ) -> subprocess.Popen[bytes]:
        known = {"INETPY_BRIDGE": self.url, "URL": "http://localhost:8080/", "ERL_CRASH_DUMP_BYTES": "0"}
        with (self.folder / name).open("ab") as output:
            process = subprocess.Popen(
                [*inside, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | known | variables,
            )
        self._stack.callback(end, process)
        return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def wait(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


@pytest.fixture
def worlds(tmp_path: Path) -> Iterator[Worlds]:
    subprocess.run(
        ["erlc", "-Werror", "-Wall", "-o", str(tmp_path), str(TOP / "docker" / "app.erl")], check=True
    )
    shutil.copy(TOP / "docker" / "app.app", tmp_path)
    with ExitStack() as stack:
        yield Worlds(tmp_path, stack)


def got() -> str:
    page = (PAGE / "index.html").read_text()
    return f"http://localhost:8080/: {len(page)} bytes: {page.strip()}"


def test_download(worlds: Worlds) -> None:
    """The node has no network, and `localhost` is that of the Python half."""
    worlds.serve()
    worlds.wait_for("serve", worlds.url)
    node = worlds.node()
    assert node.wait(LONG) == 0
    assert worlds.lines("node") == [
        "network interfaces here: lo",
        "connect by a socket of the emulator: {error,enetunreach}",
        got(),
    ]
    assert any('"GET / HTTP/1.1" 200' in line for line in worlds.lines("web"))


def test_listener(worlds: Worlds) -> None:
    """A listener of the node is a listener in the other namespace."""
    worlds.serve()
    worlds.wait_for("serve", worlds.url)
    node = worlds.node(LISTEN)
    worlds.wait_for("node", "listening")
    assert worlds.beside_web("client", "-c", CLIENT).wait(LONG) == 0
    assert worlds.lines("client") == ["b'hello'"]
    assert node.wait(LONG) == 0


def test_order(worlds: Worlds) -> None:
    """The node may be there first, and stays when the Python half is killed and another one comes."""
    node = worlds.node(EVERY="100")
    seen = worlds.wait_for("node", "{inetpy,down,")
    serve = worlds.serve()
    seen = worlds.wait_for("node", got(), seen)
    end(serve)
    seen = worlds.wait_for("node", "{inetpy,down,", seen)
    worlds.serve()
    worlds.wait_for("node", got(), seen)
    assert node.poll() is None


def test_page() -> None:
    """The commands of docs/containers.md; what they make is not seen outside."""
    text = (TOP / "docs" / "containers.md").read_text()
    found = re.search(r"^    ip netns add.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    connect = "ip netns exec net bash -c ': </dev/tcp/127.0.0.1/8080' 2>/dev/null"
    ready = f"until [ -S /run/bridge ] && {connect}; do sleep 0.1; done"
    commands = found[0].replace("export ", f"{ready}\nexport ")
    script = f"set -e\nmount -t tmpfs none /run\n{commands}"
    alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*alone, "bash", "-c", script], check=False, capture_output=True, text=True, cwd=TOP, timeout=LONG
    )
    assert done.returncode == 0, done.stderr
    assert (PAGE / "index.html").read_text() in done.stdout
