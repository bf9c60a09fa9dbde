"""The floor of the benchmark: a port program that does no more for a socket than its system calls.

A frame of the node is a letter, the number of a socket, and what the operation takes; an answer is the
number, and what the operation gives (see `Sockets`). Whoever asks has chosen the number, and has one
question at a time. There are no terms, options, checks or timeouts. As inetpy does, the program looks
for 100 µs before it sleeps, makes room in its pipe, and sends what is read together for one socket at once.

It runs as a program of its own and imports nothing of inetpy. An error ends it.
"""

import fcntl
import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from time import perf_counter

SPIN = 1e-4  # seconds
READ_SIZE = (1 << 17) - 64  # bytes: with its head, a larger buffer is mapped by malloc each time
LINE_SIZE = 1460  # bytes of one recv(2), as gen_tcp's default buffer
PIPE_SIZE = 1 << 20
STDIN, STDOUT = 0, 1

ASKED = Struct(">IcI")  # the length of what follows; the letter; the number
ANSWERED = Struct(">II")  # the length of what follows; the number
PORT = Struct(">H")
NUMBER = Struct(">I")  # of a socket, or of bytes

Operation = Callable[[int, bytes], bytes]


class Sockets:
    """Sockets by number, and their operations. One that cannot be done yet raises BlockingIOError."""

    def __init__(self) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._unread: dict[int, bytes] = {}  # what `line` has read and not given

    def descriptor(self, number: int) -> int:
        return self._sockets[number].fileno()

    def listen(self, number: int, recbuf: bytes) -> bytes:
        """Gives the TCP port. `recbuf` is in bytes; 0: as the system has it."""
        self._sockets[number] = listener = socket.create_server(("127.0.0.1", 0))
        if size := NUMBER.unpack(recbuf)[0]:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        return PORT.pack(listener.getsockname()[1])

    def open(self, number: int, port: bytes) -> bytes:
        sock = socket.socket()
        sock.connect(("127.0.0.1", PORT.unpack(port)[0]))
        return self._opened(number, sock)

    def accept(self, number: int, listener: bytes) -> bytes:
        return self._opened(number, self._sockets[NUMBER.unpack(listener)[0]].accept()[0])

    def _opened(self, number: int, sock: socket.socket) -> bytes:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[number] = sock
        self._unread[number] = b""
        return b""

    def close(self, number: int, _: bytes) -> bytes:
        self._sockets.pop(number).close()
        self._unread.pop(number, None)  # a listener has none
        return b""

    def send(self, number: int, data: bytes) -> None:
        self._sockets[number].sendall(data, socket.MSG_DONTWAIT)

    def receive(self, number: int, most: bytes) -> bytes:
        """Gives what has come, and nothing at the end."""
        return self._sockets[number].recv(NUMBER.unpack(most)[0], socket.MSG_DONTWAIT)

    def line(self, number: int, _: bytes) -> bytes:
        """Gives a line, and nothing at the end."""
        while not (end := self._unread[number].find(b"\n") + 1):
            if not (more := self._sockets[number].recv(LINE_SIZE, socket.MSG_DONTWAIT)):
                return b""
            self._unread[number] += more
        unread = self._unread[number]
        self._unread[number] = unread[end:]
        return unread[:end]


class Program:
    """The loop: requests of the node, and sockets that somebody waits for."""

    def __init__(self) -> None:
        self._sockets = sockets = Sockets()
        self._operations: dict[bytes, Operation] = {
            b"l": sockets.listen,
            b"o": sockets.open,
            b"a": sockets.accept,
            b"c": self._close,
            b"r": sockets.receive,
            b"n": sockets.line,
            b"w": self._receive_or_tell,
        }
        self._epoll = select.epoll()
        self._epoll.register(STDIN, select.EPOLLIN)
        self._watched: set[int] = set()  # descriptors
        self._waiting: dict[int, tuple[Operation, int, bytes]] = {}  # by descriptor
        self._rest = b""  # the beginning of a frame
        self._unsent: dict[int, list[bytes]] = {}
        self._answers: list[bytes] = []

    def run(self) -> None:
        """Returns at the end of the input."""
        until = 0.0
        while True:
            ready = self._epoll.poll(0 if perf_counter() < until else -1)
            if not ready:
                os.sched_yield()
                continue
            for descriptor, _ in ready:
                if descriptor != STDIN:
                    self._on_ready(descriptor)
                elif read := os.read(STDIN, READ_SIZE):
                    self._on_requests(self._rest + read)
                else:
                    return
            if self._answers:
                os.writev(STDOUT, self._answers)
                self._answers.clear()
            until = perf_counter() + SPIN

    def _on_requests(self, data: bytes) -> None:
        at = 0
        while len(data) - at >= ASKED.size:
            length, letter, number = ASKED.unpack_from(data, at)
            end = at + NUMBER.size + length
            if end > len(data):
                break
            argument = data[at + ASKED.size : end]
            if letter == b"s":
                self._unsent.setdefault(number, []).append(argument)
            else:
                self._send()
                self._ask(self._operations[letter], number, argument)
            at = end
        self._send()
        self._rest = data[at:]

    def _send(self) -> None:
        for number, parts in self._unsent.items():
            self._sockets.send(number, b"".join(parts))
        self._unsent.clear()

    def _ask(self, operation: Operation, number: int, argument: bytes) -> None:
        try:
            answer = operation(number, argument)
        except BlockingIOError:
            self._wait(operation, number, argument)
        else:
            self._answers += ANSWERED.pack(NUMBER.size + len(answer), number), answer

    def _wait(self, operation: Operation, number: int, argument: bytes) -> None:
        descriptor = self._sockets.descriptor(number)
        self._waiting[descriptor] = operation, number, argument
        if descriptor not in self._watched:
            self._watched.add(descriptor)
            self._epoll.register(descriptor, select.EPOLLIN)

    def _on_ready(self, descriptor: int) -> None:
        if asked := self._waiting.pop(descriptor, None):
            self._ask(*asked)
        elif descriptor in self._watched:  # nobody waits; not closed since the look
            self._watched.remove(descriptor)
            self._epoll.unregister(descriptor)

    def _receive_or_tell(self, number: int, most: bytes) -> bytes:
        """Gives what has come; or nothing, and nothing once more when something has."""
        try:
            return self._sockets.receive(number, most)
        except BlockingIOError:
            self._wait(lambda _number, _argument: b"", number, b"")
            return b""

    def _close(self, number: int, argument: bytes) -> bytes:
        self._watched.discard(self._sockets.descriptor(number))  # close(2) takes it out of the epoll set
        return self._sockets.close(number, argument)


if __name__ == "__main__":
    with suppress(OSError):  # more than this user may have: it works all the same
        fcntl.fcntl(STDOUT, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
    Program().run()
