"""`inetpy run --network`, and `inetpy faults` for nodes that run, as a user would call them."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from inetpy.cli import main
from inetpy.links.environment import control_folder
from inetpy.tools.network_file import could_be_random

PATIENCE = 30.0  # seconds

# Each line that comes in is an expression whose value is printed in a line.
SHELL = """
    Loop = fun(Loop, Bindings) ->
        case io:get_line("") of
            eof ->
                halt();
            Line ->
                {ok, Tokens, _} = erl_scan:string(Line),
                {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                {value, Value, After} = erl_eval:exprs(Expressions, Bindings),
                io:format("~0tp~n", [Value]),
                Loop(Loop, After)
        end
    end,
    Loop(Loop, []).
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where bridges and the command meet. The path of a unix socket must be short; pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as name:
        yield Path(name)


Inetpy = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inetpy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Inetpy:
    """The command. What starts no program runs in this process."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments[0] == "faults":
            with redirect_stdout(StringIO()) as output, redirect_stderr(StringIO()) as errors:
                status = main(arguments)
            return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())
        return subprocess.run(
            [sys.executable, "-m", "inetpy", *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return call


class Node:
    """A node whose sockets are Python's, and that evaluates what it is told."""

    def __init__(self, folder: Path, *flags: str, run: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "inetpy", "run", *run, "--", "erl", "-noshell", *flags, "-eval", SHELL],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"XDG_RUNTIME_DIR": str(folder)},
        )

    def __enter__(self) -> Node:
        self.pid = int(self.eval("list_to_integer(os:getpid())"))
        self.eval("gen_udp:close(element(2, gen_udp:open(0)))")  # Python is there, and listens
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=PATIENCE)

    def eval(self, expression: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{expression}.\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        while line.startswith(("=", "inetpy:")):  # of the logger
            line = self._process.stdout.readline()
        assert line, f"the node has ended in {expression}"
        return line.rstrip("\n")

    def kill_python(self) -> None:
        """The node has another one afterwards."""
        before = self.eval("maps:get(os_pid, inetpy:info())")
        os.kill(int(before), signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while self.eval("[N || #{os_pid := N} <- [inetpy:info()]]") in (f"[{before}]", "[]"):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        self.eval("gen_udp:close(element(2, gen_udp:open(0)))")


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Path, Node]]:
    """One node for the tests that need any, and where it listens."""
    with tempfile.TemporaryDirectory(prefix="inetpy-test-") as folder, Node(Path(folder)) as node:
        yield Path(folder), node


