"""Inetpy.Case, in a Mix project that depends on inetpy and has no network but this."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from frameworks import FILES, SUITES
from projects import environment, output_of, source, write

PROJECT = """
defmodule Mine.MixProject do
  use Mix.Project
  def project, do: [app: :mine, version: "1.0.0", deps: [{:inetpy, path: "../inetpy"}]]
end
"""


def mix_test(folder: Path, tests: str, others: Mapping[str, str] = MappingProxyType({})) -> str:
    """What `mix test` prints in a new project; the tests run in the order in which they stand.

    others: more files of the project, by their paths.
    """
    source(folder / "inetpy")
    mine = folder / "mine"
    helper = "ExUnit.start(seed: 0)\n"
    files = {"mix.exs": PROJECT, "test/test_helper.exs": helper, "test/case_test.exs": tests}
    write(mine, files | {f"test/{name}": text for name, text in FILES.items()} | dict(others))
    return output_of(["mix", "test"], mine, environment(folder))


def test_case(tmp_path: Path) -> None:
    """Rules of a test go with it. A failed test prints seed and faults; ExUnit's own words work."""
    output = mix_test(tmp_path, (SUITES / "case_test.exs").read_text())
    failed = re.findall(r"^  \d+\) (?:test )?(.*) \((\w+)\)$", output, re.MULTILINE)
    assert sorted(failed) == [
        ("a fault fails once", "CaseTest"),
        ("fails by time", "CaseTest"),
        ("fails strictly", "StrictCaseTest"),
    ], output
    assert re.search(r"\b10 tests, 3 failures, 1 invalid\b", output), output
    seed = "inetpy: seed 7 (repeat with {seed, 7})\nfaults that fired:\n"
    once = "reset(after_bytes=5) for host=db.* nth(1, 1): once (recv of db.example:5432 at 5)"
    assert f"{seed}  {once}\n" in output
    assert f"{seed}  blackhole() for host=db.example: once (connect of db.example:5432)\n" in output
    assert output.count("inetpy: seed") == 3
    assert "(Inetpy.Case.NetworkError) stranger.example is looked up" in output
    assert "there is no network file no.py in " in output


def test_wrong_option(tmp_path: Path) -> None:
    output = mix_test(tmp_path, "defmodule T do\n  use Inetpy.Case, colour: :red\nend\n")
    assert (
        "there is no option :colour: Inetpy.Case has :network, :seed, :trace and those of ExUnit.Case"
        in output
    )
