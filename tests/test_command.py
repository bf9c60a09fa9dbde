"""`inetpy run`, `inetpy doctor` and `inetpy bench`, as a user would call them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from conftest import EBIN, erl

CONVERSATION = """
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}]),
    {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect("localhost", Port, [binary, {active, false}]),
    {ok, A} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, "hello"),
    {ok, <<"hello">>} = gen_tcp:recv(A, 5),
    {error, nxdomain} = gen_tcp:connect("no-such-host.invalid", Port, []),
    {ok, _} = gen_udp:open(0),
    io:format("~p", [element(2, L)]),
    halt(3).
"""


def inetpy(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "inetpy", *arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )


def test_run_erlang() -> None:
    """The output and the status are those of the program; the figures count its sockets and calls."""
    done = inetpy("run", "--json", "--", "erl", "-noshell", "-eval", CONVERSATION)
    assert done.returncode == 3, done.stderr
    output, _, figures = done.stdout.partition("{")
    assert output == "inetpy_tcp"
    seen = json.loads("{" + figures)
    assert seen["bridges"] == 1
    assert seen["sockets"] == {"listener": 1, "stream": 2, "datagram": 1}
    assert (seen["received"], seen["sent"]) == (5, 5)
    assert (seen["calls"]["listen"], seen["calls"]["send"], seen["calls"]["accept"]) == (1, 1, 1)
    assert seen["errors"] == {"inet": 1}


def test_calls_that_do_not_wait_are_counted() -> None:
    """Python gets them in another form: see sockets.early."""
    program = """
        {ok, L} = gen_tcp:listen(0, [{ip, {127, 0, 0, 1}}]), {ok, P} = inet:port(L),
        {ok, S} = gen_tcp:connect({127, 0, 0, 1}, P, [{active, false}]),
        [ok = gen_tcp:send(S, "x") || _ <- lists:seq(1, 40)],
        [ok = inet:setopts(S, [{active, once}]) || _ <- lists:seq(1, 40)],
        {ok, U} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}]),
        [ok = gen_udp:send(U, {127, 0, 0, 1}, P, "x") || _ <- lists:seq(1, 40)],
        {ok, _} = inet:getstat(U), halt().
    """
    done = inetpy("run", "--json", "--", "erl", "-noshell", "-eval", program)
    calls = json.loads(done.stdout)["calls"]
    assert (calls["send"], calls["setopts"], calls["sendto"]) == (40, 40, 40)


def test_calls_of_socket_that_do_not_wait_are_counted() -> None:
    """Under the names that they have where their callers wait."""
    program = """
        {ok, L} = socket:open(inet, stream), Ip = #{family => inet, addr => {127, 0, 0, 1}},
        ok = socket:bind(L, Ip#{port => 0}), ok = socket:listen(L), {ok, To} = socket:sockname(L),
        _ = [
            begin
                {ok, C} = socket:open(inet, stream), ok = socket:connect(C, To), {ok, S} = socket:accept(L),
                _ = [ok = socket:send(C, "x") || _ <- lists:seq(1, N)],
                ok = socket:close(C), ok = socket:close(S)
            end
         || N <- lists:duplicate(20, 0) ++ [40]
        ],
        {ok, _} = socket:sockname(L), halt().
    """
    done = inetpy("run", "--json", "--socket", "--", "erl", "-noshell", "-eval", program)
    calls = json.loads(done.stdout)["calls"]
    assert (calls["socket_close"], calls["socket_send"]) == (42, 40)
    assert not {"send", "close", "connected"} & set(calls)


def test_stats_table() -> None:
    done = inetpy("run", "--stats", "--", "erl", "-noshell", "-eval", CONVERSATION, COLUMNS="100")
    assert done.stdout == "inetpy_tcp"
    for word in ("listeners opened", "bytes received", "accept", "1 errors"):
        assert word in done.stderr


def test_several_nodes() -> None:
    """Each node of a program has a bridge of its own."""
    one = "erl -noshell -eval '{ok, {_, M, _}} = gen_udp:open(0), io:format(\"~p \", [M]), halt().'"
    done = inetpy("run", "--json", "--", "sh", "-c", f"{one}; {one}")
    output, _, figures = done.stdout.partition("{")
    assert output == "inetpy_udp inetpy_udp "
    assert json.loads("{" + figures)["bridges"] == 2


def test_without_stats() -> None:
    done = inetpy(
        "run", "--", "erl", "-noshell", "-eval", 'io:format("~p", [inetpy_install:is_installed()]), halt().'
    )
    assert (done.stdout, done.stderr, done.returncode) == ("true", "", 0)


def test_flags_of_the_user_are_kept() -> None:
    done = inetpy(
        "run",
        "--",
        "erl",
        "-noshell",
        "-eval",
        'io:format("~p", [init:get_argument(mine)]), halt().',
        ERL_AFLAGS="-mine 1",
    )
    assert done.stdout == '{ok,[["1"]]}'


def test_run_a_compiler(tmp_path: Path) -> None:
    """erlc runs on a kernel without network. It works as it does without inetpy."""
    source = tmp_path / "mine.erl"
    source.write_text("-module(mine).\n")
    done = inetpy("run", "--", "erlc", "-o", str(tmp_path), str(source))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)
    assert (tmp_path / "mine.beam").is_file()


@pytest.mark.skipif(shutil.which("elixir") is None, reason="no Elixir")
def test_run_elixir() -> None:
    done = inetpy("run", "--", "elixir", "-e", "{:ok, s} = :gen_tcp.listen(0, []); IO.write(elem(s, 1))")
    assert done.stdout == "inetpy_tcp", done.stderr


def test_signals_reach_the_program() -> None:
    """SIGTERM ends the node, with and without figures at the end."""
    waiting = 'io:format("up~n"), receive stop -> ok end'
    for flags in ([], ["--json"]):
        command = [sys.executable, "-m", "inetpy", "run", *flags, "--", "erl", "-noinput", "-eval", waiting]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as program:
            assert program.stdout is not None
            assert program.stdout.readline() == "up\n"
            program.send_signal(signal.SIGTERM)
            rest, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        assert ('"bridges": 1' in rest) == bool(flags)


def test_no_such_program() -> None:
    for flags in ([], ["--stats"]):
        done = inetpy("run", *flags, "--", "no-such-program")
        assert done.returncode == 127
        assert "no such program" in done.stderr


def test_reader_has_gone() -> None:
    """As with `inetpy ... | head -0`."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as output:
        done = subprocess.run(
            [sys.executable, "-m", "inetpy", "ebin"], check=False, stdout=output, stderr=subprocess.PIPE
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_program_that_cannot_run(tmp_path: Path) -> None:
    """The status is that of a shell."""
    program = tmp_path / "program"
    program.write_text("no program")
    for options in ([], ["--stats"]):
        done = inetpy("run", *options, "--", str(program))
        assert (done.returncode, done.stdout) == (126, "")
        assert done.stderr == f"inetpy run: {program}: Permission denied\n"


def test_no_python() -> None:
    """If inetpy cannot be installed, the node ends with an error."""
    done = inetpy(
        "run", "--", "erl", "-noshell", "-eval", "io:format(on), halt().", INETPY_PYTHON="/no/such/python"
    )
    assert done.returncode == 1
    assert "on" not in done.stdout.splitlines()
    assert "inetpy: cannot install: INETPY_PYTHON names no program: /no/such/python" in done.stderr


PYTHONS = {
    "is missing": ("/no/such/python", "INETPY_PYTHON names no program: /no/such/python"),
    "is another program": ("/bin/true", "Python (/bin/true) ended"),
    "is too old": (
        "#!/bin/sh\nhead -c 1 > /dev/null\nexit 65\n",
        "/python) is too old: install Python 3.11 or",
    ),
    "is no program": ("/etc/passwd", "names a program that user root cannot execute: /etc/passwd"),
    "says something else": ("#!/bin/sh\nprintf '\\0\\0\\0\\3abc'\ncat > /dev/null\n", "is no greeting"),
    "stops in the middle": ("#!/bin/sh\necho garbage\n", "/python) ended"),
}


@pytest.mark.parametrize("kind", PYTHONS)
def test_broken_python(kind: str, tmp_path: Path) -> None:
    """A Python that does not work gives one sentence, apart from what Python itself prints."""
    python, sentence = PYTHONS[kind]
    if python.startswith("#!"):
        script = tmp_path / "python"
        script.write_text(python)
        script.chmod(0o755)
        python = str(script)
    if os.geteuid() and kind == "is no program":
        pytest.skip("speaks of root")
    for flags, header in ((["-run", "inetpy_node", "install"], 0), (["-s", "inetpy"], 1)):
        with erl(
            *flags,
            env=os.environ | {"INETPY_PYTHON": python},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        ) as node:
            assert node.stdout is not None
            lines = []
            for line in map(bytes.decode, node.stdout):
                lines.append(line)
                if sentence in line:
                    time.sleep(0.3)  # time for a second message, which there must not be
                    node.kill()
        assert len(lines) == header + 1, "".join(lines)
        assert sentence in lines[-1]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="no other user to be")
@pytest.mark.parametrize("hidden", ["program", "folder"])
def test_python_of_somebody_else(hidden: str) -> None:
    """The error has the name of the user who cannot execute the Python."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        top.chmod(0o755)
        shutil.copytree(EBIN, top / "ebin")
        private = top / "private"
        private.mkdir()
        python = private / "python"
        python.write_text("#!/bin/sh\n")
        (python if hidden == "program" else private).chmod(0o700)
        done = subprocess.run(
            [
                *("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"),
                *("erl", "-noinput", "-pa", str(top / "ebin"), "-run", "inetpy_node", "install"),
            ],
            check=False,
            cwd=top,
            env=os.environ | {"INETPY_PYTHON": str(python), "HOME": "/"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 1
    assert "user nobody cannot " in done.stderr
    assert f"execute: {python}" in done.stderr


def test_doctor() -> None:
    done = inetpy("doctor")
    assert done.returncode == 0, done.stdout
    assert "a node opened a socket through Python" in done.stdout


def test_codec_is_compiled() -> None:
    """If there is a compiler, the tests run with the compiled codec, except with INETPY_PURE=1."""
    if os.environ.get("INETPY_PURE") or shutil.which("gcc") is None:
        pytest.skip("pure Python")
    findings = json.loads(inetpy("doctor", "--json").stdout)
    assert [finding["found"] for finding in findings if finding["subject"] == "codec"] == ["compiled"]


def test_doctor_json() -> None:
    findings = json.loads(inetpy("doctor", "--json").stdout)
    assert {"Python", "Erlang/OTP", "beams", "bridge", "limits"} <= {
        finding["subject"] for finding in findings
    }
    assert all(finding["advice"] for finding in findings if finding["state"] != "ok")


def test_doctor_without_erlang() -> None:
    done = inetpy("doctor", "--json", PATH="/nowhere")
    found = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert found["Erlang/OTP"]["state"] == "problem"
    assert "install Erlang" in found["Erlang/OTP"]["advice"]


USAGE = {
    "fewer than no sequences": (["crosscheck", "--random", "-3"], "--random: at least 1, not -3"),
    "no sequences": (["crosscheck", "--random", "0"], "--random: at least 1, not 0"),
    "a negative seed": (["crosscheck", "--random", "1", "--seed", "-7"], "--seed: at least 0, not -7"),
    "no rounds": (["bench", "--rounds", "0"], "--rounds: at least 1, not 0"),
    "no number": (["bench", "--rounds", "some"], "--rounds: a whole number, not some"),
    "no pattern": (["bench", "--rows", "("], "--rows: a regular expression, not ("),
}


@pytest.mark.parametrize(("arguments", "why"), USAGE.values(), ids=USAGE)
def test_usage_error(arguments: list[str], why: str) -> None:
    done = inetpy(*arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"inetpy {arguments[0]}: error: argument {why}"
    assert not done.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--random", "1", "--html", "page.html"], "--html is for scenarios, and not for --random"),
        (["--random", "1", "--json"], "--json is for scenarios, and not for --random"),
        (["--random", "1", "udp"], "GROUP is for scenarios, and not for --random"),
        (["--seed", "7"], "--seed needs --random"),
    ],
    ids=["a page", "json", "a group", "a seed"],
)
def test_options_of_crosscheck_that_do_not_go_together(arguments: list[str], why: str) -> None:
    """No option is taken and ignored."""
    done = inetpy("crosscheck", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"inetpy: {why}\n")
    assert not Path("page.html").exists()


@pytest.mark.parametrize("given", ["< /dev/null", "<&-", ">&-", "> /dev/null"])
def test_bridge_from_a_shell(given: str) -> None:
    """A bridge has pipes to a node. Without them one line says so."""
    done = subprocess.run(
        ["sh", "-c", f"true | {shlex.quote(sys.executable)} -m inetpy bridge {given}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr == "inetpy: an Erlang node starts the bridge: see `inetpy bridge --help`\n"
    assert not done.stdout


def test_bench_of_some_rows() -> None:
    """A pattern is looked for in titles and in jobs. A job of several results shows those asked for."""
    done = inetpy("bench", "--rounds", "1", "--json", "--rows", "Port/1|^once[.]|packets|connections: beside")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [(row["job"], row["base"]) for row in report["rows"]] == [
        ("call", "floor"),
        ("call", "remote"),
        ("once.inetpy", "once.inet"),
        ("connections.inetpy", "connections.bare"),
        ("packets.2", "packets.1"),
    ]
    assert set(report["jobs"]) >= {"floor", "call", "remote", "once.inet", "once.inetpy", "packets.1"}
    assert "echo.inet" not in report["jobs"]
    assert all(row["median"] > 0 and row["ratio"] > 0 for row in report["rows"])


def test_bench_of_no_row() -> None:
    done = inetpy("bench", "--rows", "no such thing")
    assert done.returncode == 2
    assert done.stderr == "inetpy: no row of the benchmark matches no such thing\n"
    assert not done.stdout
