"""docs/faults.md: its tables, its programs, and that both languages of an example say the same rule."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import EBIN, TOP
from inetpy.codec import decode
from inetpy.host.memory import MemoryHost
from inetpy.network import file
from inetpy.network.engine import Engine
from inetpy.network.faults import CALLS, FAULTS, NEEDED
from inetpy.network.network import Network
from inetpy.network.requests import parse_rule
from inetpy.network.rules import Rule
from inetpy.network.whom import WORDS
from test_docs import run

PAGE = (TOP / "docs" / "faults.md").read_text()
EXAMPLE = re.compile(r"^```erlang\n(.*?)^```\n(?:```python\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)

# `with`, which also prints the rules.
WITH = """With = fun(Whom, What, Fun) -> inetpy_fault:with(Whom, What, fun() ->
    io:format("rules: ~s~n", [base64:encode(term_to_binary(inetpy_fault:rules()))]), Fun() end) end.
"""


def rows(title: str) -> list[list[str]]:
    """The cells of the table that begins with `title`."""
    lines = PAGE.split(f"\n{title}\n")[1].split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def arguments_of(word: str) -> str:
    def shown(default: object) -> str:
        if default is NEEDED:
            return ""
        return f'="{default}"' if isinstance(default, str) else f"={default}"

    return ", ".join(f"{argument.name}{shown(argument.default)}" for argument in FAULTS[word].arguments)


def test_table_of_faults() -> None:
    """All words, their arguments, and what they can happen to."""
    kinds = {"stream": "streams", "datagram": "datagrams", "resolve": "names"}
    page = {
        word: (arguments.strip("`"), of)
        for word, arguments, of, _ in rows("| word | arguments | of | what happens |")
    }
    assert page == {
        f"[`{word}`](#{word})": (
            arguments_of(word),
            ", ".join(name for kind, name in kinds.items() if kind in FAULTS[word].kinds),
        )
        for word in FAULTS
    }


@pytest.mark.parametrize("word", FAULTS)
def test_section(word: str) -> None:
    """Every word has a section with an example in both languages."""
    section = PAGE.split(f"\n### {word}\n")[1].split("\n##")[0]
    erlang, python = EXAMPLE.findall(section)[0]
    assert re.search(rf"\b{word}\b", erlang)
    assert re.search(rf"\b{word}\(", python)


def test_table_of_whom() -> None:
    assert [word.strip("`") for word, *_ in rows("| word | value | fits |")] == list(WORDS)


def test_table_of_calls() -> None:
    found = re.findall(r"`(\w+)`", " ".join(row[0] for row in rows("| call | when it fails | example |")))
    assert sorted(found) == sorted((*CALLS, "any"))


def python_rules(text: str, folder: Path) -> list[str]:
    """The rules that a part of a network file adds."""
    network = Network(Engine(MemoryHost(), 1))
    (folder / "net.py").write_text(text)
    file.load(folder / "net.py", network)
    return [shown(rule) for rule in network.rules]


def erlang_rules(encoded: str) -> list[str]:
    """The rules that inetpy_fault:rules() has printed."""
    terms: Any = decode(base64.b64decode(encoded))
    found = [{str(key): value for key, value in term.items()} for term in terms]
    return [shown(parse_rule((1, rule["whom"], rule["what"], {}))[1]) for rule in found]


def shown(rule: Rule) -> str:
    """Whom and what. An atom and a binary stand for text."""
    whom = {word: text_of(value) for word, value in sorted(rule.whom.words.items())}
    return f"{whom} {rule.what}"


def text_of(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else getattr(value, "name", value)


def test_examples(tmp_path: Path) -> None:
    """All of Erlang runs in one shell. What is beside it in Python adds the same rules."""
    typed = ""
    expected = []
    for erlang, python in EXAMPLE.findall(PAGE):
        if python:
            assert erlang.count("inetpy_fault:with(") >= 1
            expected.append(python_rules(python, tmp_path))
            typed += 'io:format("exa~s:~n", [mple]). ' + erlang.replace("inetpy_fault:with(", "With(")
        else:
            typed += erlang
    done = run(
        "erl",
        "-pa",
        str(EBIN),
        folder=tmp_path,
        text=WITH + typed + 'io:format("all ~s~n", [ran]), halt().\n',
    )
    assert "all ran" in done.stdout, done.stdout
    assert not re.search(r"exception|syntax error|illegal|is unbound", done.stdout), done.stdout
    parts = [re.findall(r"rules: (\S+)", part) for part in done.stdout.split("example:\n")[1:]]
    assert len(parts) == len(expected)
    for printed, rules in zip(parts, expected, strict=True):
        assert printed
        for text in printed:
            assert erlang_rules(text) == rules
