"""`inetpy crosscheck`: the command, its page, and scenarios of a user's own."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

# `node` and `inetpy` agree with inet; the second scenario shows what differs by nature.
MINE = """
-module(mine).
-export([scenarios/0]).
scenarios() ->
    [
        {echo, "An echo.", fun(B) ->
            {S, P} = xc:pair(B, []),
            ok = gen_tcp:send(P, "hello"),
            gen_tcp:recv(S, 5, 5000)
        end},
        {port, "Whether a socket is a <port>.", fun(B) ->
            {S, _} = xc:pair(B, []),
            is_port(S)
        end},
        {night, "What is not to be had by day.", fun(_) ->
            xc:attempt(fun() -> xc:skip("the sun is <up>") end)
        end}
    ].
"""


def crosscheck(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "inetpy", "crosscheck", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=250)


@pytest.fixture
def mine(tmp_path: Path) -> str:
    source = tmp_path / "mine.erl"
    source.write_text(MINE)
    return str(source)


def test_corpus_on_all_backends(tmp_path: Path) -> None:
    """One group on each backend: ours agree, OTP's socket backend differs in places."""
    done = crosscheck("--backends", "socket,inetpy,node", "--json", "listen")
    report = json.loads(done.stdout)
    assert report["backends"] == ["inet", "socket", "inetpy", "node"]
    assert len(report["rows"]) > 20
    for row in report["rows"]:
        seen = row["observations"]
        assert seen["inetpy"] == seen["inet"]
        assert seen["node"] in (seen["inet"], seen.get("inet again"))
    [row] = [row for row in report["rows"] if row["name"] == "in_use_reuseaddr"]
    assert row["documented"] == ["reuseaddr: refused by default, and allowed with it"]
    assert any(row["observations"]["socket"] != row["observations"]["inet"] for row in report["rows"])
    assert done.returncode == 1


def test_all_agree() -> None:
    done = crosscheck("listen")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "listen" in done.stdout


def test_scenarios_of_a_user(mine: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = crosscheck("--backends", "inetpy,node", "--scenario", mine, "--html", str(page))
    assert done.returncode == 1
    assert "mine: port" in done.stdout
    assert "mine: echo" not in done.stdout
    text = page.read_text()
    HTMLParser().feed(text)
    assert text.count("<details") == 3
    assert text.count('class="skipped"') == 1
    assert "skipped: the sun is <up>" in done.stdout
    assert text.count('class="differs"') == 1
    assert "Whether a socket is a &lt;port&gt;." in text
    assert "http" not in text  # it needs nothing else


def test_skipped_on_one_backend(tmp_path: Path) -> None:
    """That hides no difference of another."""
    source = tmp_path / "half.erl"
    source.write_text(
        "-module(half).\n-export([scenarios/0]).\n"
        'scenarios() -> [{half, "Not on all.", fun(#{name := inetpy}) -> xc:skip("not there");'
        " (B) -> B end}].\n"
    )
    done = crosscheck("--backends", "inetpy,node", "--scenario", str(source), "--json")
    assert done.returncode == 1
    [row] = json.loads(done.stdout)["rows"]
    assert row["skipped"] == {"inetpy": "not there"}
    assert crosscheck("--backends", "inetpy", "--scenario", str(source)).returncode == 0


def test_scenario_that_does_not_compile(tmp_path: Path) -> None:
    source = tmp_path / "broken.erl"
    source.write_text("-module(broken).\nno code")
    done = crosscheck("--scenario", str(source))
    assert done.returncode == 1
    assert "broken.erl" in done.stderr


def test_unknown_backend() -> None:
    done = crosscheck("--backends", "inetpy,carrier_pigeon")
    assert done.returncode == 1
    assert "no such backend: carrier_pigeon" in done.stderr


def test_unknown_group() -> None:
    done = crosscheck("no_such_group")
    assert done.returncode == 2


def test_random() -> None:
    done = crosscheck("--random", "12", "--seed", "90000")
    assert done.returncode == 0, done.stdout
    assert "12 sequences from seed 90000, 0 different" in done.stdout


def test_random_on_chosen_backends() -> None:
    """OTP's socket backend is another: a difference is shrunk to a few operations."""
    done = crosscheck("--backends", "socket,node", "--random", "1", "--seed", "90001")
    assert done.returncode == 1
    socket, node = done.stdout.split("random sequences on inet and node")
    assert "{socket," in socket
    assert "1 sequences from seed 90001, 0 different" in node
