"""inetpy_eunit:with_network/2, in EUnit."""

from __future__ import annotations

import re
from pathlib import Path

from frameworks import erl_run

SEED = "inetpy: seed 7 (repeat with {seed, 7})\nfaults that fired:\n"


def test_each_shape(tmp_path: Path) -> None:
    """Whatever EUnit takes as tests: each of them begins without the rules of the one before."""
    output = erl_run(tmp_path, "eunit:test({generator, unit_tests, shapes_test_}, [verbose])", "unit_tests")
    assert re.search(r"All 26 tests passed", output), output


def test_failures(tmp_path: Path) -> None:
    """Seed and faults are in the output of a failed test; the node is as before after each of the sets."""
    output = erl_run(tmp_path, "eunit:test(unit_tests, [verbose])", "unit_tests")
    assert re.search(r"stock_test\.\.\.(\[[\d.]+ s\] )?ok", output), output
    assert "-one_test_/0-" in output
    fired = "  reset(after_bytes=5) for host=db.example: once (recv of db.example:5432 at 5)\n"
    assert f'output:<<"{SEED}{fired}">>' in output, output
    killed = "  blackhole() for host=db.example: once (connect of db.example:5432)\n"
    assert f"of the test before, which was killed:\n{SEED}{killed}" in output
    assert '{network,["stranger.example is looked up, which the network does not have"]}' in output
    assert f"there is no network file no_such.py in {tmp_path} and {tmp_path}/test" in output
    assert "there is no option sead: there are network, seed and trace" in output
    assert re.search(r"Failed: 2\.  Skipped: 0\.  Passed: 28\.", output), output


def test_whole_module(tmp_path: Path) -> None:
    """A name of a module stands for its tests."""
    expression = 'eunit:test(inetpy_eunit:with_network("net.py", whole), [verbose])'
    output = erl_run(tmp_path, expression, "whole")
    assert "2 tests passed" in output, output


def test_trace(tmp_path: Path) -> None:
    """It is in `_build/inetpy`, and the output of the failed test has the path."""
    erl_run(tmp_path, "eunit:test({generator, unit_tests, traced}, [verbose])", "unit_tests")
    output = erl_run(tmp_path, "eunit:test({generator, unit_tests, traced}, [verbose])", "unit_tests")
    found = re.search(r"^trace: (.*\.pcapng)$", output, re.MULTILINE)
    assert found is not None, output
    assert Path(found[1]).parent == tmp_path / "_build" / "inetpy"
    assert b"row 1, row 2" in Path(found[1]).read_bytes()
    assert len(list((tmp_path / "_build" / "inetpy").iterdir())) == 1  # the second run has written it again
