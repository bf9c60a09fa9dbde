"""What a node said with real servers is recorded, and played again by each of its two sides."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from inetpy import Atom, Network
from inetpy.network import anywhere
from inetpy.network.replay import ReplayError
from inetpy.testing import Node, charlist

ERROR = Atom("error")
TCP = """
    {ok, S} = gen_tcp:connect(Host, Port, [binary, {active, false}]),
    ok = gen_tcp:send(S, <<"one">>), {ok, A} = gen_tcp:recv(S, 6),
    ok = gen_tcp:send(S, Two), {ok, B} = gen_tcp:recv(S, 6),
    ok = gen_tcp:close(S), {A, B}."""
UDP = """
    {ok, S} = gen_udp:open(0, [binary, {active, false}]),
    ok = gen_udp:send(S, Host, Port, <<"one">>), {ok, {_, _, A}} = gen_udp:recv(S, 0),
    ok = gen_udp:send(S, Host, Port, <<>>), {ok, {_, _, B}} = gen_udp:recv(S, 0),
    ok = gen_udp:close(S), {A, B}."""
UNIX = """
    {ok, S} = gen_tcp:connect({local, Path}, 0, [binary, {active, false}]),
    ok = gen_tcp:send(S, <<"one">>), {ok, A} = gen_tcp:recv(S, 6),
    ok = gen_tcp:close(S), A."""
CONNECT = "gen_tcp:connect(Host, 1, [])."
ANSWERS = (b"re:one", b"re:two")
HOST = charlist("real.example")


class Servers:
    """Real servers, which answer `re:` and what they got."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "It.sock")
        self.threads = ExitStack()
        self.tcp = self._stream(socket.create_server(("127.0.0.1", 0)))
        unix = socket.socket(socket.AF_UNIX)
        unix.bind(self.path)
        unix.listen()
        self._stream(unix)
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind(("127.0.0.1", 0))
        self.udp = datagrams.getsockname()[1]
        self._start(datagrams, self._answer_datagrams)

    def _stream(self, listener: socket.socket) -> Any:
        port = listener.getsockname()[1] if listener.family == socket.AF_INET else None
        self._start(listener, self._accept)
        return port

    def _start(self, sock: socket.socket, run: Any) -> None:
        sock.settimeout(0.1)
        thread = threading.Thread(target=run, args=(sock,))
        thread.start()
        self.threads.callback(thread.join)
        self.threads.callback(sock.close)
        self.is_over = threading.Event()

    def _accept(self, listener: socket.socket) -> None:
        with closing(listener):
            while True:
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                except OSError:
                    return
                with connection:
                    while data := connection.recv(100):
                        connection.sendall(b"re:" + data)

    def _answer_datagrams(self, sock: socket.socket) -> None:
        while True:
            try:
                data, sender = sock.recvfrom(100)
            except TimeoutError:
                continue
            except OSError:
                return
            sock.sendto(b"re:" + data, sender)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    made = Servers(tmp_path)
    yield made
    made.threads.close()


def talk(erlang: Node, servers: Servers, two: bytes = b"two") -> list[Any]:
    return [
        erlang.eval(TCP, Host=HOST, Port=servers.tcp, Two=two),
        erlang.eval(UDP, Host=HOST, Port=servers.udp),
        erlang.eval(UNIX, Path=servers.path.encode()),
        erlang.eval(CONNECT, Host=HOST),
        erlang.eval(CONNECT, Host=charlist("other.invalid")),
        erlang.eval(TCP, Host=HOST, Port=servers.tcp, Two=two),
    ]


