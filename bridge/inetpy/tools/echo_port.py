"""The baselines of the benchmark: minimal Python programs.

    echo_port.py          a port program that echoes every frame: the lower bound of a call
    echo_port.py terms    a port program that decodes each frame (a call in the form of erlport) in
                          pure Python, and answers with a term
    echo_port.py tcp      a TCP echo server with a thread for each connection; it prints its port,
                          and ends when its input is closed

It runs as a program of its own and imports only what it needs.
"""

import os
import sys


def frames() -> None:
    while data := os.read(0, 65536):
        os.write(1, data)


def terms() -> None:
    from inetpy.codec.etf import PURE
    from inetpy.codec.terms import Atom

    decode, encode, _ = PURE
    while data := os.read(0, 65536):
        call = decode(data[4:])
        assert isinstance(call, tuple)
        _, ident, _module, _function, arguments = call
        answer = encode((Atom("reply"), ident, arguments))
        os.write(1, len(answer).to_bytes(4, "big") + answer)


def tcp() -> None:
    import socket
    import threading

    def echo(peer: socket.socket) -> None:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while data := peer.recv(65536):
            peer.sendall(data)

    def accept(listener: socket.socket) -> None:
        while True:
            threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    os.write(1, b"%d\n" % listener.getsockname()[1])
    sys.stdin.read()


if __name__ == "__main__":
    {"frames": frames, "terms": terms, "tcp": tcp}[sys.argv[1] if len(sys.argv) > 1 else "frames"]()
