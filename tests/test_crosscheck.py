"""`inetpy crosscheck`: the command, its HTML page, and scenarios of a user."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conftest import EBIN, TOP
from inetpy import cli
from inetpy.tools.crosscheck import Options, run
from inetpy.tools.examples import EXAMPLES

HARNESS = ["xc.erl", *(f"inetpy_xc{name}.erl" for name in ("", "_random", "_sequences", "_datagrams"))]

# `node` and `inetpy` agree with inet in the first scenario. In the second they must differ.
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
    """One group on each backend: inetpy agrees with inet, OTP's socket backend differs in places."""
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
    assert "http" not in text  # the page loads nothing


def test_a_difference_by_chance(tmp_path: Path) -> None:
    """A scenario that differs is run again. When it is equal then, it is reported, and counts as equal."""
    source = tmp_path / "moody.erl"
    source.write_text("""
        -module(moody).
        -export([scenarios/0]).
        scenarios() -> [{mood, "Differs once.", fun(#{name := Backend}) -> mood(Backend, get_mood()) end}].
        get_mood() -> persistent_term:get(moody, fresh).
        mood(inetpy, fresh) -> persistent_term:put(moody, settled), fresh;
        mood(_, _) -> settled.
    """)
    done = crosscheck("--scenario", str(source))
    assert done.returncode == 0, done.stdout
    assert "unsteady: moody: mood" in done.stdout
    assert "{returned,fresh}" in done.stdout


def test_a_long_observation(tmp_path: Path) -> None:
    """Its beginning is printed, and --json has all of it."""
    text = one("fun(#{name := N}) -> {N, lists:duplicate(100000, $x)} end")
    done = crosscheck("--scenario", written(tmp_path, text))
    assert done.returncode == 1
    assert "... and " in done.stdout
    assert " characters more, which --json has" in done.stdout.replace("\n", " ")
    assert 4000 < done.stdout.count("x") < 10_000
    [row] = json.loads(crosscheck("--scenario", written(tmp_path, text), "--json").stdout)["rows"]
    assert row["observations"]["inetpy"].count("x") == 100_000


