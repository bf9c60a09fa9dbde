"""Bytes that go to the node together with a select message.

A process has asked for 64 bytes, and waits. When they are there, the frame that tells the process has these
bytes, too. They are only peeked at. The node keeps them, and gives them to the next recv of 64 bytes by that
process: no request goes to Python. The request of the recv after that says that the bytes are taken, and they
are read.

    Python                                        the node
    {ready, Id, Handle, {Number, Pid, Data}}  ->  keeps Data, and sends the select message to Pid
                                              <-  {socket_recv, Id, Ref, {..., Number}}   they are taken

So the bytes are in the socket until they are taken, and nobody can see a difference: a close resets the
connection, `nread` counts them, another process reads them. Every other request that could see it, and the
end of a process, waits until it is known whether they have been taken:

    {recall, Id, Number}                      ->  gives the bytes up
                                              <-  {recalled, Id, Number, true}; false when Pid has them

Only a recv of a certain length is served like this: what a recv without a length reads depends on the moment.
Only where nobody waits behind. Only TCP sockets whose descriptor nobody else has: another process could read
between peek and read. Whoever exchanges `Plain.sock` while there are such bytes does that by `Plain.defer`.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import MSG_PEEK

from ...codec.terms import Pid
from ...host import pipes
from ...host.api import Socket

__all__ = ["MOST", "Ahead", "peek"]

MOST = 512  # bytes: they may stay in the socket, and so in its window, until the process asks again


class Ahead:
    """Bytes that the node has. Number tells them from others of this socket.

    process: who may take them. size: how many bytes.
    deferred: what waits until they are taken, or given up.
    recalled: the node has been asked for them.
    """

    __slots__ = ("deferred", "number", "process", "recalled", "size")

    def __init__(self, number: int, process: Pid, size: int) -> None:
        self.number = number
        self.process = process
        self.size = size
        self.deferred: list[Callable[[], object]] = []
        self.recalled = False


def peek(sock: Socket | None, size: int) -> bytes | None:
    """So many bytes of a stream of the system, if all of them are there."""
    if not 0 < size <= MOST or sock is None or not hasattr(sock, "fileno"):
        return None
    # Asked first: a peek at a socket with no bytes takes the error that the next recv is to tell.
    if pipes.readable(sock) < size:
        return None
    data = sock.recv(size, MSG_PEEK)
    return data if len(data) == size else None
