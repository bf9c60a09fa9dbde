"""`inetpy faults list|add|remove|reset`: the rules of a node that runs, see `network.control`."""

from __future__ import annotations

import ast
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from .. import network as words
from ..links.environment import control_folder
from ..network.control import UnsafeFolderError, parse_request, private_folder
from ..network.faults import FAULTS, WHENS, Fault, When

__all__ = [
    "Bridge", "FaultsError", "Node", "add", "ask", "chosen", "is_alive", "nodes", "parse_word", "remove",
    "reset", "show",
]  # fmt: skip

PATIENCE = 5.0  # seconds for an answer

T = TypeVar("T", Fault, When)


class FaultsError(Exception):
    """What cannot be done, in one sentence."""


# --- what the user writes -----------------------------------------------------


def parse_word(text: str, kind: type[T]) -> T:
    """`latency(200, jitter=50)` as a `Fault`, or `nth(2)` as a `When`. Nothing else of Python is understood.

    Raises FaultsError.
    """
    what = "a fault" if kind is Fault else "a condition"
    example = "latency(200, jitter=50)" if kind is Fault else "nth(2)"
    try:
        match ast.parse(text.strip(), mode="eval").body:
            case ast.Call(func=ast.Name(id=word), args=positional, keywords=keywords):
                pass
            case ast.Name(id=word):
                positional, keywords = [], []
            case _:
                raise SyntaxError
        arguments = [ast.literal_eval(node) for node in positional]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
    except (SyntaxError, ValueError):
        raise FaultsError(f"{what} is a word with numbers or text, such as {example}, not {text}") from None
    function = getattr(words, word, None) if word in words.__all__ and word.islower() else None
    if function is None:
        there = FAULTS if kind is Fault else WHENS
        raise FaultsError(f"there is no word {word}: there are {', '.join(there)}")
    try:
        made = function(*arguments, **named)
    except ValueError as error:
        raise FaultsError(str(error)) from None
    except TypeError as error:
        raise FaultsError(str(error).replace("()", "", 1)) from None
    if not isinstance(made, kind):
        raise FaultsError(f"{word} is not {what}, which is written as {example}")
    return made


# --- nodes --------------------------------------------------------------------


class Bridge(NamedTuple):
    """One Python of a node: where it listens, and what it says of itself and its rules."""

    path: Path
    said: dict[str, Any]


class Node(NamedTuple):
    """A node of Erlang with its bridges, or a server with the nodes that it serves. `pid`: its process."""

    name: str
    pid: int
    bridges: list[Bridge]

    @property
    def serves(self) -> list[str]:
        """The names of the nodes of a server."""
        said = self.bridges[0].said
        return [node["name"] for node in said["nodes"]] if said["serves"] else []

    def is_called(self, which: str) -> bool:
        return which in (str(self.pid), self.name, *self.serves)

    @property
    def is_complete(self) -> bool:
        return len(self.bridges) == int(self.bridges[0].said["bridges"])

    @property
    def rules(self) -> list[dict[str, Any]]:
        """Those of all bridges. A rule that several have is one, whose occasions are added up."""
        found: dict[tuple[int, str | None], dict[str, Any]] = {}
        for bridge in self.bridges:
            for rule in bridge.said["rules"]:
                known = found.setdefault((rule["key"], rule["node"]), rule | {"fired": 0})
                known["fired"] += rule["fired"]
        return list(found.values())

    def describe(self) -> dict[str, Any]:
        """For programs."""
        return {
            "node": self.name,
            "pid": self.pid,
            "serves": self.serves,
            "bridges": [{"pid": bridge.said["pid"], "seed": bridge.said["seed"]} for bridge in self.bridges],
            "rules": self.rules,
        }


def nodes() -> list[Node]:
    """The nodes of this user that can be spoken to. A Python that is being started is waited for.

    Raises FaultsError.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        found = _nodes()
        if all(node.is_complete for node in found) or time.monotonic() > deadline:
            return found
        time.sleep(0.01)


def _nodes() -> list[Node]:
    folder = control_folder()
    if not folder.exists():
        return []
    try:
        paths = sorted(private_folder(folder).glob("*.sock"))
    except (OSError, UnsafeFolderError) as error:
        raise FaultsError(str(error)) from None
    found: dict[int, Node] = {}
    for bridge in filter(None, map(_bridge, paths)):
        name, pid = _owner(bridge.said)
        found.setdefault(pid, Node(name, pid, [])).bridges.append(bridge)
    return sorted(found.values(), key=lambda node: node.pid)


def _owner(said: dict[str, Any]) -> tuple[str, int]:
    """The name and the process of the node that a bridge belongs to, or of a server."""
    if said["serves"]:
        return "inetpy serve", said["pid"]
    node = said["nodes"][0]
    return node["node"], node["pid"] or said["pid"]


def _bridge(path: Path) -> Bridge | None:
    """None where nobody listens any more. The file of a process that is dead is removed."""
    try:
        return Bridge(path, ask(path, {"do": "list"}))
    except (ConnectionError, FileNotFoundError):
        if not is_alive(path.stem):
            path.unlink(missing_ok=True)
        return None


def is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


def ask(path: Path, request: dict[str, Any]) -> Any:
    """Raises FaultsError for what the bridge refuses, and ConnectionError where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        try:
            sock.sendall(json.dumps(request).encode() + b"\n")
            answer = b"".join(iter(lambda: sock.recv(1 << 16), b""))
        except TimeoutError:
            raise FaultsError(f"the bridge {path.stem} does not answer") from None
    if not answer.endswith(b"\n"):
        raise ConnectionResetError(f"the bridge {path.stem} ended before it answered")
    answered = json.loads(answer)
    if "error" in answered:
        raise FaultsError(answered["error"])
    return answered["ok"]