def record(erlang: Node, network: Network, servers: Servers, path: Path) -> list[Any]:
    network.names({"real.example": "127.0.0.1"})
    said = talk(erlang, servers)
    network.trace.save(path)
    network.clear()
    return said


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_the_same_without_the_servers(
    erlang: Node, network: Network, servers: Servers, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"run.{ending}"
    said = record(erlang, network, servers, path)
    assert said == [
        ANSWERS,
        (b"re:one", b"re:"),
        b"re:one",
        (ERROR, Atom("econnrefused")),
        (ERROR, Atom("nxdomain")),
        ANSWERS,
    ]
    servers.threads.close()
    for chunks in ("recorded", "one_byte", "random"):
        replay = network.replay(path, chunks=chunks)
        assert talk(erlang, servers) == said
        replay.wait()
        assert network.failures == []
        network.clear()


def test_a_mismatch(erlang: Node, network: Network, servers: Servers, tmp_path: Path) -> None:
    record(erlang, network, servers, tmp_path / "run.jsonl")
    replay = network.replay(tmp_path / "run.jsonl", only="real.example:*")
    erlang.eval("catch begin " + TCP.rstrip(". ") + " end.", Host=HOST, Port=servers.tcp, Two=b"twO")
    with pytest.raises(ReplayError, match="byte 5 of the client is not as recorded"):
        replay.wait()
    assert [mismatch.offset for mismatch in replay.mismatches] == [5]
    anywhere.do(network.loop, network.engine.end_replays)
    network.engine.places.failures.clear()  # the fixture would fail the test for it


LISTEN = """
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(L), {L, Port}."""
SERVE = """
    {ok, S} = gen_tcp:accept(L),
    {ok, A} = gen_tcp:recv(S, 3), ok = gen_tcp:send(S, [<<"re:">>, A]),
    {ok, B} = gen_tcp:recv(S, 3), ok = gen_tcp:send(S, [<<"re:">>, B]),
    {error, closed} = gen_tcp:recv(S, 0), {A, B}."""


@pytest.mark.parametrize("listens_before", [True, False])
def test_as_the_client_of_a_listener(
    erlang: Node, network: Network, servers: Servers, tmp_path: Path, listens_before: bool
) -> None:
    path = tmp_path / "run.jsonl"
    record(erlang, network, servers, path)
    if not listens_before:
        anywhere.do(network.loop, network.engine.seal)
    listener, port = erlang.eval(LISTEN)
    place = f"real.example:{servers.tcp}"
    replay = network.replay(
        path, role="client", only=place, at={place: f"127.0.0.1:{port}"}, chunks="one_byte"
    )
    for _ in range(2):
        assert erlang.eval(SERVE, L=listener) == (b"one", b"two")
    replay.wait()


def test_as_the_client_of_what_a_listener_has_seen(erlang: Node, network: Network, tmp_path: Path) -> None:
    """Recorded at the server; played for the same server, on the same port of memory."""
    path = tmp_path / "run.pcapng"
    listener, port = erlang.eval(LISTEN)
    conn = network.connect("127.0.0.1", port)
    conn.write(b"one")
    erlang.eval("spawn(fun() -> " + SERVE.strip(". \n") + " end), ok.", L=listener)
    assert conn.read_exactly(6) == b"re:one"
    conn.write(b"two")
    assert conn.read_exactly(6) == b"re:two"
    conn.close()
    erlang.wait_until("inetpy:which_sockets() =/= []")
    network.trace.save(path)
    network.clear()
    replay = network.replay(path, role="client")
    assert erlang.eval(SERVE, L=listener) == (b"one", b"two")
    replay.wait()


PLAIN = """
    {ok, S} = inetpy_socket:open(inet, stream, tcp),
    ok = inetpy_socket:connect(S, #{family => inet, addr => {127, 0, 0, 1}, port => Port}),
    ok = inetpy_socket:send(S, <<"one">>), {ok, A} = inetpy_socket:recv(S, 6),
    ok = inetpy_socket:send(S, <<"two">>), {ok, B} = inetpy_socket:recv(S, 6),
    ok = inetpy_socket:close(S), {A, B}."""


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_what_inetpy_socket_has_said(
    erlang: Node, network: Network, servers: Servers, tmp_path: Path, ending: str
) -> None:
    """It is played for a client of gen_tcp."""
    assert erlang.eval(PLAIN, Port=servers.tcp) == ANSWERS
    path = tmp_path / f"run.{ending}"
    network.trace.save(path)
    network.clear()
    replay = network.replay(path)
    assert erlang.eval(TCP, Host=charlist("127.0.0.1"), Port=servers.tcp, Two=b"two") == ANSWERS
    replay.wait()


LISTEN_AT_PATH = """
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ifaddr, {local, Path}}]), L."""
SERVE_ONCE = """
    {ok, S} = gen_tcp:accept(L), {ok, A} = gen_tcp:recv(S, 3), ok = gen_tcp:send(S, [<<"re:">>, A]),
    {error, closed} = gen_tcp:recv(S, 0), A."""


def test_as_the_client_of_a_unix_listener(erlang: Node, network: Network, tmp_path: Path) -> None:
    path = str(tmp_path / "Own.sock")
    listener = erlang.eval(LISTEN_AT_PATH, Path=path.encode())
    erlang.eval("spawn(fun() -> " + SERVE_ONCE.strip(". \n") + " end), ok.", L=listener)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"one")
        assert client.recv(6, socket.MSG_WAITALL) == b"re:one"
    erlang.wait_until("length(inetpy:which_sockets()) =:= 2")
    network.trace.save(tmp_path / "run.jsonl")
    network.clear()
    anywhere.do(network.loop, network.engine.seal)
    erlang.eval("gen_tcp:close(L).", L=listener)
    Path(path).unlink()
    listener = erlang.eval(LISTEN_AT_PATH, Path=path.encode())
    assert not Path(path).exists()  # it is in memory
    replay = network.replay(tmp_path / "run.jsonl", role="client")
    assert erlang.eval(SERVE_ONCE, L=listener) == b"one"
    replay.wait()


