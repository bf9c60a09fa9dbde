"""Files that are written."""

from __future__ import annotations

import itertools
import os
import stat
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

__all__ = ["MemoryFile", "ThreadedFile", "claimed", "replaced_file"]

MOST_BEHIND = 64 << 20  # bytes that wait to be written, before the file is given up
PATIENCE = 5.0  # seconds to write the rest
AT_ONCE = 1 << 20  # bytes of one write(2)


@contextmanager
def replaced_file(path: str) -> Iterator[BinaryIO]:
    """A new file, which takes the place of the one at `path` when all is written. Raises OSError.

    A device or a pipe keeps its place, and is written to.
    """
    if not _is_replaceable(path):
        with open(path, "wb") as file:
            yield file
        return
    beside = f"{path}.{os.getpid()}.part"
    try:
        with open(beside, "wb") as file:
            yield file
        os.replace(beside, path)
    except BaseException as error:
        try:
            os.unlink(beside)
        except OSError:
            pass  # it could not be opened
        if isinstance(error, OSError) and error.filename == beside:
            error.filename = path  # the name that the caller knows
        raise


def claimed(path: str) -> str | None:
    """A file of ours alone, of several processes that have the same path: `run.jsonl`, `run-2.jsonl`, ...

    A pipe is for the first process only, and None for the others. Raises OSError where none can be made.
    """
    root, extension = os.path.splitext(path)
    is_pipe = _is_pipe(path)
    for number in itertools.count(1):
        name = f"{path}.taken" if is_pipe else path if number == 1 else f"{root}-{number}{extension}"
        try:
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            if is_pipe:
                return None
        else:
            return path if is_pipe else name
    raise AssertionError  # there is always a next number


class MemoryFile:
    """A file in memory, which others of this process write to by its `path`."""

    def __init__(self, name: str) -> None:
        self._descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
        self.path = f"/proc/self/fd/{self._descriptor}"
        self._at = 0  # bytes that have been read

    def lines(self) -> list[bytes]:
        """The whole lines that have come since the last time, without their ends."""
        data = os.pread(self._descriptor, AT_ONCE, self._at)
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.splitlines()

    def close(self) -> None:
        os.close(self._descriptor)


class ThreadedFile:
    """A file or a named pipe that a thread writes to: `write` never waits.

    failure: why it takes no more: the disk is full, nobody reads the pipe, or the reader is 64 MB behind.
    None: all is well.

    Raises OSError where it cannot be opened. A pipe is opened by the thread: that waits for a reader.
    """

    def __init__(self, path: str) -> None:
        self.failure: str | None = None
        self._path = path
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._is_closed = False
        self._changed = threading.Condition()
        self._descriptor = -1 if _is_pipe(path) else os.open(path, _FLAGS, 0o666)
        self._thread = threading.Thread(target=self._run, name="inetpy-trace", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """What does not come into the file is lost: see `failure`."""
        with self._changed:
            if self.failure is None:
                self._waiting.append(data)
                self._size += len(data)
                self._changed.notify()
                if self._size > MOST_BEHIND:
                    self._give_up(f"what reads {self._path} is too slow")

    def close(self) -> None:
        """Waits until all is written, but no longer than five seconds: `failure` says so then."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(PATIENCE)
        with self._changed:
            if self._thread.is_alive() and self.failure is None:
                self._give_up(f"what reads {self._path} is too slow: its end is missing")

    def _give_up(self, why: str) -> None:
        self.failure = why
        self._waiting.clear()
        self._size = 0

    def _run(self) -> None:
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            while data := self._next():
                view = memoryview(data)
                while view:
                    view = view[os.write(self._descriptor, view[:AT_ONCE]) :]
        except OSError as error:
            with self._changed:
                self._give_up(f"{self._path}: {error.strerror}")
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)

    def _next(self) -> bytes:
        """What waits; b"" at the end."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._size = 0
        return data


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


def _is_replaceable(path: str) -> bool:
    """Whether a file is there, or nothing. A folder counts: no file takes its place."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _is_pipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False
