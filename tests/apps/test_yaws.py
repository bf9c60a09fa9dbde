"""Yaws, unmodified, serves files from Python sockets. Run by `make test-apps`."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import assert_listens_in_python, free_port, running

pytestmark = pytest.mark.skipif(shutil.which("yaws") is None, reason="Yaws is not installed")

# bytes; the last is larger than the cache of Yaws, so Yaws sends it with file:sendfile
SIZES = {"empty.bin": 0, "small.txt": 20, "page.html": 30_000, "large.bin": 20_000_000}

SETTINGS = """\
logdir = {folder}/log
ebin_dir = {folder}
include_dir = {folder}
max_connections = nolimit
<server localhost>
    port = {port}
    listen = 127.0.0.1
    docroot = {folder}/www
</server>
"""


@dataclass
class Site:
    port: int
    root: Path

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("yaws")
    for name in ("www", "log"):
        (folder / name).mkdir()
    for name, size in SIZES.items():
        (folder / "www" / name).write_bytes(random.Random(size).randbytes(size))
    port = free_port()
    (folder / "yaws.conf").write_text(SETTINGS.format(folder=folder, port=port))
    command = ["yaws", "-i", "--conf", str(folder / "yaws.conf"), "--id", "inetpy"]
    with running(folder, port, command, {}):
        yield Site(port, folder / "www")


def test_listens_in_python(site: Site) -> None:
    assert_listens_in_python(site.port)


@pytest.mark.parametrize("name", SIZES)
def test_file(site: Site, name: str) -> None:
    """curl gets a file byte for byte."""
    done = subprocess.run(["curl", "--silent", "--fail", site.url(name)], check=True, capture_output=True)
    assert hashlib.sha256(done.stdout).digest() == hashlib.sha256((site.root / name).read_bytes()).digest()


def test_many_at_once(site: Site) -> None:
    """Forty transfers on twenty connections at a time, each byte for byte."""
    arguments = ["curl", "--silent", "--fail", "--parallel", "--parallel-max", "20"]
    for number in range(40):
        arguments += ["--output", f"{number}", site.url("page.html")]
    folder = site.root.parent / "many"
    folder.mkdir()
    subprocess.run(arguments, check=True, cwd=folder)
    expected = (site.root / "page.html").read_bytes()
    assert [(folder / str(number)).read_bytes() == expected for number in range(40)] == [True] * 40


def test_load(site: Site) -> None:
    """Fifty connections that send requests as fast as possible get no error."""
    command = ["wrk", "--threads", "1", "--connections", "50", "--duration", "3s", site.url("page.html")]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    requests = re.search(r"(\d+) requests in", report)
    assert requests is not None, report
    assert int(requests[1]) > 100
    assert "Socket errors" not in report
    assert "Non-2xx" not in report
