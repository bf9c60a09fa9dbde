"""The rooms of the package: imports between rooms go one way, down the list `ROOMS`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import inetpy

PACKAGE = Path(inetpy.__file__).parent

# From top to bottom. A room may import from the rooms below it.
ROOMS = (
    "__main__", "start", "cli", "tools", "testing", "beams", "links", "operations", "network", "replay",
    "trace", "sockets", "options", "session", "fast", "wire", "packet", "names", "host", "etf", "codec",
)  # fmt: skip


# Modules of one room that import each other for types only: parts and what they are parts of.
CIRCLES_OF_TYPES = (
    {
        f"network.{name}"
        for name in (
            "described", "engine", "file", "network", "node", "report", "replay", "resolver", "scenes",
            "strays", "trace", "traces", "verbs",
        )
    },
    {
        f"options.{name}"
        for name in (
            "access", "control", "multicast", "option", "raw", "setters", "settings", "table",
        )
    },
    {"session.session", "session.waiting"},
    {"sockets.plain.closing", "sockets.plain.connector", "sockets.plain.plain"},
    {
        f"sockets.tcp.{name}"
        for name in (
            "closing", "connecting", "delivery", "failures", "outbox", "part", "receiving", "sendfile",
            "sending", "stream",
        )
    },
)  # fmt: skip


def _room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def _names(node: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """What one statement imports from the package, as "room.module.name"."""
    match node:
        case ast.ImportFrom(module=module, names=names, level=level) if level:
            base = (*package[: len(package) - level + 1], *(module or "").split("."))
            yield from (".".join(filter(None, (*base, name.name))) for name in names)
        case ast.ImportFrom(module=str(module), names=names):
            yield from _inside(f"{module}.{name.name}" for name in names)
        case ast.Import(names=names):
            yield from _inside(name.name for name in names)


def _inside(names: Iterable[str]) -> Iterator[str]:
    return (name.removeprefix("inetpy.") for name in names if name.startswith("inetpy."))


def _nodes(tree: ast.AST, types: bool) -> Iterator[ast.AST]:
    """All nodes; those below `if TYPE_CHECKING:` where `types` is true."""
    children = ast.iter_child_nodes(tree)
    match tree:
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=otherwise) if not types:
            children = iter(otherwise)
    for node in children:
        yield node
        yield from _nodes(node, types)


def _imports(source: str, package: tuple[str, ...], types: bool = True) -> list[str]:
    """What a source imports from the package anywhere; also for types only where `types` is true."""
    return [name for node in _nodes(ast.parse(source), types) for name in _names(node, package)]


def _arrows() -> set[tuple[str, str, str]]:
    """{(room, room that it imports from, file)}."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE)
        if str(name) == "__init__.py":
            continue  # the package itself: it names what is public
        own = _room(".".join(name.with_suffix("").parts))
        for module in _imports(path.read_text(), name.parts[:-1]):
            other = _room(module)
            if other and other != own and other != "__version__":
                found.add((own, other, str(name)))
    return found


def test_every_file_has_a_room() -> None:
    names = {
        path.stem if path.is_file() else path.name for path in PACKAGE.iterdir() if path.name[0] not in "._"
    }
    names = {name for name in names if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}
    assert names - {"__pycache__"} == set(ROOMS) - {"__main__"}


def test_imports_go_one_way() -> None:
    """No room imports from one above it, so there is no circle."""
    order = {room: at for at, room in enumerate(ROOMS)}
    arrows = _arrows()
    assert len(arrows) > 80  # otherwise the test does not find the imports
    assert {arrow for arrow in arrows if order[arrow[0]] > order[arrow[1]]} == set()


# --- circles inside a room -----------------------------------------------------


def _module(name: str, modules: set[str]) -> str:
    """The module that has the name: itself, or the one that it is imported from."""
    while name not in modules and name:
        name = name.rpartition(".")[0]
    return name


def _graph(types: bool) -> dict[str, set[str]]:
    """The modules that each module imports. A package is the module of its `__init__`."""
    paths = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    names = {*paths, "codec._compiled"}  # which is no source of Python, and imports none of them
    graph = {}
    for module, path in paths.items():
        imports = _imports(path.read_text(), path.relative_to(PACKAGE).parts[:-1], types)
        graph[module] = {_module(name, names) for name in imports} & set(paths) - {module}
    return graph


def _circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that reach each other."""
    reached = {module: _reached(module, graph) for module in graph}
    circles = {frozenset({b for b in reached[a] if a in reached[b]}) for a in graph}
    return sorted((set(circle) for circle in circles if circle), key=sorted)


def _reached(start: str, graph: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        new = graph[left.pop()] - found
        found |= new
        left.extend(new)
    return found


def test_no_circle_at_run_time() -> None:
    """Also not inside a room: a module can be imported first, whichever it is."""
    graph = _graph(types=False)
    assert sum(map(len, graph.values())) > 200  # otherwise the test does not find the imports
    assert _circles(graph) == []


def test_circles_of_types() -> None:
    assert _circles(_graph(types=True)) == list(CIRCLES_OF_TYPES)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import inetpy.codec.etf", ["codec.etf"]),
        ("import os, inetpy.host as h", ["host"]),
        ("from inetpy import links", ["links"]),
        ("from inetpy.codec import etf", ["codec.etf"]),
        ("from inetpy.codec.etf import decode", ["codec.etf.decode"]),
        ("from . import state", ["sockets.tcp.state"]),
        ("from ..handle import OPEN", ["sockets.handle.OPEN"]),
        ("from ... import options", ["options"]),
        ("def f():\n    from ...names import inet", ["names.inet"]),
        ("if TYPE_CHECKING:\n    from .stream import Stream", []),
        ("import inetpython, os.path", []),
    ],
)
def test_the_reader_sees(source: str, names: list[str]) -> None:
    assert _imports(source, ("sockets", "tcp"), types=False) == names


def test_the_reader_sees_types() -> None:
    source = "if TYPE_CHECKING:\n    from inetpy import links"
    assert _imports(source, ("sockets",)) == ["links"]


def test_the_reader_sees_circles() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set[str](), "e": {"a"}}
    assert _circles(graph) == [{"b", "c"}]


def test_a_bridge_imports_nothing_of_the_command() -> None:
    """A bridge imports neither the tools nor slow libraries, because it must start in milliseconds."""
    code = "import sys, inetpy.links.stdio; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    modules = set(loaded.split())
    assert "inetpy.sockets.handle" in modules
    unwanted = {
        "argparse",
        "ctypes",
        "json",
        "rich",
        "inetpy.cli",
        "inetpy.tools",
        "concurrent.futures.thread",
    }
    assert modules & unwanted == set()
