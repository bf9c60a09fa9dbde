"""The keys of Python's sessions of TLS: of servers in memory, and of `Network.connect`.

ssl writes each key to a file as soon as it has it. The file is one in memory, which nobody else sees.
"""

from __future__ import annotations

from ssl import SSLContext
from weakref import WeakSet

from ..host.files import MemoryFile

__all__ = ["KeyLog"]


class KeyLog:
    """See the module. It is off at first: then no key is written."""

    def __init__(self) -> None:
        self._contexts: WeakSet[SSLContext] = WeakSet()
        self._file: MemoryFile | None = None

    def watch(self, context: SSLContext) -> None:
        """From now on also the sessions of this context. One that has a file of keys already keeps it."""
        self._contexts.add(context)
        if self._file is not None and context.keylog_filename is None:
            context.keylog_filename = self._file.path

    def turn(self, on: bool) -> None:
        """On, or off. Twice is as once."""
        if on and self._file is None:
            self._file = MemoryFile("inetpy-keys")
            for context in list(self._contexts):
                self.watch(context)
        elif not on and self._file is not None:
            for context in self._contexts:
                if context.keylog_filename == self._file.path:
                    context.keylog_filename = None  # type: ignore[assignment]
            self._file.close()
            self._file = None

    def lines(self) -> list[str]:
        """The keys that have come since the last time, as lines of a file of SSLKEYLOGFILE."""
        lines = [] if self._file is None else self._file.lines()
        return [line.decode("ascii", "replace") for line in lines if not line.startswith(b"#")]
