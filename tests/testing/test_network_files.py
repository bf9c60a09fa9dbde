"""The Common Test suite of inetpy_network."""

from __future__ import annotations

from pathlib import Path

import pytest
from frameworks import erl_run

from test_suites import run_suite


def test_suite(tmp_path: Path) -> None:
    run_suite("inetpy_network_SUITE", tmp_path, {})


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_folder_that_is_not_ascii(tmp_path: Path, locale: str) -> None:
    """In the locale C a path is a list of bytes in Erlang."""
    folder = tmp_path / "grün"
    folder.mkdir()
    (folder / "net.py").write_text('network.static("db.example", 80, b"")\n')
    does = """ok = inetpy:start(), {ok, _} = inetpy_network:load("net.py"),
        {ok, Trace} = inetpy_trace:start(#{file => "run.jsonl"}),
        {ok, _} = inetpy_trace:start(#{file => <<"b.jsonl">>}),
        Odd = [16#1F40D | ".py"], IsOdd = file:native_name_encoding() =:= latin1,
        _ = [{error, {bad_option, #{file := Odd}}} = Load(Odd)
            || IsOdd, Load <- [fun inetpy_network:load/1, fun inetpy_network:replay/1]],
        {ok, _} = inetpy_tcp:getaddr("db.example"), ok = inetpy_trace:stop(Trace), io:format("done")"""
    assert erl_run(folder, does, LC_ALL=locale) == "done"
    assert (folder / "run.jsonl").stat().st_size
    assert (folder / "b.jsonl").exists()
