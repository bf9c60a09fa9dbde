"""The Common Test suites, and tests in which nodes start and end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conftest import EBIN, TEST_EBIN, TOP, erl

SUITES = {
    "inetpy_install_SUITE": "the whole node on Python sockets, and back",
    "inetpy_bridges_SUITE": "several Python processes share the sockets",
    "inetpy_otp_SUITE": "ssl, httpc, httpd, ssh and ftp on inetpy sockets",
    "inetpy_inet_SUITE": "names, slow and fast, interfaces, and connecting to the first that answers",
    "inetpy_udp_SUITE": "the same for datagrams; floods, and the end of Python",
    "inetpy_tcp_SUITE": "what the stock driver of this node cannot be asked for",
}


# Of `make test-failures`.
FAILURES = {
    "inetpy_failure_SUITE": "Python dies, frames are malformed, nothing leaks",
    "inetpy_hostile_SUITE": "no peer and no caller harms the others; Python stands still",
    "inetpy_link_SUITE": "another link than the port program",
    "inetpy_early_SUITE": "what happens while programs talk that do not wait for answers",
}
# Of `make test-network`.
NETWORK = {
    "inetpy_fault_SUITE": "rules of the network: how long they hold, and whom they concern",
    "inetpy_trace_SUITE": "what sockets were asked, and what they sent and received",
}
# Of `make test-testing` and `make test-sockets`.
ELSEWHERE = {"inetpy_network_SUITE", "inetpy_plain_SUITE"}


@pytest.mark.parametrize("suite", SUITES)
def test_suite(suite: str, tmp_path: Path) -> None:
    """The Common Test suites in erl/test pass."""
    run_suite(suite, tmp_path, {})


def test_otp_on_whole_node(tmp_path: Path) -> None:
    """ssl, httpc, ssh and other clients of sockets in OTP work with inetpy installed."""
    run_suite("inetpy_otp_SUITE", tmp_path, {"INETPY_TEST_WAY": "whole_node"})


def run_suite(suite: str, tmp_path: Path, environment: dict[str, str]) -> None:
    command = ["ct_run", "-noshell", "-pa", str(EBIN), str(TEST_EBIN), "-dir", str(TEST_EBIN)]
    command += ["-suite", suite, "-logdir", str(tmp_path)]
    with private_epmd() as epmd:  # ct_run makes a distributed node
        result = subprocess.run(
            command,
            check=False,
            cwd=tmp_path,
            env=os.environ | epmd | environment | {"INETPY_TEST_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    cases = re.search(r"TEST COMPLETE, (\d+) ok, (\d+) failed of (\d+)", result.stdout)
    assert cases is not None, result.stdout + result.stderr
    assert cases[2] == "0", _failures(tmp_path) + result.stdout
    assert cases[1] == cases[3] != "0"


@contextmanager
def private_epmd() -> Iterator[dict[str, str]]:
    """The environment for distributed nodes with an epmd of their own, which ends with the block."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    epmd = {"ERL_EPMD_PORT": port, "ERL_EPMD_RELAXED_COMMAND_CHECK": "true"}
    subprocess.run(["epmd", "-daemon", "-relaxed_command_check", "-port", port], check=True)
    try:
        yield epmd
    finally:
        subprocess.run(["epmd", "-port", port, "-kill"], check=False, capture_output=True)


