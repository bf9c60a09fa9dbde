"""Where the trace of `inetpy run --trace FILE` goes: a file, or with `-` the standard output.

    with trace_file.opened(name) as trace:
        subprocess.call(command, env=os.environ | trace.variables, stdout=trace.stdout)

The Python processes of the program write the file themselves. For the standard output there is a named
pipe, from which this process copies. The program's own output goes to the standard error then.
"""

from __future__ import annotations

import os
import select
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ..network.trace import writer_for

__all__ = ["Opened", "TraceFileError", "opened"]

MOST = 1 << 16  # bytes of one read
LOOKS = 100  # ms between two looks whether the program has ended


class TraceFileError(Exception):
    """The file cannot be had, in one sentence."""


class Opened(NamedTuple):
    """variables: of the environment of the program. stdout: where its output goes; None: where ours goes."""

    variables: dict[str, str]
    stdout: int | None


@contextmanager
def opened(name: str | None, schedule: str | None = None) -> Iterator[Opened]:
    """See the module. None: there is no trace. schedule: a file that is read. Raises TraceFileError."""
    if name is None:
        yield Opened({}, None)
    elif name == "-":
        _check_open(1)
        with tempfile.TemporaryDirectory(prefix="inetpy-trace-") as folder:
            pipe = Path(folder) / "trace.pcapng"
            os.mkfifo(pipe, 0o600)
            with _copied(pipe, 1):
                yield Opened({"INETPY_TRACE": str(pipe)}, 2)
    else:
        yield Opened({"INETPY_TRACE": str(_new(Path(name), schedule))}, None)


def _check_open(descriptor: int) -> None:
    """The pipe would get the number of a descriptor that is closed, and be copied into itself."""
    try:
        os.fstat(descriptor)
    except OSError as error:
        raise TraceFileError(f"the trace goes to the standard output: {error.strerror}") from None


def _new(path: Path, schedule: str | None) -> Path:
    """The path of a file that can be made. One that is there goes: the first process makes a new one."""
    try:
        writer_for(path.name)
        path.touch()
        if schedule is not None and os.path.exists(schedule) and path.samefile(schedule):
            raise TraceFileError(f"{path} is the schedule, too: the trace needs another file")
        path.unlink()
    except ValueError as error:
        raise TraceFileError(str(error)) from None
    except OSError as error:
        raise TraceFileError(f"{path}: {error.strerror}") from None
    return path.resolve()


@contextmanager
def _copied(pipe: Path, target: int) -> Iterator[None]:
    """What comes out of the pipe goes to the descriptor `target`, until the end of the block."""
    source = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)  # for both, so that it never seems to be at its end
    is_over = threading.Event()
    thread = threading.Thread(target=_copy, args=(source, target, is_over))
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _copy(source: int, target: int, is_over: threading.Event) -> None:
    """When nobody reads `target` any more, the pipe is closed, and its writers notice."""
    poll = select.poll()
    poll.register(source, select.POLLIN)
    try:
        while True:
            was_over = is_over.is_set()
            if poll.poll(LOOKS):
                _write_all(target, os.read(source, MOST))
            elif was_over:
                return
    except BrokenPipeError:
        print("inetpy run: nobody reads the trace any more: it ends", file=sys.stderr)
    except OSError as error:
        print(f"inetpy run: the trace ends: {error.strerror}", file=sys.stderr)
    finally:
        os.close(source)


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
