"""A controlled listener: its calls can fail, and it accepts connections that Python makes in memory."""

from __future__ import annotations

import errno
import socket
from collections import deque
from typing import Any, ClassVar

from ..host.api import LINGER_NOW, READ, Poller
from ..host.errors import os_error
from .controlled import Controlled
from .rules import Rule
from .whom import Facts

__all__ = ["ControlledListener"]


class ControlledListener(Controlled):
    """See the module. `down` and `refuse` reset what comes from the system: it has been accepted by then."""

    survives: ClassVar[bool] = False
    type = socket.SOCK_STREAM

    def __init__(self, sock: Any, facts: Facts, poller: Poller, is_listening: bool = False) -> None:
        super().__init__(sock, facts, poller)
        self.family: int = sock.family
        self.closed = False
        self._injected: deque[tuple[Any, Any]] = deque()  # connections that are still to be accepted
        self._is_readable = False
        self._is_polled = False
        self.is_listening = is_listening
        if is_listening:
            self._watch()

    @property
    def ready(self) -> int:
        return READ if self._injected or self._is_readable else 0

    def set_rules(self, rules: list[Rule]) -> None:
        self._rules = rules
        self.calls.set_rules(rules)
        self.look_idle()

    def look_idle(self) -> None:
        if not self._rules and not self._injected and not self.closed:
            self.on_idle()

    def retire(self) -> None:
        self._poller.forget(self.sock)

    def inject(self, sock: Any, address: Any) -> None:
        """A connection from Python. Raises ConnectionRefusedError."""
        refusal = self.calls.refusal()
        if not self.is_listening or refusal is not None:
            raise os_error(errno.ECONNREFUSED)
        self._injected.append((sock, address))
        self._poller.notify(self)

    # --- the socket of the system ---

    def _watch(self) -> None:
        if not self._is_polled:
            self._is_polled = True
            self._poller.add(self.sock, READ, self)

    def on_ready(self, _events: int) -> None:
        """Looks again when the connections that are there have been accepted."""
        self._is_polled = False
        self._poller.remove(self.sock)
        self._is_readable = True
        self._poller.notify(self)

    def accept(self) -> tuple[Any, Any]:
        while not self._injected:
            self._take()
        self.calls.check("accept")
        self.calls.check_patience("accept", "recv")
        accepted = self._injected.popleft()
        self.look_idle_soon()
        return accepted

    def _take(self) -> None:
        """A connection that the system has. A fault of accept happens to one that is there, and leaves it."""
        try:
            sock, address = self.sock.accept()
        except BlockingIOError:
            self._is_readable = False
            self._watch()
            raise
        if self.calls.refusal() is None:
            self._injected.append((sock, address))
        else:
            self._reset(sock)

    def _reset(self, sock: Any) -> None:
        if self.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOW)
        sock.close()

    def listen(self, backlog: int = 0, /) -> None:
        self.calls.check("listen")
        self.sock.listen(backlog)
        self.is_listening = True
        self.learn_address()
        self._watch()

    def __getattr__(self, name: str) -> Any:
        """The other calls are those of the socket. It has no `fileno`: the poller is told what is ready."""
        if name == "fileno":
            raise AttributeError(name)
        return getattr(self.sock, name)

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        for sock, _ in self._injected:
            self._reset(sock)
        self._poller.forget(self.sock)
        self.sock.close()

    def fail(self, _error: Exception) -> None:
        self.close()
