"""A node whose sockets are in memory: INETPY_HOST=memory. `make crosscheck` runs the whole corpus on it."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

from conftest import TOP, erl
from test_conformance import run_groups
from test_documented import named

QUICK = ["xc_connect", "xc_listen", "xc_accept", "xc_local", "xc_local_udp", "xc_multicast"]

# Sockets of all kinds that talk to each other. Prints the process of the bridge, and waits.
TALK = """
    ok = inetpy:start(), ok = inetpy:install(),
    Options = [binary, {active, false}, {ip, {127, 0, 0, 1}}],
    {ok, L} = gen_tcp:listen(0, Options), {ok, Port} = inet:port(L),
    {ok, C} = gen_tcp:connect("localhost", Port, [binary, {active, false}]), {ok, S} = gen_tcp:accept(L),
    ok = gen_tcp:send(C, "ping"), {ok, <<"ping">>} = gen_tcp:recv(S, 4, 5000),
    {ok, U} = gen_udp:open(0, Options), {ok, UdpPort} = inet:port(U),
    ok = gen_udp:send(U, {127, 0, 0, 1}, UdpPort, "ping"),
    {ok, {_, UdpPort, <<"ping">>}} = gen_udp:recv(U, 0, 5000),
    {ok, Plain} = inetpy_socket:open(inet, stream),
    ok = inetpy_socket:bind(Plain, #{family => inet, addr => loopback}), ok = inetpy_socket:listen(Plain),
    {ok, P} = gen_tcp:listen(0, [{ip, {local, <<0, "inetpy-memory-", (integer_to_binary(Port))/binary>>}}]),
    true = lists:all(fun(X) -> element(1, X) =:= '$inet' end, [L, C, S, U, P]),
    #{os_pid := Python} = inetpy:info(),
    io:format("~b~n", [Python]), receive after 60000 -> halt() end.
"""


def test_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INETPY_HOST", "memory")
    run_groups(tmp_path, "inet,memory", *QUICK)


@pytest.mark.parametrize(("host", "count"), [("memory", 0), ("linux", 6)])
def test_no_socket_of_the_kernel_has_an_address(
    host: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INETPY_HOST", host)
    with erl("-eval", TALK, stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        try:
            python = int(node.stdout.readline())
            assert len(_sockets(python) & _with_addresses()) == count
        finally:
            node.kill()


def _sockets(process: int) -> set[str]:
    """The inodes of the sockets that a process has open."""
    folder = Path(f"/proc/{process}/fd")
    links = [os.readlink(folder / name) for name in os.listdir(folder)]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}


def _with_addresses() -> set[str]:
    """The inodes of all sockets of the kernel that are bound or connected."""
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        found |= {words[9] for words in _table(table)}
    return found | {words[6] for words in _table("unix") if len(words) > 7}  # those that have a name


def _table(name: str) -> list[list[str]]:
    return [line.split() for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]


def test_the_list_of_exceptions_is_about_scenarios() -> None:
    """Each entry says why, and matches scenarios."""
    entries = tomllib.loads((TOP / "erl" / "test" / "not_in_memory.toml").read_text())["scenario"]
    assert entries
    for entry in entries:
        assert len(entry["reason"]) > 10
        if not entry["group"].startswith("xs_"):  # those of `socket` are in tests/sockets
            assert named("inet", f"{entry['group']}.{entry['name']}"), entry
