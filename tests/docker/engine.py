"""A Docker engine of the tests' own, and the image that stands for Debian's.

The engine needs no network and no registry. It has no image but the one that mmdebstrap makes from Debian's
packages, so what is built on it must find its packages there.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import TOP

__all__ = [
    "BASE",
    "PROJECT",
    "CommandError",
    "Docker",
    "EngineError",
    "engine",
    "groups",
    "make_base",
    "missing",
]

# The name of the image on which the Dockerfile builds.
BASE = "inetpy-base"
PROJECT = "inetpy"
PACKAGES = ("erlang-base", "erlang-inets", "python3")
PROGRAMS = ("docker", "dockerd", "docker-compose", "mmdebstrap", "unshare", "setpriv", "ip")
# What nobody reads in a container.
UNREAD = ("/usr/share/doc/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/man/*")
CGROUPS = Path("/sys/fs/cgroup")


class EngineError(Exception):
    """No engine runs here: the end of what it has logged, or what it cannot do."""


class CommandError(Exception):
    """A command has failed: its status and its output."""


def missing() -> str | None:
    """Why no engine can be started here, or None."""
    if os.geteuid() != 0:
        return "a Docker engine needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}; `scripts/debian.sh docker` installs them" if absent else None


def make_base(file: Path) -> None:
    """Makes a file system of Debian with the packages, as a tar file; what is there already is kept."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part.tar")
    unread = [f"--dpkgopt=path-exclude={pattern}" for pattern in UNREAD]
    include = f"--include={','.join(PACKAGES)}"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", include, *unread, "bookworm", str(part)]
    subprocess.run(command, check=True, timeout=600)
    part.rename(file)


@dataclass(frozen=True)
class Docker:
    """An engine that runs, and the project of docker-compose.yml on it."""

    host: str
    config: Path

    @property
    def _environment(self) -> dict[str, str]:
        # The builder that is part of every engine.
        own = {"DOCKER_HOST": self.host, "DOCKER_CONFIG": str(self.config), "DOCKER_BUILDKIT": "0"}
        return os.environ | own | {"INETPY_BASE": BASE, "COMPOSE_DOCKER_CLI_BUILD": "0"}

    def run(self, *arguments: str, timeout: float = 120) -> str:
        """What `docker` prints. Raises CommandError."""
        return self._run(["docker", *arguments], timeout, {})

    def compose(self, *arguments: str, timeout: float = 240, **variables: str) -> str:
        """What docker-compose prints, called as by a user in the top folder. Raises CommandError."""
        command = ["docker-compose", "--ansi", "never", "--project-name", PROJECT, *arguments]
        return self._run(command, timeout, variables)

    def load(self, base: Path) -> None:
        """Imports the base image. Raises EngineError where no container with a network can run on it."""
        try:
            self.run("import", str(base), BASE)
            self.run("network", "create", "tried")
            self.run("run", "--rm", "--pull", "never", "--network", "tried", BASE, "true")
            self.run("network", "rm", "tried")
        except CommandError as error:
            raise EngineError(str(error)) from None

    def _run(self, command: list[str], timeout: float, variables: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=TOP,
            env=self._environment | variables,
            timeout=timeout,
        )
        if done.returncode != 0:
            raise CommandError(f"{' '.join(command)}: status {done.returncode}: {done.stdout}")
        return done.stdout


@contextmanager
def engine(folder: Path) -> Iterator[Docker]:
    """An engine with nothing in it, whose files are in the folder, which is removed.

    The containers end with the engine. Raises EngineError if it does not run.
    """
    group = f"inetpy-{os.getpid()}"
    host = f"unix://{folder}/engine"
    log = folder / "engine.log"
    command = [str(Path(__file__).with_name("engine.sh")), "--data-root", str(folder / "data")]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--cgroup-parent", f"/{group}", "--host", host],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        docker = Docker(host, folder)
        _wait(docker, process, log)
        yield docker
    finally:
        process.kill()
        process.wait()
        _remove_groups(group)
        shutil.rmtree(folder)


def _wait(docker: Docker, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            docker.run("version")
        except CommandError:
            time.sleep(0.1)
        else:
            return
    raise EngineError(log.read_text(errors="replace")[-2000:])


def groups(name: str) -> list[Path]:
    """The control groups with this name: version 1 has one for each controller."""
    return [*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}")]


def _remove_groups(name: str) -> None:
    """Removes the control groups of an engine, as soon as the last of its processes has ended."""
    deadline = time.monotonic() + 60
    for top in groups(name):
        inside = [path for path in top.rglob("*") if path.is_dir()]
        for group in (*sorted(inside, reverse=True), top):
            while not _is_removed(group):
                assert time.monotonic() < deadline, f"processes are left in {group}"
                time.sleep(0.05)


def _is_removed(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError as error:
        return error.errno == errno.ENOENT
    return True
