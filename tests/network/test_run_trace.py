"""`inetpy run --trace FILE`: all that a program does with sockets, in a file or in a pipe."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HELLO = """
    {ok, L} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]), {ok, P} = inet:port(L),
    {ok, S} = gen_tcp:connect("localhost", P, [binary, {active, false}]), {ok, A} = gen_tcp:accept(L),
    ok = gen_tcp:send(S, "hello"), {ok, <<"hello">>} = gen_tcp:recv(A, 5), io:format("done~n"), halt(0).
"""
ERL = ("--", "erl", "-noshell", "-eval", HELLO)

# Two connections, whose second is tried twice, and a datagram.
SOCKETS = """
    Loopback = #{family => inet, addr => loopback, port => 0},
    Open = fun(Type) -> {ok, S} = socket:open(inet, Type), S end,
    L = Open(stream), ok = socket:bind(L, Loopback), ok = socket:listen(L), {ok, To} = socket:sockname(L),
    First = Open(stream), ok = socket:connect(First, To), {ok, A} = socket:accept(L),
    ok = socket:sendmsg(First, #{iov => [<<"hel">>, <<"lo">>]}), {ok, <<"hello">>} = socket:recv(A, 5),
    ok = socket:send(A, "back"), {ok, <<"back">>} = socket:recv(First, 4),
    ok = socket:close(A), {error, closed} = socket:recv(First, 0), ok = socket:close(First),
    Nobody = Open(stream), ok = socket:bind(Nobody, Loopback), {ok, Closed} = socket:sockname(Nobody),
    ok = socket:close(Nobody), Second = Open(stream), {error, econnrefused} = socket:connect(Second, Closed),
    {error, econnaborted} = socket:connect(Second, To), ok = socket:connect(Second, To),
    U = Open(dgram), ok = socket:bind(U, Loopback), {ok, Own} = socket:sockname(U),
    ok = socket:sendto(U, "one", Own), {ok, {Own, <<"one">>}} = socket:recvfrom(U),
    io:format("done~n"), halt(0).
"""


def inetpy(*arguments: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "inetpy", *arguments]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, check=False, timeout=120, stdin=subprocess.DEVNULL, capture_output=True, **how
    )


def tshark(source: Path | str, *arguments: str, data: bytes = b"") -> list[str]:
    done = subprocess.run(
        ["tshark", "-r", str(source), *arguments], check=True, input=data, capture_output=True
    )
    return done.stdout.decode().splitlines()


PAYLOADS = ("-T", "fields", "-e", "tcp.payload", "-Y", "tcp.len > 0")


def test_a_capture_file(tmp_path: Path) -> None:
    path = tmp_path / "run.pcapng"
    path.write_text("of before")
    done = inetpy("run", "--trace", str(path), *ERL)
    assert (done.returncode, done.stdout) == (0, b"done\n"), done.stderr
    assert [bytes.fromhex(payload) for payload in tshark(path, *PAYLOADS)] == [b"hello"]
    assert "localhost" in " ".join(tshark(path, "-q", "-z", "hosts"))


def test_sockets_of_socket(tmp_path: Path) -> None:
    """One TCP stream for each connection, whose handshake and end are there; and the calls by their names."""
    path = tmp_path / "run.pcapng"
    command = ("--", "erl", "-noshell", "-eval", SOCKETS)
    done = inetpy("run", "--socket", "--stats", "--trace", str(path), *command)
    assert (done.returncode, done.stdout) == (0, b"done\n"), done.stderr
    assert [bytes.fromhex(payload) for payload in tshark(path, *PAYLOADS)] == [b"hello", b"back"]
    datagrams = tshark(path, "-T", "fields", "-e", "udp.payload", "-Y", "udp")
    assert [bytes.fromhex(payload) for payload in datagrams] == [b"one", b"one"]
    fields = ("-T", "fields", "-e", "tcp.stream", "-e", "tcp.flags.str", "-Y", "tcp")
    streams: dict[str, str] = {}
    for line in tshark(path, *fields):
        stream, flags = line.split("\t")
        streams[stream] = streams.get(stream, "") + flags.strip("·")[-1]
    assert [flags.count("S") for flags in streams.values()] == [2, 1, 2]
    assert "F" in streams["0"]
    assert "R" in streams["1"]
    lines = tmp_path / "run.jsonl"
    assert inetpy("run", "--socket", "--trace", str(lines), *command).returncode == 0
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    ops = {event["op"] for event in events if event["event"] == "call"}
    assert ops >= {
        "open",
        "bind",
        "listen",
        "connect",
        "accept",
        "sendmsg",
        "send",
        "recv",
        "sendto",
        "recvfrom",
    }
    kinds = {event["kind"] for event in events if event["event"] == "socket"}
    assert kinds == {"stream", "listener", "datagram"}


@pytest.mark.parametrize("variable", ["INETPY_HOST=memory", "INETPY_LOOP=asyncio", "INETPY_FAST=0"])
def test_on_other_hosts(variable: str, tmp_path: Path) -> None:
    name, value = variable.split("=")
    path = tmp_path / "run.pcapng"
    done = inetpy("run", "--trace", str(path), *ERL, env=os.environ | {name: value})
    assert done.returncode == 0, done.stderr
    assert [bytes.fromhex(payload) for payload in tshark(path, *PAYLOADS)] == [b"hello"]


def test_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    done = inetpy("run", "--stats", "--trace", str(path), *ERL)
    assert done.returncode == 0
    assert b"bytes sent" in done.stderr
    calls = [line for line in map(json.loads, path.read_text().splitlines()) if line["event"] == "call"]
    assert [call["op"] for call in calls if call["op"] != "sockname"] == [
        "listen", "getaddrs", "connect", "accept", "send", "recv",
    ]  # fmt: skip


def test_with_a_network_file(tmp_path: Path) -> None:
    """The file may have a trace of its own, which ends when it likes."""
    path = tmp_path / "run.jsonl"
    (tmp_path / "net.py").write_text(
        "network.trace.start()\nnetwork.trace.stop()\nnetwork.fault(short_write(2), when=first(1))\n"
    )
    done = inetpy("run", "--network", str(tmp_path / "net.py"), "--trace", str(path), *ERL)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["rule"] for line in lines if line["event"] == "fault"] == ["short_write(size=2)"]
    sent = [line for line in lines if line["event"] == "bytes" and line["direction"] == "send"]
    assert [(line["data"]["text"], line["faults"]) for line in sent] == [
        ("he", ["short_write(size=2)"]), ("llo", []),
    ]  # fmt: skip


def test_standard_output(tmp_path: Path) -> None:
    """The output of the program goes to the standard error."""
    done = inetpy("run", "--trace", "-", *ERL)
    assert done.returncode == 0
    assert b"done\n" in done.stderr
    path = tmp_path / "run.pcapng"
    path.write_bytes(done.stdout)
    assert [bytes.fromhex(payload) for payload in tshark(path, *PAYLOADS)] == [b"hello"]


def test_nobody_reads() -> None:
    """The trace ends, and the program goes on."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "inetpy", "run", "--trace", "-", *ERL]
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert done.returncode == 0
    assert b"done\n" in done.stderr
    assert b"nobody reads the trace any more" in done.stderr


MUCH = """
    {ok, S} = gen_udp:open(0, [{ip, {127, 0, 0, 1}}, {active, false}]),
    [ok = gen_udp:send(S, {127, 0, 0, 1}, 9, <<0:8000>>) || _ <- lists:seq(1, 1000)],
    halt().
"""


def test_a_reader_that_sleeps_at_the_end() -> None:
    """What is missing is said, for the capture that has come is a good one."""
    command = [sys.executable, "-m", "inetpy", "run", "--trace", "-", "--", "erl", "-noshell", "-eval", MUCH]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        line = run.stderr.readline()
        assert b"the trace ends: what reads" in line
        assert b"its end is missing" in line
        run.communicate()
        assert run.returncode == 0


def test_the_standard_output_is_closed() -> None:
    """No pipe gets its number, which would be copied into itself for ever."""
    command = 'exec "$0" -m inetpy run --trace - -- true >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], check=False, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert b"the trace goes to the standard output: Bad file descriptor" in done.stderr


def test_two_nodes(tmp_path: Path) -> None:
    """A file for each Python process: none is written over."""
    script = tmp_path / "two.sh"
    script.write_text(f"erl -noshell -eval '{HELLO}'\nerl -noshell -eval '{HELLO}'\n")
    done = inetpy("run", "--trace", str(tmp_path / "run.jsonl"), "--", "sh", str(script))
    assert done.stdout == b"done\ndone\n"
    for name in ("run.jsonl", "run-2.jsonl"):
        assert '"text": "hello"' in (tmp_path / name).read_text()


def test_the_status_is_that_of_the_program(tmp_path: Path) -> None:
    done = inetpy("run", "--trace", str(tmp_path / "run.jsonl"), "--", "erl", "-noshell", "-eval", "halt(7).")
    assert done.returncode == 7


def test_a_trace_does_not_take_the_place_of_its_schedule(tmp_path: Path) -> None:
    path, file = tmp_path / "run.jsonl", tmp_path / "net.py"
    file.write_text('network.fault(loss(0.5), proto="udp")\n')
    assert inetpy("run", "--network", str(file), "--trace", str(path), *ERL).returncode == 0
    recorded = path.read_bytes()
    done = inetpy("run", "--schedule", "run.jsonl", "--trace", "./run.jsonl", *ERL, cwd=tmp_path)
    assert done.returncode == 2
    assert b"run.jsonl is the schedule, too: the trace needs another file" in done.stderr
    assert path.read_bytes() == recorded


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--trace", "run.txt"), b"ends in .jsonl or .pcapng"),
        (("--trace", "/missing/run.jsonl"), b"No such file or directory"),
        (("--trace", "-", "--json"), b"both want the standard output"),
    ],
)
def test_errors(arguments: tuple[str, ...], why: bytes, tmp_path: Path) -> None:
    done = inetpy("run", *arguments, *ERL, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert why in done.stderr
    assert done.stderr.count(b"\n") == 1