def _ask_all(node: Node, request: dict[str, Any]) -> list[Any]:
    try:
        return [ask(bridge.path, request) for bridge in node.bridges]
    except (ConnectionError, FileNotFoundError):
        raise FaultsError(f"Python of the node {node.name} has ended meanwhile: try again") from None


def chosen(which: str | None) -> Node:
    """The only node, or that with this process or name."""
    there = nodes()
    if not there:
        raise FaultsError(NOBODY)
    fitting = [node for node in there if which is None or node.is_called(which)]
    if len(fitting) == 1:
        if not fitting[0].is_complete:
            raise FaultsError(f"a Python of the node {fitting[0].name} is not there: try again")
        return fitting[0]
    listed = ", ".join(f"{node.pid} ({node.name})" for node in there)
    if fitting:
        raise FaultsError(f"several nodes run: choose one with --node PID, of {listed}")
    raise FaultsError(f"there is no node {which}; there are {listed}")


NOBODY = (
    "no node listens: start one with `inetpy run -- erl`, or with INETPY_CONTROL=1 in its environment, "
    "or serve nodes with `inetpy serve`"
)


# --- the verbs ----------------------------------------------------------------


def add(
    fault: str, when: str | None, for_ms: float | None, whom: Mapping[str, object], which: str | None
) -> int:
    """Adds a rule to a node; its number. Raises FaultsError, and then nothing has changed."""
    word = parse_word(fault, Fault)
    condition = None if when is None else parse_word(when, When)
    request = {
        "do": "add",
        "fault": [word.word, dict(word.arguments)],
        "whom": dict(whom),
        "when": None if condition is None else [condition.word, list(condition.numbers)],
        "for_ms": for_ms,
    }
    try:
        parse_request(request)  # a mistake is said also where no node runs
    except ValueError as error:
        raise FaultsError(str(error)) from None
    node = chosen(which)
    key = min(0, *(int(rule["key"]) for rule in node.rules), 0) - 1
    try:
        _ask_all(node, request | {"key": key})
        _await_settled(node)
    except FaultsError:
        _ask_all(node, {"do": "remove", "key": key})
        raise
    return key


def _await_settled(node: Node) -> None:
    """The node is asked about the owners of open sockets, and answers soon."""
    deadline = time.monotonic() + PATIENCE
    while not all(_ask_all(node, {"do": "settled"})):
        if time.monotonic() > deadline:
            raise FaultsError("the node does not say what the owners of its sockets descend from")
        time.sleep(0.01)


def remove(key: int, which: str | None) -> None:
    """Removes a rule, whoever has added it. Raises FaultsError where there is none."""
    node = chosen(which)
    if not any(_ask_all(node, {"do": "remove", "key": key})):
        known = ", ".join(str(rule["key"]) for rule in node.rules)
        raise FaultsError(f"there is no rule {key}; " + (f"there are {known}" if known else "there is none"))


def reset(which: str | None) -> int:
    """Removes all rules of a node; how many."""
    node = chosen(which)
    _ask_all(node, {"do": "reset"})
    return len(node.rules)


def show(which: str | None, as_json: bool) -> None:
    """Prints the rules of all nodes, or of one."""
    there = nodes() if which is None else [chosen(which)]
    if as_json:
        print(json.dumps([node.describe() for node in there], indent=2))
        return
    if not there:
        raise FaultsError(NOBODY)
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        print("\n".join(_lines(there)))
        return
    console = Console()
    for node in there:
        console.print(_title(node), highlight=False, markup=False)
        if node.rules:
            console.print(_table(node.rules))


def _title(node: Node) -> str:
    seeds = ", ".join(dict.fromkeys(str(bridge.said["seed"]) for bridge in node.bridges))
    count = len(node.rules)
    rules = "no rules" if not count else "1 rule" if count == 1 else f"{count} rules"
    if node.bridges[0].said["serves"]:
        served = ", ".join(node.serves) or "no node"
        return f"{node.name} with {served}, process {node.pid}, seed {seeds}: {rules}"
    return f"node {node.name}, process {node.pid}, seed {seeds}: {rules}"


COLUMNS = ("key", "fault", "whom", "when", "by", "fired")


def _table(rules: Sequence[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table()
    for name in COLUMNS:
        table.add_column(name, justify="right" if name in ("key", "fired") else "left", overflow="fold")
    for rule in rules:
        table.add_row(*_cells(rule))
    return table


def _lines(there: Sequence[Node]) -> Iterator[str]:
    for node in there:
        yield _title(node)
        yield from ("  " + "  ".join(_cells(rule)) for rule in node.rules)


def _cells(rule: dict[str, Any]) -> list[str]:
    word, arguments = rule["fault"]
    when = [] if rule["when"] is None else [_condition(*rule["when"])]
    if rule["for_ms"] is not None:
        when.append(f"for {rule['for_ms']:g} ms")
    return [
        str(rule["key"]),
        f"{word}({_named(arguments)})",
        _named(rule["whom"]) or "all sockets",
        ", ".join(when) or "always",
        rule["by"] if rule["node"] is None else f"{rule['by']} of {rule['node']}",
        f"{rule['fired']:,}",
    ]


def _named(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def _condition(word: str, numbers: Sequence[float]) -> str:
    """`nth(2)`, and not `nth(2, 2)`."""
    given = numbers[:1] if word == "nth" and numbers[0] == numbers[1] else numbers
    return f"{word}({', '.join(f'{number:g}' for number in given)})"


def run(verb: Callable[[], object]) -> int:
    """The exit status of a verb: 2 and a sentence where it cannot be done."""
    try:
        verb()
    except FaultsError as error:
        print(f"inetpy: {error}", file=sys.stderr)
        return 2
    return 0