def test_node_that_gets_a_name() -> None:
    """Sockets stay usable while distribution starts and stops."""
    with private_epmd() as epmd:
        node = erl(
            "-run",
            "inetpy_rename",
            "main",
            env=os.environ | epmd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        with node:
            output, _ = node.communicate(timeout=120)
    assert b"all went on" in output, output.decode()


@pytest.mark.parametrize("how", ["init_stop", "permanent"])
def test_node_goes_down(how: str) -> None:
    """Sockets work until the last application has ended, and owners get no message, as with inet."""

    def seen(way: str) -> list[bytes]:
        with erl(
            *("-run", "inetpy_going_down", "main", way, how),
            env=os.environ | {"ERL_CRASH_DUMP_BYTES": "0"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as node:
            _, output = node.communicate(timeout=120)
        return output.splitlines()

    stock = seen("inet")
    assert any(line.startswith(b"{terminate,{ok,") for line in stock), stock
    assert seen("inetpy") == stock


def test_hooks_on_the_path() -> None:
    """A node with our hooks on its path boots with OTP's `socket` backend, and can install inetpy."""
    talk = """
        {ok, _} = net_adm:names(), {ok, S} = gen_tcp:listen(0, []), true = is_port(S),
        ok = inetpy:install(), {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
        io:format("~s", [node()]), halt().
    """
    hook = EBIN.parent / "hook" / "ebin"
    with private_epmd() as epmd:
        node = erl(
            *("-kernel", "inet_backend", "socket", "-pa", str(hook), "-sname", "hooked", "-eval", talk),
            env=os.environ | epmd,
            stdout=subprocess.PIPE,
        )
        with node:
            output, _ = node.communicate(timeout=60)
    assert output.startswith(b"hooked@")


@pytest.mark.parametrize("backend", ["inet", "socket"])
def test_named_nodes(backend: str) -> None:
    """Two nodes of `inetpy run` find each other through epmd. The connection to epmd does not use Python."""
    name = """
        {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
        Names = fun() -> {ok, N} = erl_epmd:names(), lists:sort([X || {X, _} <- N]) end,
        Link = fun() -> element(2, sys:get_state(erl_epmd)) end,
    """
    first = name + """io:format("up~n"), receive stop -> ok end."""
    second = (
        name
        + """
        [_, Host] = string:split(atom_to_list(node()), "@"),
        pong = net_adm:ping(list_to_atom("first@" ++ Host)),
        ["first", "second"] = Names(), true = is_port(Link()),
        [] = [S || {'$inet', _, _} = S <- [Link()]], [_] = inetpy:which_sockets(),
        #{os_pid := P, bridge := B} = inetpy:info(), R = monitor(process, B),
        os:cmd("kill -9 " ++ integer_to_list(P)), receive {'DOWN', R, _, _, _} -> ok end,
        {ok, {'$inet', inetpy_tcp, _}} = gen_tcp:listen(0, []),
        ["first", "second"] = Names(), [_] = nodes(),
        ok = inetpy:stop(), ["first", "second"] = Names(), pong = net_adm:ping(hd(nodes())),
        io:format("all went on"), halt().
    """
    )
    command = [sys.executable, "-m", "inetpy", "run", "--"]
    command += ["erl", "-noinput", "-kernel", "inet_backend", backend]
    with private_epmd() as epmd:
        options: dict[str, Any] = {"env": os.environ | epmd, "stdout": subprocess.PIPE}
        with subprocess.Popen([*command, "-sname", "first", "-eval", first], **options) as one:
            assert one.stdout is not None
            assert one.stdout.readline() == b"up\n"
            done = subprocess.run(
                [*command, "-sname", "second", "-eval", second], check=False, timeout=60, **options
            )
            one.terminate()
    assert b"all went on" in done.stdout, done.stdout.decode()


def test_node_named_late() -> None:
    """A node that gets its name after inetpy was installed registers with epmd without Python."""
    talk = """
        ok = inetpy:install(), {ok, _} = net_kernel:start(late, #{name_domain => shortnames}),
        true = is_port(element(2, sys:get_state(erl_epmd))),
        {ok, [{"late", _}]} = net_adm:names(), [] = inetpy:which_sockets(),
        ok = inetpy:stop(), {ok, [{"late", _}]} = net_adm:names(),
        io:format("registered"), halt().
    """
    with private_epmd() as epmd:
        node = erl("-eval", talk, env=os.environ | epmd, stdout=subprocess.PIPE)
        with node:
            output, _ = node.communicate(timeout=60)
    assert b"registered" in output, output.decode()


def _failures(logs: Path) -> str:
    """The lines about failures in the logs of a suite."""
    pages = list(logs.rglob("suite.log"))
    return "\n".join(line for page in pages for line in page.read_text().splitlines() if "fail" in line)


START = """
ok = inetpy:start(),
{ok, L} = gen_tcp:listen(0, [{tcp_module, inetpy_tcp}, binary, {active, false}]),
{ok, P} = inet:port(L),
Busy = fun F() -> {ok, _} = inet:getopts(L, [active]), F() end,
[spawn(Busy) || _ <- lists:seq(1, 4)],
{ok, _} = gen_tcp:connect({127,0,0,1}, P, [{tcp_module, inetpy_tcp}]),
#{os_pid := Pid} = inetpy:info(),
io:format("~b~n", [Pid]).
"""


def test_python_goes_when_the_node_is_killed() -> None:
    """After kill -9 of a busy emulator Python ends within a second."""
    # The beams find the Python of the source tree that they are in.
    assert (TOP / ".venv" / "bin" / "python").exists()
    with erl("-noshell", "-eval", START, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as node:
        assert node.stdout is not None
        python = int(node.stdout.readline())
        assert _alive(python)
        node.send_signal(signal.SIGKILL)
        node.wait(10)
        killed = time.monotonic()
        while _alive(python) and time.monotonic() < killed + 10:
            time.sleep(0.02)
        assert time.monotonic() - killed < 1.5  # a second, and half a second more for a slow machine


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return stat[0] != "Z"
