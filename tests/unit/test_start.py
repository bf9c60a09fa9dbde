"""inetpy/start.py, which runs the Python half where nothing is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inetpy import __version__, start


@pytest.mark.parametrize(
    ("installed", "printed"),
    [(None, f"inetpy {__version__}"), (__version__, "the installed one"), ("0.0.1", f"inetpy {__version__}")],
    ids=["nothing is installed", "this version is installed", "another version is installed"],
)
def test_an_installed_package_of_this_version_is_preferred(
    installed: str | None, printed: str, tmp_path: Path
) -> None:
    """Otherwise the package is used that the file is in."""
    package = tmp_path / "inetpy"
    package.mkdir()
    if installed is not None:
        (package / "__init__.py").write_text(f"__version__ = {installed!r}\n")
        (package / "cli.py").write_text("def main():\n    print('the installed one')\n    return 0\n")
    done = subprocess.run(
        [os.path.realpath(sys.executable), start.__file__, __version__, "--version"],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(tmp_path)},
    )
    assert (done.stdout.strip(), done.returncode) == (printed, 0), done.stderr


def test_an_old_python_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its exit status, and after it has read from the node: before, the node would see a broken pipe."""
    read: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "read", lambda *arguments: read.append(arguments))
    monkeypatch.setattr(start, "OLDEST", (99, 0))
    assert start.main() == start.TOO_OLD
    assert read == [(0, 1)]
