"""The state machine of docs/hypothesis.md finds a client that lies. test_docs.py runs the page as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs" / "hypothesis.md").read_text()


def block(beginning: str) -> str:
    """A block of code of the page."""
    found = re.search(rf"^```\w+\n({re.escape(beginning)}.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_a_client_that_lies_is_found(tmp_path: Path) -> None:
    client, test = block("-module(kv)."), block("# test_store.py")
    honest = '{ok, <<"stored\\n">>} -> ok;\n'
    assert honest in client
    (tmp_path / "kv.erl").write_text(client.replace(honest, honest + "{error, closed} -> ok;\n"))
    more = test.replace("max_examples=50", "max_examples=2000, derandomize=True, database=None")
    assert more != test
    (tmp_path / "test_store.py").write_text(more)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_store.py"]
    done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 1, done.stdout
    steps = re.findall(r"state\.break_the_network\(schedule=(.*)\)", done.stdout)
    assert '[fault(reset(), host="kv.test")]' in steps, done.stdout
    assert re.search(r"state\.set\(key=b'a', value=b'1'\)\n", done.stdout)
