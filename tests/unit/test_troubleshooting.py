"""Every text of an error that inetpy prints, logs or returns has an entry in docs/troubleshooting.md.

Those of a refused rule have one where they need more words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from conftest import TOP

PAGE = (TOP / "docs" / "troubleshooting.md").read_text()
ENTRIES = re.findall(r"^\| `(.*?)` \|", PAGE, re.MULTILINE)

# Modules whose texts are errors, and texts in them that are none.
ERLANG = ["python", "keeper", "node", "install", "heartbeat", "bridge", "greeting"]
NO_ERRORS = ["id -un", "--version"]

# Calls whose first argument is the text of an error, and calls with it at another place.
MAKERS = {
    "_cannot_run": 0,
    "NotBuiltError": 0,
    "CannotRunError": 0,
    "ProtocolError": 0,
    "exit": 0,
    "print": 0,
    "Finding": 2,
}


def erlang_texts() -> Iterator[str]:
    for name in ERLANG:
        source = (TOP / "erl" / "src" / f"inetpy_{name}.erl").read_text()
        code = re.sub(r"^\s*%.*$", "", source, flags=re.MULTILINE)
        for text in re.findall(r'"((?:[^"\\]|\\.)*)"', re.sub(r'"\s+"', "", code)):
            if " " in text and len(text) > 10 and not any(other in text for other in NO_ERRORS):
                yield re.sub(r"~[\d.]*(?:ts|[a-zP])", "\0", text)


def python_texts() -> Iterator[str]:
    for file in sorted((TOP / "bridge").rglob("*.py")):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=arguments) if (
                    name in MAKERS and len(arguments) > MAKERS[name] and is_error(name, node)
                ):
                    yield from literal(arguments[MAKERS[name]])
                case ast.Assign(targets=[ast.Name(id="found" | "_FAILED")], value=value) if (
                    file.name == "doctor.py"
                ):
                    yield from literal(value)


def is_error(name: str, call: ast.Call) -> bool:
    match name:
        case "print":
            return any(ast.unparse(keyword) == "file=sys.stderr" for keyword in call.keywords)
        case "Finding":
            return ast.unparse(call.args[1]) != "OK"
    return True


def literal(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Call(func=ast.Attribute(value=text)):  # f"...".rstrip()
            yield from literal(text)
        case ast.JoinedStr(values=values):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in values)


def rule_texts() -> Iterator[str]:
    """Why a rule is refused."""
    for name in ("arguments", "faults", "rules", "whom", "requests"):
        file = TOP / "bridge" / "inetpy" / "network" / f"{name}.py"
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name(id="ValueError"), args=[text]):
                    yield from literal(text)


def reasons() -> set[str]:
    """The names of errors that are terms."""
    names = ("inetpy.erl", "inetpy_app.erl", "inetpy_bridges.erl", "inetpy_install.erl")
    sources = "".join((TOP / "erl" / "src" / name).read_text() for name in names)
    return set(re.findall(r"\{error, \{(\w+),", sources))


def parts(text: str) -> list[str]:
    """The parts of a text between its values, if they say something."""
    words = [
        re.sub(r"\s+|~n|\\n", " ", part.removeprefix("inetpy: ").replace("`", "")).strip()
        for part in text.split("\0")
    ]
    return [part for part in words if len(re.sub(r"\W", "", part)) > 2]


TEXTS = sorted({tuple(parts(text)) for text in [*erlang_texts(), *python_texts()]} - {()})
RULE_TEXTS = {tuple(parts(text)) for text in rule_texts()} - {()}


@pytest.mark.parametrize("text", TEXTS, ids=" ... ".join)
def test_text(text: tuple[str, ...]) -> None:
    pattern = ".*".join(map(re.escape, text))
    assert any(re.search(pattern, entry) for entry in ENTRIES)


@pytest.mark.parametrize("reason", sorted(reasons()))
def test_reason(reason: str) -> None:
    assert any(f"{{{reason}, " in entry for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_entry_is_in_the_sources(entry: str) -> None:
    """An entry whose text is gone goes too."""
    if entry.startswith("{error, {"):
        assert any(f"{{{reason}, " in entry for reason in [*reasons(), "inetpy"])
    else:
        assert any(re.search(".*".join(map(re.escape, text)), entry) for text in [*TEXTS, *RULE_TEXTS])