@pytest.fixture
def node(shared: tuple[Path, Node], inetpy: Inetpy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    folder, node = shared
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield node
    assert inetpy("faults", "reset").returncode == 0


def rules(inetpy: Inetpy) -> list[dict[str, Any]]:
    """The rules of the only node."""
    (node,) = json.loads(inetpy("faults", "list", "--json").stdout)
    return list(node["rules"])


def refused(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence of a command that has changed nothing."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("inetpy: ")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr.removeprefix("inetpy: ").strip()


# --- a node that runs -----------------------------------------------------------


def test_a_rule_comes_and_goes(node: Node, inetpy: Inetpy) -> None:
    """It acts on the node while it is there, and the list says how often."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connect = f'element(1, gen_tcp:connect("localhost", {port}, []))'
        assert node.eval(connect) == "ok"
        added = inetpy(
            "faults", "add", 'error("connect", "ehostunreach")', "--host", "local*", "--port", str(port)
        )
        assert (added.returncode, added.stdout, added.stderr) == (0, "-1\n", "")
        assert node.eval(f'gen_tcp:connect("localhost", {port}, [])') == "{error,ehostunreach}"
        (rule,) = rules(inetpy)
        assert rule == {
            "key": -1,
            "node": None,
            "fault": ["error", {"call": "connect", "errno": "ehostunreach"}],
            "whom": {"host": "local*", "port": port},
            "when": None,
            "for_ms": None,
            "fired": 1,
            "by": "shell",
        }
        listed = inetpy("faults", "list").stdout
        assert f"node nonode@nohost, process {node.pid}, seed " in listed
        assert re.search(
            rf"-1 │ error\(call=connect, errno=ehostunreach\) +│ host=local\*, port={port} ", listed
        )
        assert node.eval("[What || #{what := What} <- inetpy_fault:rules()]") == (
            '[{error,#{call => <<"connect">>,errno => <<"ehostunreach">>}}]'
        )
        removed = inetpy("faults", "remove", "-1")
        assert (removed.returncode, removed.stdout, removed.stderr) == (0, "", "")
        assert node.eval(connect) == "ok"
        assert rules(inetpy) == []
        assert refused(inetpy("faults", "remove", "-1")) == "there is no rule -1; there is none"


def test_when_and_how_long(node: Node, inetpy: Inetpy) -> None:
    """The second connection fails, and the rule goes by itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        inetpy("faults", "add", "refuse", "--port", str(port), "--when", "nth(2)")
        connect = f'element(1, gen_tcp:connect("localhost", {port}, []))'
        assert [node.eval(connect) for _ in range(3)] == ["ok", "error", "ok"]
    inetpy("faults", "add", "latency(1)", "--for-ms", "1")
    deadline = time.monotonic() + PATIENCE
    while len(rules(inetpy)) > 1:
        assert time.monotonic() < deadline
    node.kill_python()
    assert [rule["when"] for rule in rules(inetpy)] == [["nth", [2, 2]]]


def test_rules_of_erlang(node: Node, inetpy: Inetpy) -> None:
    """The shell sees and removes the rules of the node's processes, also for the next Python."""
    node.eval("{ok, Rule} = inetpy_fault:add(#{port => 1}, blackhole)")
    node.eval("{ok, _} = inetpy_fault:add(#{port => 2}, down)")
    key = next(rule["key"] for rule in rules(inetpy) if rule["fault"][0] == "blackhole")
    assert [(rule["by"], rule["key"] > 0) for rule in rules(inetpy)] == [("erlang", True)] * 2
    assert inetpy("faults", "remove", str(key)).returncode == 0
    assert [rule["fault"][0] for rule in rules(inetpy)] == ["down"]
    node.kill_python()
    assert [rule["fault"][0] for rule in rules(inetpy)] == ["down"]
    assert node.eval("length(inetpy_fault:rules())") == "1"
    assert inetpy("faults", "reset").returncode == 0
    node.kill_python()
    assert rules(inetpy) == []


def test_rules_outlive_python(node: Node, inetpy: Inetpy) -> None:
    """All of a rule is there again: its key, whom it concerns and when it acts."""
    adds = [
        ["latency(200, jitter=50)", "--host", "db.*", "--when", "periodic(1000, 0.5)"],
        ['bandwidth("256kbit/s")', "--peer", "10.0.0.0/8", "--direction", "both"],
        ["limit(1000, then='reset')", "--owner", "kernel", "--role", "accepted"],
        ["reset(after_bytes=100)", "--when", "probability(0.25)", "--for-ms", "900000"],
        ["loss(0.5)", "--proto", "udp", "--local-port", "53", "--label", "x*"],
    ]
    for arguments in adds:
        done = inetpy("faults", "add", *arguments)
        assert done.returncode == 0, done.stderr
    before = rules(inetpy)
    assert [rule["key"] for rule in before] == [-1, -2, -3, -4, -5]
    node.kill_python()
    key = {rule["key"]: rule for rule in rules(inetpy)}
    assert key == {rule["key"]: rule for rule in before}
    node.kill_python()
    assert {rule["key"]: rule for rule in rules(inetpy)} == key
    inetpy("faults", "remove", "-3")
    node.kill_python()
    assert [rule["key"] for rule in rules(inetpy)] == [-1, -2, -4, -5]
    assert inetpy("faults", "add", "down", "--port", "1").stdout == "-6\n"


PLAIN = """
    begin
        {{ok, P}} = inetpy_socket:open(inet, stream),
        ok = inetpy_socket:connect(P, #{{family => inet, addr => loopback, port => {port}}})
    end
"""


@pytest.mark.parametrize(
    ("connect", "send"),
    [
        ('{{ok, S}} = gen_tcp:connect("localhost", {port}, [{{active, false}}])', "gen_tcp:send(S, <<1>>)"),
        (PLAIN.replace("\n", ""), "inetpy_socket:send(P, <<1>>)"),
    ],
    ids=["gen_tcp", "inetpy_socket"],
)
def test_an_owner_of_an_open_socket(connect: str, send: str, node: Node, inetpy: Inetpy) -> None:
    """When the command has answered, the rule holds for what the process has opened before."""
    node.eval("is_pid(whereis(mine)) orelse register(mine, self())")
    with socket.create_server(("127.0.0.1", 0)) as server:
        node.eval(connect.format(port=server.getsockname()[1]))
        peer, _ = server.accept()
        with peer:
            inetpy("faults", "add", "error('send', 'econnreset')", "--owner", "mine")
            assert node.eval(send) in ("{error,closed}", "{error,econnreset}")
            (rule,) = rules(inetpy)
            assert (rule["whom"], rule["fired"]) == ({"owner": "mine"}, 1)


def test_several_bridges(folder: Path, inetpy: Inetpy) -> None:
    """A node with two bridges has a rule in both, with one key, and the file runs in both."""
    file = folder / "net.py"
    file.write_text("network.fault(refuse(), host='never.example')\n")
    with Node(folder, "-inetpy", "bridges", "2", run=["--network", str(file)]) as node:
        (described,) = json.loads(inetpy("faults", "list", "--json").stdout)
        assert len(described["bridges"]) == 2
        assert inetpy("faults", "add", "refuse", "--host", "localhost").stdout == "-2\n"
        with socket.create_server(("127.0.0.1", 0)) as server:
            connect = f'gen_tcp:connect("localhost", {server.getsockname()[1]}, [])'
            assert {node.eval(connect) for _ in range(4)} == {"{error,econnrefused}"}
        assert [(rule["key"], rule["by"], rule["fired"]) for rule in rules(inetpy)] == [
            (-1, "python", 0),
            (-2, "shell", 4),
        ]
        assert inetpy("faults", "reset").returncode == 0
        assert rules(inetpy) == []


def test_several_nodes(folder: Path, inetpy: Inetpy) -> None:
    """One is chosen by its process or its name. The list has all."""
    with ExitStack() as stack:
        pids = [stack.enter_context(Node(folder)).pid for _ in range(2)]
        why = refused(inetpy("faults", "add", "down"))
        listed = ", ".join(f"{pid} (nonode@nohost)" for pid in sorted(pids))
        assert why == f"several nodes run: choose one with --node PID, of {listed}"
        assert refused(inetpy("faults", "reset", "--node", "1")) == f"there is no node 1; there are {listed}"
        assert inetpy("faults", "add", "down", "--port", "1", "--node", str(pids[1])).returncode == 0
        found = {
            node["pid"]: len(node["rules"]) for node in json.loads(inetpy("faults", "list", "--json").stdout)
        }
        assert found == {pids[0]: 0, pids[1]: 1}
        assert inetpy("faults", "list", "--node", str(pids[0])).stdout.count("\n") == 1
    assert refused(inetpy("faults", "list")).startswith("no node listens: start one with `inetpy run -- erl`")
    assert list((folder / "inetpy").iterdir()) == []


# --- what is refused -----------------------------------------------------------

WRONG = {
    "no such fault": (["latncy(3)"], "there is no word latncy: there are latency, bandwidth"),
    "no such condition": (
        ["down", "--when", "third()"],
        "there is no word third: there are nth, probability",
    ),
    "a wrong unit": (['latency("200")'], "latency, ms: a time in ms is a number, not '200'"),
    "too many": (["latency(1, 2, 3)"], "latency takes from 1 to 2 positional arguments but 3 were given"),
    "no such argument": (
        ["latency(milliseconds=1)"],
        "latency got an unexpected keyword argument 'milliseconds'",
    ),
    "a condition": (["nth(2)"], "nth is not a fault, which is written as latency(200, jitter=50)"),
    "a fault as condition": (
        ["down", "--when", "down"],
        "down is not a condition, which is written as nth(2)",
    ),
    "code": (
        ['__import__("os").system("touch /tmp/x")'],
        "a fault is a word with numbers or text, such as latency(",
    ),
    "code inside": (["latency(open('/etc/passwd'))"], "a fault is a word with numbers or text"),
    "code as condition": (
        ["down", "--when", "1 + 1"],
        "a condition is a word with numbers or text, such as nth(2)",
    ),
    "nothing": ([""], "a fault is a word with numbers or text"),
    "a class": (["Fault('down', {})"], "there is no word Fault: "),
    "impossible": (["reorder(0.1)", "--proto", "tcp"], "reorder is for datagrams: a stream has an order"),
    "no such role": (["down", "--role", "server"], "role is one of client, listener, accepted, not 'server'"),
    "no address": (["down", "--peer", "db"], "peer is an IP address or a network as 10.0.0.0/8, not 'db'"),
    "no port": (["down", "--port", "70000"], "port is a number from 0 to 65535, not 70000"),
}


@pytest.mark.parametrize(("arguments", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule(arguments: list[str], why: str, inetpy: Inetpy) -> None:
    """It is refused with one sentence, without a node, too."""
    assert refused(inetpy("faults", "add", *arguments)).startswith(why)


def test_no_node(inetpy: Inetpy) -> None:
    for arguments in (["list"], ["add", "down"], ["remove", "1"], ["reset"]):
        assert refused(inetpy("faults", *arguments)).startswith(
            "no node listens: start one with `inetpy run -- erl`"
        )
    assert inetpy("faults", "list", "--json").stdout == "[]\n"


def test_the_command_as_a_program(inetpy: Inetpy) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "inetpy", "faults", "remove", "-1"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert refused(done).startswith("no node listens")


def test_a_folder_of_others(folder: Path, inetpy: Inetpy) -> None:
    """Nobody else may put a socket there: neither side uses it, and the node runs."""
    (folder / "inetpy").mkdir(mode=0o755)
    (folder / "inetpy").chmod(0o755)
    assert "is not a folder that only this user can open" in refused(inetpy("faults", "list"))
    done = inetpy(
        "run", "--", "erl", "-noshell", "-eval", "{ok, L} = gen_tcp:listen(0, []), timer:sleep(200), halt()."
    )
    assert done.returncode == 0
    assert "`inetpy faults` cannot reach this node" in done.stdout + done.stderr
    assert list((folder / "inetpy").iterdir()) == []


def test_files_of_dead_processes(folder: Path, inetpy: Inetpy) -> None:
    """They are removed; those of others stay."""
    control = folder / "inetpy"
    control.mkdir(mode=0o700)
    dead = subprocess.Popen(["true"])
    dead.wait()
    for name in (f"{dead.pid}.sock", f"{os.getpid()}.sock", "nobody.sock"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(control / name))
    refused(inetpy("faults", "list"))
    assert [path.name for path in control.iterdir()] == [f"{os.getpid()}.sock"]


def test_wrong_requests(node: Node, inetpy: Inetpy) -> None:
    """What is no request is answered or dropped, and the next one is served."""
    path = control_folder() / f"{node.eval('maps:get(os_pid, inetpy:info())')}.sock"
    for request in (
        b"\n",
        b"{}\n",
        b"[]\n",
        b'{"do": "add"}\n',
        b'{"do": "add", "key": 1, "fault": ["down", {}]}\n',
    ):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(path))
            sock.sendall(request)
            assert "error" in json.loads(sock.makefile().readline()), request
    for request in (b"", b"x" * 100_000, b'{"do": '):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(request)
    assert rules(inetpy) == []
    assert node.eval("1 + 1") == "2"


# --- a network file -------------------------------------------------------------

GET = """
    {ok, S} = gen_tcp:connect("db.example", 5432, [binary, {active, false}]),
    {ok, <<"hello">>} = gen_tcp:recv(S, 5),
    {error, ehostunreach} = gen_tcp:connect("db.example", 5433, []),
    io:format("~s", [os:getenv("INETPY_SEED")]),
    halt(3).
"""
NETWORK = """
network.static("db.example", 5432, b"hello")
network.fault(error("connect", "ehostunreach"), port=5433)
"""


def test_a_network_file(tmp_path: Path, inetpy: Inetpy) -> None:
    """The program meets what the file describes, from its first socket on. Nothing in it is random."""
    (tmp_path / "net.py").write_text(NETWORK)
    done = inetpy(
        "run", "--network", str(tmp_path / "net.py"), "--seed", "12", "--", "erl", "-noshell", "-eval", GET
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "12", "")


def test_the_seed_is_said(tmp_path: Path, inetpy: Inetpy) -> None:
    """With it the run can be repeated."""
    (tmp_path / "net.py").write_text("network.fault(latency(1, jitter=1))\n")
    arguments = ["--network", str(tmp_path / "net.py"), "--", "sh", "-c", "echo $INETPY_SEED $INETPY_NETWORK"]
    done = inetpy("run", *arguments)
    seed = done.stdout.split()[0]
    assert done.stderr == f"inetpy: seed {seed} (repeat with --seed {seed})\n"
    assert done.stdout == f"{seed} {tmp_path / 'net.py'}\n"
    assert inetpy("run", "--seed", seed, *arguments).stdout == done.stdout


def test_a_relative_file(tmp_path: Path, inetpy: Inetpy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program may go to another folder."""
    (tmp_path / "net.py").write_text(NETWORK)
    monkeypatch.chdir(tmp_path)
    done = inetpy("run", "--network", "net.py", "--", "sh", "-c", "cd /; echo $INETPY_NETWORK")
    assert (done.stdout, done.stderr) == (f"{tmp_path / 'net.py'}\n", "")


FILES = {
    "missing": (None, ": No such file or directory"),
    "no Python": ("a = 1\nb = = 2\n", ", line 2: invalid syntax"),
    "a return": ("a = 1\n\nreturn a\n", ", line 3: 'return' outside function"),
    "no text": (b"\0", ": source code string cannot contain null bytes"),
}


@pytest.mark.parametrize(("text", "why"), FILES.values(), ids=FILES)
def test_a_wrong_file(text: str | bytes | None, why: str, tmp_path: Path, inetpy: Inetpy) -> None:
    """It is said before the program starts."""
    file = tmp_path / "net.py"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    assert refused(inetpy("run", "--network", str(file), "--", "echo", "started")) == f"{file}{why}"


@pytest.mark.parametrize("ending", ["latency('x')", "raise SystemExit(3)", "1 / 0"])
def test_a_file_that_raises(ending: str, tmp_path: Path, inetpy: Inetpy) -> None:
    """The log of the node has the place in the file. The node goes on with what came before."""
    file = tmp_path / "net.py"
    file.write_text(f"{NETWORK}def more():\n    {ending}\nmore()\n")
    done = inetpy("run", "--network", str(file), "--", "erl", "-noshell", "-eval", GET)
    assert done.returncode == 3
    shown = done.stdout + done.stderr
    assert f"the network file {file} has failed: " in shown
    assert f'File "{file}", line 6, in <module>' in shown
    assert f'File "{file}", line 5, in more' in shown
    assert "exec(code" not in shown


RANDOM = {
    "network.fault(latency(1))": False,
    "network.fault(latency(1, 2))": True,
    "network.fault(latency(1, jitter=2))": True,
    "network.fault(slice(10, delay=2))": False,
    "network.fault(slice(10, variation=2))": True,
    "network.fault(loss(0.1), proto='udp')": True,
    "network.fault(inetpy.network.down(), port=1)": False,
    "network.fault(down(), when=nth(2))": False,
    "network.fault(down(), when=None)": False,
    "network.fault(down(), when=probability(0.5))": True,
    "network.fault('blackhole')": False,
    "network.fault(latency(*given))": True,
    "network.fault(down(), **given)": True,
    "network.fault(something)": True,
    "for ms in (1, 2):\n    network.fault(latency(ms))": False,
    "network.names({'a': '127.0.0.1'})": False,
}


@pytest.mark.parametrize(("source", "is_random"), RANDOM.items(), ids=RANDOM)
def test_could_be_random(source: str, is_random: bool) -> None:
    assert could_be_random(ast.parse(source)) == is_random