def test_exceptions_in_memory(tmp_path: Path, mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A scenario that is listed may differ in memory. One that is listed and equal is reported."""
    for source in HARNESS:
        shutil.copy(TOP / "erl" / "test" / source, tmp_path)
    ours = Options(ebin=EBIN, tests=tmp_path, backends=["memory"], groups=[], scenario=Path(mine))
    port, echo = (
        f'[[scenario]]\ngroup = "mine"\nname = "{name}"\nreason = "{name}"\n' for name in ("port", "echo")
    )
    listed = tmp_path / "not_in_memory.toml"
    listed.write_text(port + echo)
    assert run(ours) == 1
    printed = capsys.readouterr().out
    assert "mine: port" not in printed
    assert printed.partition("mine: echo")[2].count("listed in not_in_memory.toml, but equal") == 1
    assert "1 not in memory: port" in printed
    listed.write_text(port + echo + "depends = true\n")
    assert run(ours) == 0


def test_skipped_on_one_backend(tmp_path: Path) -> None:
    """A scenario that is skipped on one backend is still compared on the others."""
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


def scenario(body: str) -> str:
    return f"-module(one).\n-export([scenarios/0]).\n{body}"


def one(fun: str) -> str:
    return scenario(f'scenarios() -> [{{one, "One.", {fun}}}].\n')


def written(folder: Path, text: str) -> str:
    source = folder / "one.erl"
    source.write_text(text)
    return str(source)


FAULTS = {
    "undefined": (one("fun(_) -> no_such:thing(1) end"), "there is no function no_such:thing/1"),
    "undefined in another": (
        one("fun(_) -> xc:await(xc:spawn_call(fun() -> no_such:thing() end)) end"),
        "there is no function no_such:thing/0",
    ),
    "undefined, told by a message": (
        one("fun(_) -> spawn_monitor(fun() -> no_such:thing() end), timer:sleep(100) end"),
        "there is no function no_such:thing/0",
    ),
    "its own match": (
        one("fun(B) -> {ok, _} = xc:connect(B, {127, 0, 0, 1}, xc:dead_port(), []) end"),
        "one:'-scenarios/0-fun-0-'/1 fails with {badmatch,{error,econnrefused}}",
    ),
    "a match of xc": (one("fun(B) -> xc:listen(B, 0, [{ip, {192, 0, 2, 1}}]) end"), "xc:listen/3 fails with"),
    "an exit": (one("fun(_) -> exit(mine) end"), "/1 fails with mine"),
    "the language": (one("fun(_) -> binary:part(<<>>, 0, 1) end"), "/1 fails with badarg"),
    "a linked process": (
        one("fun(_) -> spawn_link(fun() -> ok = self() end), timer:sleep(9000) end"),
        "/0 fails with {badmatch,",
    ),
}


@pytest.mark.parametrize(("text", "why"), FAULTS.values(), ids=FAULTS)
def test_fault_of_a_scenario(text: str, why: str, tmp_path: Path) -> None:
    """A scenario with a bug of its own is an error, although it fails equally on all backends."""
    done = crosscheck("--scenario", written(tmp_path, text), "--json")
    assert done.returncode == 2, done.stderr
    [row] = json.loads(done.stdout)["rows"]
    assert why in row["fault"]
    assert row["equal"] is False


def test_fault_is_printed(tmp_path: Path) -> None:
    page = tmp_path / "new" / "page.html"
    text, why = FAULTS["undefined"]
    done = crosscheck("--scenario", written(tmp_path, text), "--html", str(page))
    assert done.returncode == 2
    assert f"the scenario itself fails: {why}" in done.stdout
    assert why in page.read_text()
    assert 'class="differs"' in page.read_text()


@pytest.mark.parametrize(
    "fun",
    [
        "fun(_) -> xc:attempt(fun() -> no_such:thing() end) end",
        "fun(B) -> {S, _} = xc:pair(B, []), gen_tcp:controlling_process(S, not_a_process) end",
        "fun(B) -> gen_tcp:listen(0, xc:options(B, [{backlog, none}])) end",
        "fun(B) -> {S, _} = xc:pair(B, []), gen_tcp:recv(S, none) end",
    ],
)
def test_failures_that_are_observations(fun: str, tmp_path: Path) -> None:
    """A failed call of the backend is an observation, and so is a failure inside xc:attempt."""
    done = crosscheck("--scenario", written(tmp_path, one(fun)), "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["rows"][0]["fault"] is None


CANNOT = {
    "no such backend": (["--backends", "inetpy,carrier_pigeon"], "no such backend: carrier_pigeon"),
    "no other backend": (["--backends", "inet"], "nothing to compare"),
    "no such group": (["no_such_group"], "no such group: no_such_group; there are connect,"),
    "no such file": (["--scenario", "no_such.erl"], "no such file: no_such.erl"),
    "no place": (["--html", "/dev/null/page.html", "listen"], "/dev/null/page.html cannot be written"),
}


@pytest.mark.parametrize(("arguments", "why"), CANNOT.values(), ids=CANNOT)
def test_cannot_run(arguments: list[str], why: str) -> None:
    """One line says why, and no crash dump is left."""
    done = crosscheck(*arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("-module(one).\nno code", "one.erl"),
        ("-module(one).\n", "one:scenarios/0 fails"),
        (scenario("scenarios() -> none."), "one:scenarios/0 gives no list: none"),
        (scenario("scenarios() -> [{one, two}]."), "gives what is no {Name, Statement, Fun}: {one,two}"),
        (scenario("scenarios() -> exit(mine)."), "mine"),
    ],
)
def test_no_scenarios(text: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path, text)
    monkeypatch.chdir(tmp_path)
    done = crosscheck("--scenario", source)
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "erl_crash.dump").exists()


def test_where_nothing_is_compiled(tmp_path: Path, mine: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The harness and the requested groups are compiled from the source tree."""
    for source in (*HARNESS, "xc_listen.erl"):
        shutil.copy(TOP / "erl" / "test" / source, tmp_path)
    ours = Options(ebin=EBIN, tests=tmp_path, backends=["inetpy"], groups=[], json=True)
    assert run(replace(ours, scenario=Path(mine))) == 1
    assert len(json.loads(capsys.readouterr().out)["rows"]) == 3
    assert run(replace(ours, groups=["xc_listen"])) == 0
    assert run(replace(ours, random=1)) == 0
    shutil.rmtree(tmp_path)
    capsys.readouterr()
    assert run(ours) == 2
    assert "the scenarios are not here" in capsys.readouterr().err


def test_help_has_examples() -> None:
    """Every verb has examples, and each example is a valid command."""
    parser = cli._parser()
    assert "examples:" in parser.format_help()
    for verb, pairs in EXAMPLES.items():
        done = subprocess.run(
            [sys.executable, "-m", "inetpy", verb, "--help"], check=True, capture_output=True, text=True
        )
        for command, purpose in pairs:
            assert command in done.stdout
            assert purpose in done.stdout
            words = shlex.split(re.split("[>|]", command)[0])
            if words[0] == "inetpy":
                assert parser.parse_args(words[1:])


def test_random() -> None:
    done = crosscheck("--random", "12", "--seed", "90000")
    assert done.returncode == 0, done.stdout
    for api in ("gen_tcp", "gen_udp"):
        assert f"{api}: 12 sequences from seed 90000, 0 different" in done.stdout


def test_random_in_memory() -> None:
    done = crosscheck("--backends", "memory", "--random", "8", "--seed", "90100")
    assert done.returncode == 0, done.stdout
    for api in ("gen_tcp", "gen_udp"):
        assert f"{api}: 8 sequences from seed 90100, 0 different" in done.stdout


def test_random_on_chosen_backends() -> None:
    """On OTP's socket backend there is a difference, which is shrunk to a few operations."""
    done = crosscheck("--backends", "socket,node", "--random", "1", "--seed", "90004")
    assert done.returncode == 1
    socket, node = done.stdout.split("random sequences on inet and node")
    assert "\nsocket: " in socket
    assert "gen_tcp: 1 sequences from seed 90004, 0 different" in node
