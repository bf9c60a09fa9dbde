"""Only `host` talks to the operating system, and a link to the process that it is in.

The sources are read for calls that do. `MAY` has all exceptions.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import inetpy

PACKAGE = Path(inetpy.__file__).parent

# The command and its start are no part of a bridge, and `host` may do all of it.
FREE = ("beams.py", "cli.py", "start.py", "tools", "testing", "host")

# What only `host` may use.
RESOLVER = (
    "socket.getaddrinfo", "socket.getfqdn", "socket.gethost*", "socket.getnameinfo", "socket.getserv*",
    "socket.if_*", "socket.sethostname",
)  # fmt: skip
OPENERS = (
    "socket.create_*", "socket.fromfd", "socket.has_dualstack_ipv6", "socket.socket", "socket.socketpair",
)  # fmt: skip
MODULES = (
    "_thread", "asyncio", "builtins", "concurrent", "ctypes", "fcntl", "fileinput", "glob", "io", "mmap",
    "multiprocessing", "os", "pathlib", "platform", "posix", "resource", "select", "selectors", "shutil",
    "signal", "socketserver", "ssl", "subprocess", "tempfile", "termios", "threading", "time", "tty",
)  # fmt: skip
FORBIDDEN = ("*.fileno()", *(f"{module}.*" for module in MODULES), *RESOLVER, *OPENERS)
# What a room uses all the same, no more and no less. The rooms that are not here use nothing of it.
MAY = {
    # A variable of the environment turns the compiled codec off.
    "codec": {"os.environ"},
    # Text as the system has it: no call of the system.
    "names": {"os.fsencode"},
    "network": {
        # a file that describes the network
        "pathlib.Path",
        # a socket of the file system, for the command, in a folder of the user; datagrams of a live replay
        "os.getpid", "os.geteuid", "socket.socket",
        # from other threads the network is reached, and names are waited for in threads
        "concurrent.futures.CancelledError", "concurrent.futures.Future", "asyncio.run_coroutine_threadsafe",
        # a network file runs in a thread, while sockets go on, for some time at most
        "threading.Thread", "asyncio.wait_for",
        "asyncio.Lock", "asyncio.shield", "asyncio.timeout", "asyncio.wait", "asyncio.wrap_future",
        # servers: coroutines and protocols of the loop, and its kind of transports
        *(f"asyncio.{name}" for name in (
            "AbstractEventLoop", "BaseProtocol", "BaseTransport", "BufferedProtocol", "CancelledError",
            "DatagramProtocol", "DatagramTransport", "Future", "IncompleteReadError", "Protocol", "Task",
            "Transport", "current_task", "get_running_loop", "sleep", "sslproto.SSLProtocol",
        )),
        # a replay: events and queues of its players, and for a live one connections to the real network
        "asyncio.Event", "asyncio.Queue", "asyncio.StreamReader", "asyncio.StreamWriter",
        "asyncio.open_connection", "asyncio.open_unix_connection",
        # TLS; the command `openssl` makes a certificate
        "ssl.SSLContext", "ssl.PROTOCOL_TLS_SERVER", "ssl.PROTOCOL_TLS_CLIENT", "ssl.CERT_NONE",
        "subprocess.run", "tempfile.TemporaryDirectory", "os.PathLike", "os.fspath",
    },
    # Rules act on names in threads, and what they do is noted.
    "trace": {
        "threading.RLock",
        # a file that is read, whole and at once, when somebody asks for it
        "builtins.open", "os.PathLike", "os.fspath",
    },
    # A link has the two descriptors to its node, and the process around them.
    "links": {
        # frames in and out
        "os.read", "os.write", "os.writev", "os.fstat",
        # private descriptors for them, and harmless ones in their place
        "fcntl.fcntl", "fcntl.F_DUPFD_CLOEXEC", "os.open", "os.devnull", "os.O_RDONLY", "os.dup2", "os.close",
        "os.set_blocking",
        # the loop
        "asyncio.AbstractEventLoop", "asyncio.new_event_loop",
        # a thread ends the process when the input has ended and the loop is stuck
        "threading.Thread", "threading.Event", "select.poll", "time.sleep", "os._exit",
        # as many descriptors as there may be
        "resource.getrlimit", "resource.setrlimit", "resource.RLIMIT_NOFILE",
        # settings, and figures for the developer
        "os.environ", "os.geteuid", "os.sched_getaffinity", "os.getpid", "pathlib.Path",
        # messages of the log come from any thread
        "threading.get_ident",
        # serving: sockets that nodes connect to
        "socket.socket", "socket.create_server", "socket.socketpair", "os.dup", "time.monotonic",
        *(f"os.{name}" for name in (
            "O_DIRECTORY", "O_NOFOLLOW", "O_PATH", "chmod", "lstat", "path", "stat_result", "unlink",
        )), "shutil.chown", "fcntl.flock", "fcntl.LOCK_EX", "fcntl.LOCK_NB",
        # the descriptors of a node's connection
        "*.fileno()",
        *(f"asyncio.{name}" for name in (
            "FIRST_COMPLETED", "StreamReader", "StreamReaderProtocol", "StreamWriter", "Task", "TimerHandle",
            "ensure_future", "gather", "get_running_loop", "open_connection", "sleep", "timeout", "wait",
        )),
        *(f"ssl.{name}" for name in (
            "CERT_REQUIRED", "Purpose", "SSLCertVerificationError", "SSLContext", "SSLError", "TLSVersion",
            "create_default_context",
        )),
        "signal.SIGINT", "signal.SIGTERM",
    },
}  # fmt: skip


def _uses(source: str) -> Iterator[str]:
    """All names of modules that a source takes, as "module.name"; its calls of `fileno`, and of `open`."""
    nodes = list(ast.walk(ast.parse(source)))
    modules: dict[str, str] = {}  # by the name that a module has in this file
    for node in nodes:
        match node:
            case ast.Import(names=names):
                modules |= {(name.asname or name.name).partition(".")[0]: name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield from (f"{module}.{name.name}" for name in names)
            case ast.Call(func=ast.Attribute(attr="fileno")):
                yield "*.fileno()"
            case ast.Call(func=ast.Name(id="open")):
                yield "builtins.open"
    for node in nodes:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in modules:
                yield f"{modules[name]}.{attribute}"


def _system(source: str) -> set[str]:
    """The uses that only `host` may have."""
    return {use for use in _uses(source) if _fits(use, FORBIDDEN)}


def _fits(use: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(use, pattern) for pattern in patterns)


def test_nothing_else_talks_to_the_system() -> None:
    read, found = 0, dict[str, dict[str, list[str]]]()
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE)
        if name.parts[0] not in FREE:
            read += 1
            for use in _system(path.read_text()):
                found.setdefault(name.parts[0], {}).setdefault(use, []).append(str(name))
    assert read > 40  # or the test would not see the sources
    assert found.keys() == MAY.keys(), found.keys() ^ MAY.keys()
    for room, uses in found.items():
        assert uses.keys() == MAY[room], {use: uses.get(use) for use in uses.keys() ^ MAY[room]}


@pytest.mark.parametrize(
    ("source", "use"),
    [
        ("sock.fileno()", "*.fileno()"),
        ("import time\ntime.monotonic()", "time.monotonic"),
        ("import time as clock\nf(clock.time)", "time.time"),
        ("from time import perf_counter", "time.perf_counter"),
        ("import select\nselect.epoll()", "select.epoll"),
        ("from select import epoll", "select.epoll"),
        ("import socket\nsocket.getaddrinfo('a', 1)", "socket.getaddrinfo"),
        ("from socket import gethostbyname_ex as ask", "socket.gethostbyname_ex"),
        ("import socket\nsocket.socket()", "socket.socket"),
        ("def f():\n    import asyncio\n    asyncio.sleep(1)", "asyncio.sleep"),
        ("from concurrent.futures import ThreadPoolExecutor", "concurrent.futures.ThreadPoolExecutor"),
        ("import threading\nthreading.Thread()", "threading.Thread"),
        ("import os\nos.read(0, 1)", "os.read"),
        ("import os as system\nsystem.close(0)", "os.close"),
        ("import fcntl\nfcntl.fcntl(0, 1)", "fcntl.fcntl"),
        ("from select import poll", "select.poll"),
        ("import resource\nresource.getrlimit(7)", "resource.getrlimit"),
        ("open('name')", "builtins.open"),
    ],
)
def test_the_reader_sees(source: str, use: str) -> None:
    assert _system(source) == {use}


def test_the_reader_lets_pass() -> None:
    source = "import socket\nsocket.AF_INET, host.resolver.getaddrinfo('a'), session.host.clock.now()"
    assert _system(source) == set()


def test_a_bridge_does_not_import_the_memory_host() -> None:
    code = "import sys, inetpy.links.stdio; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    modules = set(loaded.split())
    assert "inetpy.host.linux" in modules
    assert not modules & {"inetpy.host.memory", "inetpy.host.interfaces"}
