"""A file on its way into a stream (file:sendfile/5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...codec.etf import encode_body
from ...session.waiting import Waiting
from ...wire.messages import build_error, build_ok
from .outbox import Outbox

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["MAX_OFFSET", "FileSend"]

FILE_CHUNK = 1 << 20  # bytes of one sendfile(2): others get their turn between two
MAX_OFFSET = (1 << 63) - 1


class FileSend:
    """What of a file is left, and the caller that waits for it.

    The bytes that were in the outbox first go ahead of the file.
    """

    __slots__ = ("_ahead", "_caller", "_descriptor", "_left", "_offset", "_sent", "_stream")

    def __init__(
        self, stream: Stream, caller: Waiting, descriptor: int, offset: int, length: int, ahead: int
    ) -> None:
        self._stream = stream
        self._caller = caller
        self._descriptor = descriptor
        self._offset = offset
        self._left = length
        self._sent = 0
        self._ahead = ahead

    def write(self, outbox: Outbox) -> bool:
        """Sends what goes ahead, and a part of the file. True when all of it is sent.

        False: nothing more has come from the node. Raises OSError; BlockingIOError where the system
        takes no more for now.
        """
        sock, host = self._stream.sock, self._stream.session.host
        assert sock is not None
        while self._ahead:
            parts = outbox.vector_of(self._ahead)
            if not parts:
                return False
            sent = sock.sendmsg(parts)
            outbox.sent(sent)
            self._ahead -= sent
        sent = host.sendfile(sock, self._descriptor, self._offset, min(self._left, FILE_CHUNK))
        self._sent += sent
        self._offset += sent
        self._left -= sent
        if sent and self._left:
            raise BlockingIOError
        return True

    def finish(self) -> None:
        """All of the file is sent."""
        self._close(build_ok(encode_body(self._sent)))

    def end(self, error: str) -> None:
        """The connection ends first."""
        self._close(build_error("closed" if error in ("econnreset", "enotconn", "epipe") else error))

    def _close(self, answer: bytes) -> None:
        self._stream.sending.file = None
        self._stream.session.host.close_file(self._descriptor)
        self._caller.answer(answer)
