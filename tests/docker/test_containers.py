"""docker-compose.yml: a node without a network downloads through the Python half in another container.

The tests run in the order of the file, on an engine of their own, without a registry and without a network.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine import BASE, PROJECT, CommandError, Docker, EngineError, engine, make_base, missing

from conftest import TOP

PAGE = (TOP / "docker" / "www" / "index.html").read_text().strip()
GOT = f"http://web:8080/: {len(PAGE) + 1} bytes: {PAGE}"
DOCS = (TOP / "docs" / "containers.md").read_text()
SERVICES = ("app", "net", "web")


@pytest.fixture(scope="module")
def docker() -> Iterator[Docker]:
    """An engine with the base image, or the tests are skipped."""
    if reason := missing():
        pytest.skip(reason)
    base = TOP / "_build" / "docker" / "base.tar"
    print("\n== Docker engine ==", flush=True)
    # A short name: containerd's sockets are in this folder.
    folder = Path(tempfile.mkdtemp(prefix="inetpy-"))
    try:
        with engine(folder) as docker:
            if not base.exists():
                print("== base image from Debian's packages (once) ==", flush=True)
                make_base(base)
            docker.load(base)
            yield docker
    except EngineError as error:
        pytest.skip(f"no Docker engine runs here: {error}")


@pytest.fixture
def project(docker: Docker) -> Iterator[Docker]:
    """The project without containers and volumes, before and after."""
    yield docker
    docker.compose("down", "--volumes")


def wait(condition: Callable[[], bool], what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.1)


def state(docker: Docker, service: str) -> dict[str, object]:
    found = json.loads(docker.run("inspect", "--format", "{{json .State}}", f"{PROJECT}_{service}_1"))
    assert isinstance(found, dict)
    return found


def lines(docker: Docker, service: str) -> list[str]:
    """What the service has printed."""
    return docker.run("logs", f"{PROJECT}_{service}_1").splitlines()


def wait_for_line(docker: Docker, text: str, after: int = 0) -> int:
    """Waits until the app prints a line with the text. The number of its lines until then."""
    wait(
        lambda: any(text in line for line in lines(docker, "app")[after:]),
        lambda: lines(docker, "app")[after:],
    )
    return len(lines(docker, "app"))


def test_build(docker: Docker) -> None:
    """The images are built without a network, are small, and do not run as root."""
    print("== images ==", flush=True)
    docker.compose("build")
    base = int(docker.run("image", "inspect", "--format", "{{.Size}}", BASE))
    for service in SERVICES:
        [image] = json.loads(docker.run("image", "inspect", f"inetpy_{service}"))
        assert image["Config"]["User"] == "inetpy"
        assert image["Size"] - base < 20e6, service


def test_contents(docker: Docker) -> None:
    """The image `app` has the beams of inetpy and not its Python; `net` has the Python and no beams."""
    options = ("--network", "none", "--user", "root", "--rm", "--pull", "never")
    search = ("find", "/", "-xdev", "-name", "*inetpy*")
    paths = {
        service: docker.run("run", *options, f"{PROJECT}_{service}", *search).split() for service in SERVICES
    }
    package = "/usr/lib/python3/dist-packages/inetpy"
    assert [service for service in SERVICES if package in paths[service]] == ["net"]
    beams = [service for service in SERVICES if any("inetpy_bridge.beam" in path for path in paths[service])]
    assert beams == ["app"]


def test_download(project: Docker) -> None:
    """As the first comment of docker-compose.yml says: the page comes, and all containers end in peace."""
    print("== one download ==", flush=True)
    output = project.compose("up", "--exit-code-from", "app")
    assert lines(project, "app") == [
        "network interfaces here: lo",
        "connect by a socket of the emulator: {error,econnrefused}",
        GOT,
    ]
    assert '"GET / HTTP/1.1" 200' in output
    assert all(f"    app_1  | {line}\n" in DOCS for line in lines(project, "app"))
    assert [state(project, service)["ExitCode"] for service in SERVICES] == [0, 0, 0]


def test_failed_download(project: Docker) -> None:
    """Without a page the status is 1. The name is known to `net` only, and no server has this port there."""
    project.compose("up", "--detach", URL="http://web:8081/")
    wait(lambda: not state(project, "app")["Running"], lambda: lines(project, "app"))
    assert state(project, "app")["ExitCode"] == 1
    assert "econnrefused" in lines(project, "app")[-1]


def test_another_user(project: Docker) -> None:
    """A user who may not open the socket is told so."""
    text = (
        "inetpy: the bridge unix:/run/inetpy/bridge: permission denied: "
        "the server has to give it a group: ?mode=660&group=NAME"
    )
    assert f"    {text}\n" in DOCS
    project.compose("up", "--detach", "web")
    with pytest.raises(CommandError, match=re.escape(text)):
        project.compose("run", "-T", "--rm", "--no-deps", "--user", "12345", "app")


def test_app_first(project: Docker) -> None:
    """The node may start before the Python half is there."""
    print("== in another order ==", flush=True)
    project.compose("up", "--detach", "--no-deps", "app", EVERY="200")
    before = wait_for_line(project, "/run/inetpy/bridge: no such file or directory")
    project.compose("up", "--detach", EVERY="200")
    wait_for_line(project, GOT, before)


def test_net_is_killed(project: Docker) -> None:
    """The node goes on, and downloads again when `net` is back. All end when they are stopped."""
    print("== net is killed ==", flush=True)
    project.compose("up", "--detach", EVERY="200")
    before = wait_for_line(project, GOT)
    started = state(project, "app")["StartedAt"]
    project.run("kill", f"{PROJECT}_net_1")
    before = wait_for_line(project, "{inetpy,down,", before)
    project.compose("restart", "net", "web")
    wait_for_line(project, GOT, before)
    assert state(project, "app")["StartedAt"] == started
    project.compose("stop")
    assert [state(project, service)["ExitCode"] for service in SERVICES] == [0, 0, 0]


def test_engine_ends() -> None:
    """An engine ends with the process that started it, also by kill -9, and leaves no mount."""
    if reason := missing():
        pytest.skip(reason)
    print("== what is left ==", flush=True)
    script = "import os, sys; from pathlib import Path; from engine import engine"
    script += "\nwith engine(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    with tempfile.TemporaryDirectory(prefix="inetpy-") as folder:
        done = subprocess.run(
            [sys.executable, "-c", script, folder],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=120,
        )
        if "EngineError" in done.stderr:
            pytest.skip(f"no Docker engine runs here: {done.stderr}")
        assert done.returncode == -signal.SIGKILL, done.stderr
        wait(lambda: not processes_with(folder), lambda: processes_with(folder))
        assert folder not in Path("/proc/self/mounts").read_text()


def processes_with(argument: str) -> list[str]:
    """The command lines that name it."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_text(errors="replace").replace("\0", " "))
        except OSError:
            pass  # it has just ended
    return [line for line in found if argument in line]
