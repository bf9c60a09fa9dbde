"""Readiness of sockets that have no descriptor."""

from __future__ import annotations

from typing import Any

from . import bugs
from .api import ERROR, HANGUP, VirtualSocket, Waiter

__all__ = ["VirtualReadiness", "system_socket"]

_ALWAYS = ERROR | HANGUP  # as in epoll(7)


def system_socket(sock: Any) -> Any:
    """The socket behind those that stand in its place: each of them has the next as `sock`."""
    while (behind := getattr(sock, "sock", None)) is not None:
        sock = behind
    return sock


class VirtualReadiness:
    """What epoll(7) is for descriptors: level-triggered, by `VirtualSocket.ready`.

    A socket that may be ready stands in `candidates`, from `notify` until a look finds it not ready.
    So idle sockets cost nothing.

    All sockets are `VirtualSocket`s. The methods are those of `api.Poller`.
    """

    def __init__(self) -> None:
        self._interests: dict[VirtualSocket, tuple[int, Waiter]] = {}
        self.candidates: dict[VirtualSocket, None] = {}  # in the order in which they became ready

    def add(self, sock: Any, events: int, waiter: Waiter) -> None:
        self.register(sock, events, waiter)
        self.candidates[sock] = None

    def register(self, sock: Any, events: int, waiter: Waiter) -> None:
        """As `add`, for a socket that no look looks at before `notify`."""
        self._interests[sock] = (events, waiter)

    def change(self, sock: Any, events: int) -> None:
        self.add(sock, events, self._interests[sock][1])

    def remove(self, sock: Any) -> None:
        del self._interests[sock]
        self.candidates.pop(sock, None)

    def forget(self, sock: Any) -> None:
        if sock in self._interests:
            self.remove(sock)

    def notify(self, sock: Any) -> None:
        if sock in self._interests:
            self.candidates[sock] = None

    def run_ready(self) -> bool:
        """Calls the waiters of all sockets that are ready. False when none was."""
        ran = False
        for sock in list(self.candidates):
            interest = self._interests.get(sock)
            if interest is None:
                continue  # an earlier waiter of this round has removed it
            events, waiter = interest
            ready = sock.ready & (events | _ALWAYS)
            if not ready:
                del self.candidates[sock]
                continue
            ran = True
            try:
                waiter.on_ready(ready)
            except Exception as error:  # noqa: BLE001  `bugs` logs it
                bugs.failed(waiter, error)
                if self._interests.get(sock) == interest and not waiter.survives:
                    self.forget(sock)  # it would be called, and raise, for ever
        return ran
