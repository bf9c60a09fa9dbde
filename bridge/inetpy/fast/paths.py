"""The fast paths of one session, and their thresholds.

    early answer   a large send of the only active caller is answered when the system has taken the
                   beginning. The caller goes on while the rest is written.
    splice         many bytes for the only active caller in recv move from the socket to the node in
                   the kernel.
    early requests a caller that asks the same small thing all the time does not wait for the answer: see
                   `sockets.early`.
    views          a large frame is not copied out of what was read, and a large packet is not copied
                   behind the beginning of its frame.

Without them (INETPY_FAST=0) every frame is copied, and a send is answered after it is written.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from ..host import pipes
from .duct import Duct

__all__ = ["BEGINNING", "EARLY_AFTER", "LARGE", "Channel", "FastPaths"]

LARGE = 16 * 1024  # bytes: from here on a copy costs more than a view, or a second buffer
BEGINNING = 4096  # bytes of a large send: what the system takes of it before its caller gets the answer
NEVER = sys.maxsize  # bytes, requests
EARLY_AFTER = 8  # requests


class Channel(Protocol):
    """What the fast paths need of a link."""

    def idle(self) -> bool:
        """True if no other answer is queued and no unread request is buffered."""

    def flush(self) -> None:
        """What has been answered so far leaves now."""

    def takes_pipe(self) -> bool:
        """True if `forward` can move bytes on without a copy: the output is a pipe, and nothing waits."""

    def forward(self, ref: bytes, body: bytes, duct: Duct, size: int) -> None:
        """An answer with a tail of the `size` bytes that are in the duct. It leaves at once."""


class FastPaths:
    """See the module.

    channel: the link, or None where there are no fast paths.
    on: whether there are fast paths at all.
    early_after: after so many requests of a socket, callers of it need not wait.
    """

    def __init__(self, channel: Channel | None) -> None:
        self.early_after = EARLY_AFTER if channel is not None else NEVER
        self.on = channel is not None
        self._channel = channel
        self._own = channel
        self._duct: Duct | None = None
        # `Dispatcher` notes the sockets of the last two requests, and how many were for sockets that do not
        # flood.
        self.before = self.latest = self.others = 0

    def step_aside(self, aside: bool) -> None:
        """While somebody is to see all bytes there are no fast paths."""
        self._channel = None if aside else self._own
        self.on = self._channel is not None

    def alone(self, ident: int) -> bool:
        """True if the last two requests were for socket `ident`, and nothing else is under way.

        Then an answer that leaves early lets its caller go on early. With several active callers an
        early answer would only cost what is saved by answering them together.
        """
        channel = self._channel
        return channel is not None and self.latest == self.before == ident and channel.idle()

    def flush(self) -> None:
        """What has been answered so far leaves now."""
        assert self._channel is not None
        self._channel.flush()

    def take(self, sock: Any, least: int, most: int) -> int | bytes:
        """Moves up to `most` bytes of the stream `sock` to where `forward` finds them.

        An int is how many, `least` or more, and then `forward` must follow. Bytes are what came when it
        was less than `least`; b"" is nothing.
        """
        channel = self._channel
        if channel is None or not channel.takes_pipe() or not hasattr(sock, "fileno"):
            return b""
        if pipes.readable(sock) < least:
            return b""
        if self._duct is None:
            try:
                self._duct = Duct()
            except OSError:
                return b""  # no descriptor is left for it
        size = self._duct.fill(sock, most)
        # The kernel counts bytes that are not for us (MSG_OOB on unix sockets), and another process
        # may read from the same socket.
        return size if size >= least else self._duct.read(size)

    def forward(self, ref: bytes, body: bytes, size: int) -> None:
        """Answers with the `size` bytes that `take` has moved; `body` is what comes before them."""
        assert self._channel is not None
        assert self._duct is not None
        self._channel.forward(ref, body, self._duct, size)

    def close(self) -> None:
        """Gives the descriptors back."""
        if self._duct is not None:
            self._duct.close()
            self._duct = None
