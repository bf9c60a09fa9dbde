"""`inetpy trace --live`: what the sockets of a node do that runs, until Ctrl-C or the end of the node.

Each Python of the node writes to a named pipe of ours, and this process copies. When it ends, the pipes have
no reader any more, and the trace ends by itself: see `host.files.ThreadedFile`.
"""

from __future__ import annotations

import os
import select
import signal
import tempfile
from pathlib import Path

from .faults import Bridge, FaultsError, ask, chosen, is_alive

__all__ = ["show"]

MOST = 1 << 16  # bytes of one read
LOOKS = 100  # ms between two looks whether the node is there


class Source:
    """The pipe of one Python. What it writes comes in whole lines, where `by_line`."""

    def __init__(self, bridge: Bridge, path: Path, by_line: bool) -> None:
        os.mkfifo(path, 0o600)
        self.descriptor = os.open(
            path, os.O_RDWR | os.O_NONBLOCK
        )  # for both: it never seems to be at its end
        self.pid = str(bridge.said["pid"])
        self._by_line = by_line
        self._rest = b""
        try:
            ask(bridge.path, {"do": "trace", "file": str(path)})
        except (ConnectionError, FileNotFoundError):
            raise FaultsError("Python of the node has ended meanwhile: try again") from None

    def read(self) -> bytes:
        data = self._rest + os.read(self.descriptor, MOST)
        end = data.rfind(b"\n") + 1 if self._by_line else len(data)
        self._rest = data[end:]
        return data[:end]


def show(which: str | None, as_capture: bool) -> None:
    """Writes to the standard output: lines of JSON, or a capture. Raises FaultsError."""
    node = chosen(which)
    if as_capture and len(node.bridges) > 1:
        raise FaultsError(
            f"{node.name} has {len(node.bridges)} Pythons, and a capture is of one: leave --pcapng out"
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="inetpy-trace-") as folder:
        ending = "pcapng" if as_capture else "jsonl"
        sources = [
            Source(bridge, Path(folder) / f"{number}.{ending}", not as_capture)
            for number, bridge in enumerate(node.bridges)
        ]
        try:
            _copy({source.descriptor: source for source in sources})
        except (KeyboardInterrupt, BrokenPipeError):
            pass  # nobody wants more of it


def _copy(sources: dict[int, Source]) -> None:
    """Until all of these Pythons have ended."""
    poll = select.poll()
    for descriptor in sources:
        poll.register(descriptor, select.POLLIN)
    while sources:
        ready = poll.poll(LOOKS)
        for descriptor, _ in ready:
            _write_all(sources[descriptor].read())
        ended = [] if ready else [source for source in sources.values() if not is_alive(source.pid)]
        for source in ended:
            poll.unregister(source.descriptor)
            del sources[source.descriptor]


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]
