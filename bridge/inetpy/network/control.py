"""The rules of a node that runs, or of a server of nodes, for a shell: what `inetpy faults` talks to.

A unix socket with the name `PID.sock`, in a folder that only its user can open. A connection is one request
and its answer, each a line of JSON:

    {"do": "list"}                                      {"ok": {"nodes": [...], "rules": [...], ...}}
    {"do": "add", "key": -1, "fault": ["latency", {"ms": 200}], "whom": {"port": 5432},
     "when": ["nth", [2, 2]], "for_ms": 1000}           {"ok": -1}
    {"do": "settled"}                                   {"ok": true}, when it holds for all open sockets
    {"do": "remove", "key": -1}                         {"ok": true}, or false where there is no such rule
    {"do": "trace", "file": "/tmp/x/0.jsonl"}           {"ok": true}; a named pipe: see `network.trace`
    {"do": "reset"}                                     {"ok": 3}, the number of rules that were removed
                                                        {"error": "there is no fault 'latncy': ..."}

Rules that are added here are kept by the node: they are there again after the death of this process.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from ..codec.show import shown
from ..codec.terms import Atom
from ..host.api import READ, WRITE, Poller
from .engine import Engine
from .faults import make_fault, make_when
from .rules import Rule
from .whom import Whom

__all__ = ["Control", "UnsafeFolderError", "parse_request", "private_folder"]

log = logging.getLogger(__name__)

LONGEST = 1 << 16  # bytes of a request
CREDENTIALS = struct.Struct("3i")  # process, user, group: struct ucred


class UnsafeFolderError(Exception):
    """Another user could put a socket there, or speak to ours."""


def private_folder(folder: Path) -> Path:
    """Makes a folder that only this user can open. Raises UnsafeFolderError for one that others can."""
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise UnsafeFolderError(f"{folder} is not a folder that only this user can open: remove it")
    return folder


class Control:
    """The socket of this process, from now on.

    engine: gives the network of the process, which may have none before it is asked for.
    bridges: how many processes like this one the node has; None where this one serves nodes.
    """

    survives: ClassVar[bool] = True

    def __init__(
        self, engine: Callable[[], Engine], poller: Poller, folder: Path, bridges: int | None = None
    ) -> None:
        """Raises OSError or UnsafeFolderError, and then there is no socket."""
        self._engine = engine
        self._bridges = bridges
        self._poller = poller
        self._path = private_folder(folder) / f"{os.getpid()}.sock"
        self._path.unlink(missing_ok=True)  # of a process that had this number before
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._path))
        self._socket.listen()
        self._poller.add(self._socket, READ, self)

    def on_ready(self, _events: int) -> None:
        try:
            sock, _ = self._socket.accept()
        except OSError:  # the caller has gone again, or there is no descriptor
            return
        sock.setblocking(False)
        _, user, _ = CREDENTIALS.unpack(
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
        )
        if user == os.geteuid():
            _Caller(sock, self._poller, self._answer)
        else:
            sock.close()

    def fail(self, _error: Exception) -> None:
        """The socket stays."""

    def close(self) -> None:
        self._poller.forget(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _answer(self, line: bytes) -> bytes:
        try:
            request = json.loads(line)
            answer: dict[str, Any] = {"ok": _VERBS[request["do"]](self._engine(), request)}
            if request["do"] == "list":
                answer["ok"]["bridges"] = self._bridges or 1
                answer["ok"]["serves"] = self._bridges is None
        except ValueError as error:
            answer = {"error": str(error)}
        except (KeyError, TypeError, AttributeError) as error:
            answer = {"error": f"this is no request of `inetpy faults` of the same version: {error!r}"}
        return json.dumps(answer).encode() + b"\n"


class _Caller:
    """A connection to the socket: a line comes in, a line goes out."""

    survives: ClassVar[bool] = False

    def __init__(self, sock: socket.socket, poller: Poller, answer: Callable[[bytes], bytes]) -> None:
        self._socket = sock
        self._poller = poller
        self._answer = answer
        self._request = b""
        self._left: bytes | None = None  # of the answer
        poller.add(sock, READ, self)

    def on_ready(self, _events: int) -> None:
        try:
            if self._left is None:
                self._read()
            else:
                self._write()
        except BlockingIOError:
            pass
        except OSError:
            self._close()

    def _read(self) -> None:
        data = self._socket.recv(LONGEST)
        self._request += data
        if not data or len(self._request) > LONGEST:
            self._close()
        elif self._request.endswith(b"\n"):
            self._left = self._answer(self._request)
            self._poller.change(self._socket, WRITE)

    def _write(self) -> None:
        assert self._left is not None
        self._left = self._left[self._socket.send(self._left) :]
        if not self._left:
            self._close()

    def _close(self) -> None:
        self._poller.forget(self._socket)
        self._socket.close()

    def fail(self, _error: Exception) -> None:
        self._close()


# --- requests -----------------------------------------------------------------


def _list(engine: Engine, _request: dict[str, Any]) -> dict[str, Any]:
    """The nodes, and the rules in their order."""
    return {
        "nodes": [
            {"name": node.name, "node": session.node_name, "pid": session.node_process}
            for session, node in engine.nodes.items()
        ],
        "pid": os.getpid(),
        "seed": engine.rules.seed,
        "rules": [_shown_rule(engine, rule) for rule in engine.rules],
    }


def _shown_rule(engine: Engine, rule: Rule) -> dict[str, Any]:
    """`node`: the only one that a rule of Erlang is for."""
    assert rule.key is not None
    return {
        "key": rule.key,
        "node": None if rule.node is None else rule.node.name,
        "fault": [rule.word, {name: value for name, value in rule.arguments.items() if value is not None}],
        "whom": {word: _plain(value) for word, value in rule.whom.words.items()},
        "when": None if rule.when is None else [rule.when.word, list(rule.when.numbers)],
        "for_ms": rule.for_ms,
        "fired": rule.fired,
        "by": "erlang" if rule.key > 0 else "shell" if engine.is_kept(rule) else "python",
    }


def _plain(value: object) -> object:
    """What a rule of Erlang has of the words of a socket, for JSON."""
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case Atom(name=name) | (Atom(name="application"), Atom(name=name)):
            return name
        case str() | int() | float():
            return value
    return shown(value)


def _add(engine: Engine, request: dict[str, Any]) -> int:
    """Several Pythons of a node get a rule with one number, so the number comes with the request."""
    key = request["key"]
    if type(key) is not int or key >= 0 or engine.numbered(key) is not None:
        raise ValueError(f"the number {key} cannot be given to a rule")
    rule = parse_request(request)
    engine.add(rule, key)
    engine.keep(rule)
    return key


def parse_request(request: dict[str, Any]) -> Rule:
    """The rule that a request adds. Raises ValueError."""
    word, arguments = request["fault"]
    when = request.get("when")
    return Rule(
        make_fault(word, arguments),
        Whom(request.get("whom") or {}),
        None if when is None else make_when(when[0], tuple(when[1])),
        request.get("for_ms"),
    )


def _remove(engine: Engine, request: dict[str, Any]) -> bool:
    """Nodes number their rules themselves: two can have one with the same number, and both are removed."""
    found = [rule for rule in engine.rules if rule.key == request["key"]]
    for rule in found:
        engine.end(rule)
    return bool(found)


def _reset(engine: Engine, _request: dict[str, Any]) -> int:
    return engine.end_all()


def _trace(engine: Engine, request: dict[str, Any]) -> bool:
    """All sockets, until nobody reads the pipe any more."""
    from .trace import begin_in_file  # few nodes need it

    if begin_in_file(engine, str(request["file"])) is None:
        raise ValueError(f"{request['file']} cannot be written")
    return True


_VERBS: dict[str, Callable[[Engine, dict[str, Any]], Any]] = {
    "list": _list,
    "add": _add,
    "settled": lambda engine, _: engine.is_settled(),
    "remove": _remove,
    "reset": _reset,
    "trace": _trace,
}
