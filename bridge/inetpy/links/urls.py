"""Where the Python half serves nodes, as users write it.

unix:/run/inetpy/bridge?mode=660&group=app
tcp:127.0.0.1:7000          port 0: the system chooses one
tls:0.0.0.0:7000?cert=/etc/inetpy/server.pem&key=/etc/inetpy/server.key&ca=/etc/inetpy/nodes.pem
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl

__all__ = ["FORMS", "OPTIONS", "Address", "Listening", "parse_url"]

BACKLOG = 128
TRIES, PAUSE = 200, 0.01  # and seconds, for the lock of a folder
FORMS = {"unix": "unix:/path", "tcp": "tcp:host:port", "tls": "tls:host:port"}


class Option(NamedTuple):
    kind: str
    value: str
    meaning: str


OPTIONS = {
    "mode": Option(
        "unix", "660", "who may connect, as the permissions of a file; default 600, this user alone"
    ),
    "group": Option("unix", "NAME", "the group of the socket, by name or number"),
    "cert": Option("tls", "FILE", "the certificate of this server, and those between it and the authority"),
    "key": Option("tls", "FILE", "its private key, where it is not in the file of the certificate"),
    "ca": Option("tls", "FILE", "the authorities of the nodes: each node must show a certificate of theirs"),
}


class Address(NamedTuple):
    """`kind` is one of `FORMS`, `place` a path or a host, `options` are those of `OPTIONS` that are given."""

    kind: str
    place: str
    port: int
    options: dict[str, str]

    @property
    def needs_token(self) -> bool:
        """Whether anybody who reaches it could connect: see `tokens`."""
        return self.kind == "tcp" or (self.kind == "tls" and "ca" not in self.options)

    def listen(self) -> Listening:
        """Raises OSError and ValueError."""
        return Listening(self, _listen_unix(self) if self.kind == "unix" else _listen_tcp(self))


class Listening:
    """A socket that listens at an address."""

    def __init__(self, address: Address, sock: socket.socket) -> None:
        self.address = address
        self.socket = sock
        # While it is open, no other file has its number.
        self._file = os.open(address.place, os.O_PATH | os.O_NOFOLLOW) if address.kind == "unix" else None

    @property
    def url(self) -> str:
        """Without options, and with the port that the system has chosen."""
        place, kind = self.address.place, self.address.kind
        if kind == "unix":
            return f"unix:{place}"
        return f"{kind}:{_host(place)}:{self.socket.getsockname()[1]}"

    def close(self) -> None:
        """A path that another process serves by now stays."""
        self.socket.close()
        if self._file is not None:
            if _is_at(self.address.place, os.fstat(self._file)):
                os.unlink(self.address.place)
            os.close(self._file)
            self._file = None


def parse_url(url: str) -> Address:
    """Raises ValueError."""
    where, _, query = url.partition("?")
    kind, _, place = where.partition(":")
    host, _, port = place.rpartition(":")
    if kind == "unix" and place:
        address = Address(kind, place, 0, {})
    elif kind in ("tcp", "tls") and host and port.isdecimal() and int(port) <= 0xFFFF:
        address = Address(kind, host.strip("[]"), int(port), {})
    else:
        raise ValueError(f"nodes are served at {', '.join(FORMS.values())}, not at {url!r}")
    for name, value in parse_qsl(query, keep_blank_values=True):
        known = [option for option, row in OPTIONS.items() if row.kind == kind]
        if name not in known:
            raise ValueError(f"{kind}: has no option {name!r}; there are {', '.join(known) or 'none'}")
        if not value:
            raise ValueError(f"the option {name} of {kind}: has no value")
        address.options[name] = value
    if kind == "tls" and "cert" not in address.options:
        raise ValueError("tls: needs a certificate: tls:host:port?cert=FILE&key=FILE")
    _mode(address)
    return address


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _mode(address: Address) -> int:
    text = address.options.get("mode", "600")
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise ValueError(f"a mode is written as 660, not as {text}")
    return mode


def _listen_tcp(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.place else socket.AF_INET
    sock = socket.create_server((address.place, address.port), family=family, backlog=BACKLOG)
    sock.setblocking(False)
    return sock


def _listen_unix(address: Address) -> socket.socket:
    """The socket of a process that has gone gives way. Nobody can connect before the mode is set."""
    path = address.place
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        with _alone_in(os.path.dirname(path) or "."):
            if _is_left_behind(path):
                os.unlink(path)
            _bind(sock, path)
            try:
                _allow(address)
            except BaseException:
                os.unlink(path)
                raise
            sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _alone_in(folder: str) -> Iterator[None]:
    """Servers that begin at the same time do so one after the other.

    The path of one that does not listen yet looks as if its process had gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: int) -> None:
    """Another server has it for a moment. Whoever has it for longer is none: everybody can lock /tmp."""
    for _ in range(TRIES):
        try:
            return fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)


def _bind(sock: socket.socket, path: str) -> None:
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise OSError(error.errno, "another process serves there, or the path is no socket") from None
        raise


def _allow(address: Address) -> None:
    """The group and the mode of the socket. Who may write to the folder can have put another file there."""
    file = os.open(address.place, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(file).st_mode):
            raise OSError(errno.ESTALE, "another process has put a file there")
        path = f"/proc/self/fd/{file}"
        if "group" in address.options:
            _give_to(path, address.options["group"])
        os.chmod(path, _mode(address))
    finally:
        os.close(file)


def _give_to(path: str, group: str) -> None:
    try:
        shutil.chown(path, group=int(group) if group.isdecimal() else group)
    except (LookupError, OverflowError):
        raise ValueError(f"there is no group {group}") from None


def _is_at(path: str, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(path), file)
    except OSError:
        return False


def _is_left_behind(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except BlockingIOError:  # its queue is full: it is alive
            return False
    return False
