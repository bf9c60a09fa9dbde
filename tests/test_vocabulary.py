"""The atoms that Python sends: all are in the greeting, and so they exist in the node."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import inetpy
from conftest import erl
from inetpy.wire.vocabulary import ATOMS

# Functions that make an atom of a text: the positions of these arguments.
MAKERS = {
    "Atom": [0],
    "ResolverError": [0],
    "Fails": [0],
    "_tag": [0],
    "build_error": [0],
    "build_event": [0],
    "build_failure": [0],
    "build_raise": [0, 1],
    "tell_owner": [0],
    "tell_closed": [0],
}

# Atoms of requests, which Python receives and does not send, and of the tools.
NOT_SENT = {
    *(
        "active",
        "otp_release",
        "buffer",
        "os_pid",
        "reply",
        "sctp",
        "zero",
        "integer",
        "boolean",
        "otp",
        "only",
    ),
}

# The values that each name of a module, function or class is bound to.
Bindings = dict[str, list[ast.expr]]


def _bindings(tree: ast.AST) -> Bindings:
    found: Bindings = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
            case ast.For(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
            case ast.comprehension(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
            case ast.arguments(args=parameters, defaults=defaults) if defaults:
                for parameter, value in zip(parameters[-len(defaults) :], defaults, strict=False):
                    found.setdefault(parameter.arg, []).append(value)
    return found


def _texts(node: ast.expr, bindings: Bindings, attributes: Bindings) -> Iterator[str]:
    """The texts that an expression can have, as far as the file shows: `TABLE[x]`, `"a" if b else c`."""
    parts: list[ast.expr] = []
    match node:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.IfExp(body=body, orelse=other):
            parts = [body, other]
        case ast.BoolOp(values=values) | ast.Dict(values=values):
            parts = values
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            parts = elements
        case ast.Subscript(value=table):
            parts = [table]
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[_, *default]):
            parts = [table, *default]
        case ast.Name(id=name):
            parts = bindings.get(name, [])
            bindings = {other: values for other, values in bindings.items() if other != name}
        case ast.JoinedStr(
            values=[ast.FormattedValue(value=ast.Attribute(attr=name)), ast.Constant(value=end)]
        ):
            for value in attributes[name]:
                yield from (text + str(end) for text in _texts(value, {}, {}))
    for part in parts:
        yield from _texts(part, bindings, attributes)


def _atoms_made() -> dict[str, str]:
    """The atoms that the sources make, and the place of each."""
    package = Path(inetpy.__file__).parent
    # What `testing` says, the agent of a test decodes, also with new atoms.
    files = [path for path in package.rglob("*.py") if path.parent != package / "testing"]
    trees = {path: ast.parse(path.read_text()) for path in files}
    attributes: Bindings = {}
    for tree in trees.values():
        for name, values in _bindings(tree).items():
            attributes.setdefault(name, []).extend(values)
    found = {}
    for path, tree in trees.items():
        bindings = _bindings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                for argument in MAKERS.get(name, []):
                    if argument < len(node.args):
                        for text in _texts(node.args[argument], bindings, attributes):
                            found[text] = f"{path.name}:{node.lineno}"
    return found


def test_all_atoms_of_the_sources_are_in_the_greeting() -> None:
    made = _atoms_made()
    assert len(made) > 80
    assert {"tcp_passive", "udp_passive", "closed", "nxdomain", "badarith", "https"} <= set(made)
    assert {name: where for name, where in made.items() if name not in ATOMS | NOT_SENT} == {}


def test_a_bare_node_has_them() -> None:
    """After the start of inetpy they exist, also in a node that has loaded nothing else."""
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
        output, _ = node.communicate(timeout=60)
    before, after = output.split(b" ", 1)
    assert int(before) > 5  # otherwise this test proves nothing
    assert after == b"[]"
