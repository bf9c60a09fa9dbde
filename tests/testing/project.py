"""A folder with tests of a user, which pytest runs in a process of its own."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
import time
from pathlib import Path

__all__ = ["ASYNCIO", "Project"]

MARK = "INETPY_TEST_MARK"
PATIENCE = 60.0  # seconds
INI = """
[pytest]
addopts = -p no:cacheprovider -p no:asyncio
filterwarnings = error
"""
# For tests of pytest-asyncio, whose option is an error without it.
ASYNCIO = ("-o", "addopts=-p no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")


class Project:
    """See the module. All processes that a run starts have a variable by which they are found."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = secrets.token_hex(8)
        self.write("pytest.ini", INI)

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """pytest, in a process group of its own, as a shell starts it.

        What runs in the background ignores Ctrl-C, and so would what it starts.
        """
        pytest = [sys.executable, "-m", "pytest", "--basetemp", str(self.folder / "temporary")]
        return subprocess.Popen(
            ["env", "--default-signal=INT", *pytest, *arguments],
            cwd=self.folder,
            env=os.environ | {MARK: self.mark, "TMPDIR": str(self.temporary())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def temporary(self) -> Path:
        folder = self.folder / "t"
        folder.mkdir(exist_ok=True)
        return folder

    def run(self, *arguments: str) -> Run:
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=PATIENCE)
        print(output)  # of a test that fails
        return Run(process.returncode, output)

    def processes(self) -> list[int]:
        """What the runs have started, and is there still."""
        wanted = f"{MARK}={self.mark}".encode()
        return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if wanted in _environment(entry)]

    def await_no_process(self) -> None:
        """Nothing is left. A node notices within moments that its test is gone."""
        deadline = time.monotonic() + PATIENCE
        while left := self.processes():
            assert time.monotonic() < deadline, [_command(process) for process in left]
            time.sleep(0.02)

    def leftovers(self) -> list[str]:
        """Folders of sockets that are still there."""
        return [entry.name for entry in self.temporary().glob("inetpy-*")]


class Run:
    """The output of a run that has ended."""

    def __init__(self, status: int, output: str) -> None:
        self.status = status
        self.output = output

    def outcomes(self) -> dict[str, int]:
        """{"passed": 2, "failed": 1}."""
        last = self.output.rstrip().splitlines()[-1]
        return {
            word: int(count) for count, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", last)
        }

    def section(self) -> str:
        """The section "inetpy" of the first failure."""
        found = re.search(r"^-+ inetpy -+\n(.*?)^(-{5,}|={5,}|_{5,})", self.output, re.DOTALL | re.MULTILINE)
        assert found is not None, self.output
        return found[1]


def _environment(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:
        return b""


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return "gone"