def test_datagrams_for_a_socket_of_erlang(
    erlang: Node, network: Network, servers: Servers, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    record(erlang, network, servers, path)
    anywhere.do(network.loop, network.engine.seal)
    sock, port = erlang.eval(
        "{ok, S} = gen_udp:open(0, [binary, {active, false}]), {S, element(2, inet:port(S))}."
    )
    place = f"real.example:{servers.udp}"
    replay = network.replay(path, role="client", only=place, at={place: f"127.0.0.1:{port}"})
    answer = """
        {ok, {IP, Port, A}} = gen_udp:recv(S, 0), ok = gen_udp:send(S, IP, Port, [<<"re:">>, A]),
        {ok, {IP, Port, B}} = gen_udp:recv(S, 0), ok = gen_udp:send(S, IP, Port, [<<"re:">>, B]), [A, B]."""
    assert erlang.eval(answer, S=sock) == [b"one", b""]
    replay.wait()


def test_nothing_reaches_a_real_server(
    erlang: Node, network: Network, servers: Servers, tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    record(erlang, network, servers, path)
    network.replay(path, only=f"real.example:{servers.udp}")
    to_server = "gen_tcp:connect({127, 0, 0, 1}, Port, [])."
    assert erlang.eval(to_server, Port=servers.tcp)[0] == ERROR
    assert erlang.eval("gen_tcp:connect({local, Path}, 0, []).", Path=servers.path.encode())[0] == ERROR
    send = """
        {ok, S} = gen_udp:open(0, [{active, false}]),
        gen_udp:send(S, {127, 0, 0, 1}, Port, <<1>>), gen_udp:recv(S, 0, 200)."""
    assert erlang.eval(send, Port=servers.tcp) == (ERROR, Atom("timeout"))
    listen = LISTEN.replace("{ip, {127, 0, 0, 1}}", "{ip, {127, 0, 0, 1}}, {reuseaddr, true}")
    _, port = erlang.eval(listen)
    refused = (ERROR, Atom("eacces"))
    assert erlang.eval("inetpy_socket:open(inet, stream, tcp).") == refused
    with socket.socket() as other:
        adopt = "gen_tcp:connect({127, 0, 0, 1}, 1, [{fd, Fd}])."
        assert erlang.eval(adopt, Fd=other.fileno()) == refused
        assert erlang.eval("inetpy_socket:open(Fd, #{dup => true}).", Fd=other.fileno()) == refused
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    anywhere.do(network.loop, network.engine.end_replays)
    network.engine.places.failures.clear()


NET = """
network.replay("run.jsonl")
"""
CLIENT = """
-module(client).
-export([main/0]).
main() ->
    {ok, S} = gen_tcp:connect("real.example", 7777, [binary, {active, false}]),
    ok = gen_tcp:send(S, <<"one">>),
    {ok, <<"re:one">>} = gen_tcp:recv(S, 6),
    io:format("replayed~n"),
    halt().
"""


def test_in_a_network_file(tmp_path: Path) -> None:
    label = '"node": "", "socket": 1, "kind": "stream", "label": "real.example:7777"'
    (tmp_path / "run.jsonl").write_text(
        f'{{"event": "socket", {label}, "what": "connected"}}\n'
        f'{{"event": "bytes", {label}, "direction": "send", "offset": 0, "data": {{"text": "one"}}}}\n'
        f'{{"event": "bytes", {label}, "direction": "recv", "offset": 0, "data": {{"text": "re:one"}}}}\n'
    )
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "client.erl").write_text(CLIENT)
    subprocess.run(["erlc", "client.erl"], cwd=tmp_path, check=True)
    command = [sys.executable, "-m", "inetpy", "run", "--network", "net.py", "--"]
    command += ["erl", "-noshell", "-s", "client", "main"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "replayed\n"), done.stderr
