"""Atoms that Python says: the greeting tells them all, and the node has them."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import inetpy
from conftest import erl
from inetpy.vocabulary import ATOMS

# Calls that make an atom of a text: which of their arguments do.
MAKERS = {
    "Atom": [0],
    "ResolverError": [0],
    "Fails": [0],
    "_tag": [0],
    "build_error": [0],
    "build_event": [0],
    "build_failure": [0],
    "build_raise": [0, 1],
    "tell": [0],
}


def _texts(node: ast.expr, attributes: dict[str, set[str]]) -> Iterator[str]:
    """The texts that an expression can be, as far as they are written down."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=other):
            yield from _texts(body, attributes)
            yield from _texts(other, attributes)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _texts(value, attributes)
        case ast.JoinedStr(
            values=[ast.FormattedValue(value=ast.Attribute(attr=name)), ast.Constant(value=end)]
        ):
            for text in attributes[name]:
                yield text + str(end)


def _said() -> dict[str, str]:
    """The atoms that the sources make, and where."""
    trees = {path: ast.parse(path.read_text()) for path in Path(inetpy.__file__).parent.rglob("*.py")}
    attributes: dict[str, set[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            match node:
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                    attributes.setdefault(name, set()).add(text)
    found = {}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for argument in MAKERS.get(name, []):
                    if argument < len(node.args):
                        for text in _texts(node.args[argument], attributes):
                            found[text] = f"{path.name}:{node.lineno}"
    return found


# What Python only hears, or is the peer of another program.
HEARD = {"otp_release", "buffer", "os_pid", "raw", "reply"}


def test_all_atoms_of_the_sources_are_told() -> None:
    """None is made in bridge/inetpy that the greeting does not tell."""
    said = _said()
    assert len(said) > 80
    assert {"tcp_passive", "udp_passive", "closed", "nxdomain", "badarith"} <= set(said)
    assert {name: where for name, where in said.items() if name not in ATOMS | HEARD} == {}


def test_a_bare_node_has_them() -> None:
    """After the start of inetpy all are there, in a node that has loaded nothing else."""
    names = ",".join(f'<<"{name}">>' for name in sorted(ATOMS))
    known = "fun(N) -> try binary_to_existing_atom(N) of _ -> true catch _:_ -> false end end"
    script = f"""
        Names = [{names}],
        Missing = [N || N <- Names, not ({known})(N)],
        ok = inetpy:start(),
        io:format("~b ~w", [length(Missing), [N || N <- Names, not ({known})(N)]]),
        halt().
    """
    node = erl("-mode", "interactive", "-eval", script, stdout=subprocess.PIPE)
    with node:
        said, _ = node.communicate(timeout=60)
    before, after = said.split(b" ", 1)
    assert int(before) > 5  # or this test would not show anything
    assert after == b"[]"
