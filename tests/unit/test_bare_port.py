"""The bare port program of the benchmark: what it measures is work that is done."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

import pytest

from inetpy.tools import bare_port

LISTENER, CLIENT, SERVER = 0, 1, 2


class Program:
    """The program, started as `inetpy bench` does: without installed packages, so without inetpy."""

    def __init__(self) -> None:
        command = [sys.executable, "-S", "-E", bare_port.__file__]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    @property
    def stdin(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    def ask(self, operation: bytes, number: int, argument: bytes = b"") -> bytes:
        """The answer to a question."""
        self.stdin.write(frame(operation, number, argument))
        answered, answer = self.answer()
        assert answered == number
        return answer

    def answer(self) -> tuple[int, bytes]:
        """The next answer, with the number of its socket."""
        (length,) = struct.unpack(">I", self._read(4))
        answer = self._read(length)
        return int.from_bytes(answer[:4], "big"), answer[4:]

    def _read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        read = b""
        while len(read) < size:
            more = self.process.stdout.read(size - len(read))
            assert more, "the program has ended"
            read += more
        return read


def frame(operation: bytes, number: int, argument: bytes = b"") -> bytes:
    return struct.pack(">IcI", 5 + len(argument), operation, number) + argument


def as_number(number: int) -> bytes:
    return number.to_bytes(4, "big")


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    with program.process:
        yield program
        program.stdin.close()
        assert program.process.wait(30) == 0


@pytest.fixture
def pair(program: Program) -> Program:
    """The program with a connection between `CLIENT` and `SERVER`."""
    port = program.ask(b"l", LISTENER, as_number(0))
    assert program.ask(b"o", CLIENT, port) == b""
    assert program.ask(b"a", SERVER, as_number(LISTENER)) == b""
    return program


def test_lines(pair: Program) -> None:
    """Each question takes one line of what has come; there is nothing at the end."""
    pair.stdin.write(frame(b"s", CLIENT, b"one\ntw") + frame(b"s", CLIENT, b"o\n"))
    assert [pair.ask(b"n", SERVER), pair.ask(b"n", SERVER)] == [b"one\n", b"two\n"]
    assert pair.ask(b"c", CLIENT) == b""
    assert pair.ask(b"n", SERVER) == b""


def test_a_question_waits_for_its_bytes(pair: Program) -> None:
    """What waits for a line has no answer before all of it has come; others are answered meanwhile."""
    pair.stdin.write(frame(b"n", SERVER) + frame(b"s", CLIENT, b"the begin"))
    pair.stdin.write(frame(b"s", SERVER, b"hello"))
    assert pair.ask(b"r", CLIENT, as_number(100)) == b"hello"
    pair.stdin.write(frame(b"s", CLIENT, b"ning\n"))
    assert pair.answer() == (SERVER, b"the beginning\n")


def test_who_does_not_want_to_wait_is_told(pair: Program) -> None:
    """Where nothing has come, an empty answer says so, and a second one that something has."""
    assert pair.ask(b"w", SERVER, as_number(100)) == b""
    pair.stdin.write(frame(b"s", CLIENT, b"abc"))
    assert pair.answer() == (SERVER, b"")
    assert pair.ask(b"w", SERVER, as_number(100)) == b"abc"


def test_no_more_than_asked_for(pair: Program) -> None:
    pair.stdin.write(frame(b"s", CLIENT, b"abcdef"))
    assert [pair.ask(b"r", SERVER, as_number(4)), pair.ask(b"r", SERVER, as_number(4))] == [b"abcd", b"ef"]


def test_frames_in_parts(pair: Program) -> None:
    """Requests may come byte by byte."""
    for byte in frame(b"s", CLIENT, b"a line\n") + frame(b"n", SERVER):
        pair.stdin.write(bytes([byte]))
    assert pair.answer() == (SERVER, b"a line\n")


def test_connections_one_after_the_other(program: Program) -> None:
    """Numbers and descriptors are used again, also those that the program has waited for."""
    port = program.ask(b"l", LISTENER, as_number(0))
    for _ in range(3):
        program.ask(b"o", CLIENT, port)
        program.ask(b"a", SERVER, as_number(LISTENER))
        program.stdin.write(frame(b"n", SERVER) + frame(b"s", CLIENT, b"a line\nthe rest"))
        assert program.answer() == (SERVER, b"a line\n")
        program.ask(b"c", CLIENT)
        program.ask(b"c", SERVER)


def test_buffer_for_receiving(program: Program) -> None:
    """A small buffer stops a peer sooner. All of its bytes come, and then the end."""
    small, large = (sent_before_it_is_full(program, recbuf) for recbuf in (4096, 0))
    assert small < large


def sent_before_it_is_full(program: Program, recbuf: int) -> int:
    """How many bytes the system takes from a peer while the program does not read."""
    (port,) = struct.unpack(">H", program.ask(b"l", LISTENER, as_number(recbuf)))
    with socket.socket() as peer:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        peer.connect(("127.0.0.1", port))
        program.ask(b"a", SERVER, as_number(LISTENER))
        sent = as_much_as_fits(peer)
    received = b""
    while data := program.ask(b"r", SERVER, as_number(65536)):
        received += data
    assert received == bytes(sent)
    return sent


def as_much_as_fits(peer: socket.socket) -> int:
    """How many bytes could be sent."""
    peer.setblocking(False)
    sent = 0
    try:
        while True:
            sent += peer.send(bytes(1024))
    except BlockingIOError:
        return sent
