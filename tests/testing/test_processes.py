"""However a run of pytest ends: no node, no Python, and no folder is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from project import PATIENCE, Project

pytest_plugins = ["of_project"]

# The tests of a user write a file when they are in the middle of a call.
HANGS = """
import pathlib
import pytest

def test_fine(erlang):
    assert erlang.eval("1 + 1") == 2

def test_hangs(erlang):
    peer = erlang.peer("other")
    erlang.call("file", "write_file", b"reached", b"")
    peer.eval("receive after infinity -> ok end", timeout=None)
"""
FAILS = """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_fails(erlang, number):
    assert erlang.eval("1 + 1") == 3
"""


def _await_file(project: Project, run: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not (project.folder / "reached").exists():
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_after_the_last_test(project: Project) -> None:
    project.write("test_it.py", FAILS.replace("== 3", "== 2"))
    assert project.run().outcomes() == {"passed": 3}
    project.await_no_process()
    assert project.leftovers() == []


def test_after_the_first_failure(project: Project) -> None:
    project.write("test_it.py", FAILS)
    assert project.run("-x").outcomes() == {"failed": 1}
    project.await_no_process()
    assert project.leftovers() == []


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_after_an_interrupt(project: Project, more: list[str]) -> None:
    """Ctrl-C goes to all processes of a terminal. The nodes do not get it, and end when pytest does."""
    project.write("test_it.py", HANGS)
    with project.start(*more) as run:
        _await_file(project, run)
        os.killpg(run.pid, signal.SIGINT)
        output, _ = run.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in output
    project.await_no_process()
    assert project.leftovers() == []


@pytest.mark.parametrize("more", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_after_a_kill(project: Project, more: list[str]) -> None:
    """Nothing of pytest can tidy up. Nodes see the end of their link, and remove the folder of its socket.

    The other worker of pytest-xdist may have a folder, and no node yet.
    """
    project.write("test_it.py", HANGS)
    with project.start(*more) as run:
        _await_file(project, run)
        os.killpg(run.pid, signal.SIGKILL)
        run.communicate(timeout=PATIENCE)
    project.await_no_process()
    assert len(project.leftovers()) <= (1 if more else 0)


def test_killed_while_the_node_starts(project: Project) -> None:
    """The node is killed by nobody: it finds nobody to connect to, or loses its link at once."""
    project.write(
        "test_it.py",
        "import os, signal, inetpy.testing.node as node\n"
        "class Killed(node.Emulator):\n"
        "    def __init__(self, *rest):\n"
        "        super().__init__(*rest)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "node.Emulator = Killed\n"
        "def test(erlang): pass\n",
    )
    with project.start() as run:
        run.communicate(timeout=PATIENCE)
    assert run.returncode == -signal.SIGKILL
    project.await_no_process()


def test_xdist(project: Project) -> None:
    """Each worker has a node and a network of its own, and all have the same seed."""
    project.write(
        "test_it.py",
        "import os, pytest\n"
        "from inetpy import Atom\n"
        "from inetpy.testing import charlist\n"
        '@pytest.mark.parametrize("number", range(8))\n'
        "def test(erlang, network, number):\n"
        '    network.static("server.test", 80, b"%d" % os.getpid())\n'
        "    options = [Atom('binary'), (Atom('active'), False)]\n"
        "    socket = erlang.call('gen_tcp', 'connect', charlist('server.test'), 80, options)\n"
        "    assert int(erlang.call('gen_tcp', 'recv', socket[1], 0)[1]) == os.getpid()\n"
        '    with open(f"seen-{os.getpid()}", "a") as file:\n'
        '        file.write(f"{network.seed} {erlang.os_pid}\\n")\n',
    )
    assert project.run("-n", "2").outcomes() == {"passed": 8}
    seen = [set(file.read_text().splitlines()) for file in project.folder.glob("seen-*")]
    lines = [line.split() for one in seen for line in one]
    assert len({seed for seed, _ in lines}) == 1
    assert len({node for _, node in lines}) == len(seen) == len(lines)


def test_under_inetpy_run(project: Project) -> None:
    """Flags of the environment put the node on inetpy too. It is on the network of the test all the same."""
    project.write(
        "test_it.py",
        "def test_it(erlang, network):\n"
        "    network.static('server.test', 80, b'hello')\n"
        "    socket = erlang.eval('{ok, S} = gen_tcp:connect(\"server.test\", 80, [{active, false}]), S')\n"
        "    assert str(erlang.eval('{ok, D} = gen_tcp:recv(S, 5), D', S=socket)) == 'hello'\n",
    )
    command = [str(Path(sys.executable).parent / "inetpy"), "run", "--", sys.executable, "-m", "pytest"]
    done = subprocess.run(
        command, check=False, cwd=project.folder, capture_output=True, text=True, timeout=PATIENCE
    )
    assert "1 passed" in done.stdout, done.stdout
