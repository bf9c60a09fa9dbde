"""The process of a node: `erl`, its output, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .. import beams

__all__ = ["Emulator", "elixir_folders", "find"]

KEPT = 1 << 16  # bytes of output
CHUNK = 1 << 16

# No waiting in a loop: tests share their processors. No file .erlang of the user.
FLAGS = (
    *("-noinput", "-boot", "no_dot_erlang"),
    *("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none"),
    # As in tools.run: only sockets of the stock driver may be open when the node is put on inetpy.
    *("-kernel", "inet_backend", "inet"),
    # Names of files are UTF-8 as they are in Python, also in the locale C.
    "+fnu",
)


def find(erl: str | os.PathLike[str]) -> str:
    """The path of the program `erl`. Raises FileNotFoundError."""
    program = os.fspath(erl)
    found = shutil.which(program)
    if found is None:
        where = f"at {program}" if os.path.dirname(program) else f"on the PATH: no program {program}"
        raise FileNotFoundError(
            f"there is no Erlang {where}. Install Erlang/OTP 25 or later, or name its program `erl`: "
            "`pytest --inetpy-erl PATH`, `Node(erl=PATH)`"
        )
    return found


def elixir_folders() -> list[str]:
    """The beams of Elixir. Raises FileNotFoundError where it is not installed."""
    program = shutil.which("elixir")
    if program is not None:
        base = Path(program).resolve().parent.parent
        for lib in (base / "lib", base / "lib" / "elixir" / "lib"):
            if (lib / "elixir" / "ebin").is_dir():
                return sorted(str(folder) for folder in lib.glob("*/ebin"))
    raise FileNotFoundError("there is no elixir on the PATH: install Elixir")


class Emulator:
    """See the module.

    `on_end` is called in the loop with how the process has ended, after all its output has been read.
    """

    def __init__(
        self,
        erl: str,
        flags: Sequence[str],
        install: bool,
        variables: Mapping[str, str],
        loop: asyncio.AbstractEventLoop,
        on_end: Callable[[str], None],
    ) -> None:
        ebin = beams.folder(Path(erl).parent)
        tools = ebin.parent / "tools" / "ebin"
        start = ("-pa", str(ebin), "-pa", str(tools), "-s", "inetpy_agent", "start")
        # Without a crash dump, for which the end of a node would have to wait.
        environment = {"ERL_CRASH_DUMP_SECONDS": "0", **os.environ, **variables}
        self._process = subprocess.Popen(
            [erl, *FLAGS, *flags, *start, "install" if install else "start"],
            stdin=subprocess.PIPE,  # the node sees its end when this process has gone
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the tests alone
        )
        self.pid = self._process.pid
        self._loop = loop
        self._on_end = on_end
        self.printed = 0  # bytes
        self._output = bytearray()
        assert self._process.stdout is not None
        self._pipe = self._process.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._handle = os.pidfd_open(self.pid)
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        self._loop.add_reader(self._pipe, self._read)
        self._loop.add_reader(self._handle, self._ended)

    def output(self, start: int = 0) -> str:
        """The end of what the node has printed, from an offset on."""
        output = bytes(self._output)
        return output[max(0, len(output) - max(0, self.printed - start)) :].decode(errors="replace")

    def kill(self) -> None:
        """Ends the process and its children at once. Nothing happens when it has ended."""
        if self._process.returncode is not None:
            return  # its number may be that of another one
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _read(self) -> bool:
        """Whether there may be more."""
        try:
            data = os.read(self._pipe, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._pipe)
        self.printed += len(data)
        self._output += data
        del self._output[:-KEPT]
        return bool(data)

    def _ended(self) -> None:
        self._loop.remove_reader(self._handle)
        os.close(self._handle)
        while self._read():  # a child may still have the pipe, so that it has no end
            pass
        self._loop.remove_reader(self._pipe)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self.kill()  # what the node has started
        self._on_end(_status(self._process.wait()))


def _status(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
