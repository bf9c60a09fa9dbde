"""The programs and commands in README.md and docs run unchanged.

A block of Erlang is typed into a shell, all blocks of a page into one. A module is compiled instead. A block
of Elixir is a program, and so are all blocks of Python of a page together. A block of Python that begins with
the name of a file, `# net.py`, is that file. A block `sh` is run. The commands `inetpy` and `make` in an
indented block, which may need the network, have to exist.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EBIN, TEST_EBIN, TOP, erl
from inetpy import cli
from inetpy.tools.examples import EXAMPLES

sys.path.insert(0, str(TOP / "scripts"))
import screen

PAGES = {page.name: page.read_text() for page in [TOP / "README.md", *sorted((TOP / "docs").glob("*.md"))]}
LANGUAGES = {"erlang", "elixir", "python", "sh", ""}  # without a language: drawings
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGES[page], re.DOTALL | re.MULTILINE)


def pages_with(language: str) -> list[str]:
    return [page for page in PAGES if blocks(page, language)]


def run(*command: str, folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | {"PATH": PATH},
        timeout=120,
    )


@pytest.mark.parametrize("page", PAGES)
def test_languages(page: str) -> None:
    """Every block has a language that is tested."""
    assert set(re.findall(r"^```([^\n]*)\n.*?^```$", PAGES[page], re.DOTALL | re.MULTILINE)) <= LANGUAGES


FILE = re.compile(r"# (\w+\.py)\n")
FIRST = {"testing.md"}  # which is tested in tests/testing/test_first_tests.py
OTHERS = {"faults.md"} | FIRST  # whose Python is tested in test_faults_page.py
TESTS = {"testing-erlang.md"} | FIRST  # whose Elixir is tested in tests/testing/test_testing_page.py

SLOW = {"hypothesis.md", "replay.md", "trace.md"}  # whose commands are run in tests/testing/test_pages.py


def programs(page: str) -> list[str]:
    """The blocks of Python that are no files."""
    return [text for text in blocks(page, "python") if not FILE.match(text)]


def files(page: str, folder: Path) -> None:
    """Writes the files on a page."""
    for text in blocks(page, "python"):
        if found := FILE.match(text):
            (folder / found[1]).write_text(text)


def modules(page: str, folder: Path) -> list[Path]:
    """The modules on a page, as files."""
    found = []
    for text in blocks(page, "erlang"):
        if named := re.match(r"-module\((\w+)\)\.", text):
            found.append(folder / f"{named[1]}.erl")
            found[-1].write_text(text)
    return found


@pytest.mark.parametrize("page", [page for page in pages_with("erlang") if page not in FIRST])
def test_erlang(page: str, tmp_path: Path) -> None:
    files(page, tmp_path)
    for file in modules(page, tmp_path):
        done = run("erlc", "-Werror", "-pa", str(TEST_EBIN), file.name, folder=tmp_path)
        assert done.returncode == 0, done.stdout
    typed = [text.rstrip() for text in blocks(page, "erlang") if not text.startswith("-module(")]
    lines = "".join(f"{text}\n" if text.endswith(".") else f"{text}.\n" for text in typed)
    done = run(
        "erl", "-pa", str(EBIN), folder=tmp_path, text=lines + 'io:format("all ~s~n", [ran]), halt().\n'
    )
    assert "all ran" in done.stdout, done.stdout
    assert not re.search(r"exception|syntax error|illegal|is unbound", done.stdout), done.stdout


@pytest.mark.parametrize("page", [page for page in pages_with("elixir") if page not in TESTS])
def test_elixir(page: str, tmp_path: Path) -> None:
    """Parts of mix.exs and config.exs have to be Elixir; tests/packaging/test_dependency_mix.py uses them."""
    for text in blocks(page, "elixir"):
        script = tmp_path / "page.exs"
        if re.match(r"defp|config", text):
            script.write_text(f"Code.string_to_quoted!(~S'''\n{text}''')\n")
        else:
            script.write_text(text)
        done = run("elixir", "-pa", str(EBIN), script.name, folder=tmp_path)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", [page for page in PAGES if programs(page) and page not in OTHERS])
def test_python(page: str, tmp_path: Path) -> None:
    done = run(sys.executable, "-W", "error", "-", folder=tmp_path, text="\n".join(programs(page)))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("page", [page for page in pages_with("sh") if page not in SLOW])
def test_shell(page: str, tmp_path: Path) -> None:
    run_commands(page, tmp_path)


def run_commands(page: str, folder: Path) -> None:
    """Runs the blocks `sh` of a page, which need no network. The modules and files of the page are there."""
    modules(page, folder)
    files(page, folder)
    for text in blocks(page, "sh"):
        done = run("bash", "-euo", "pipefail", "-c", text, folder=folder)
        assert done.returncode == 0, done.stdout


def indented_commands(page: str) -> list[list[str]]:
    """The words of the lines in indented blocks: `    make test    # a comment` is [make, test]."""
    prose = re.sub(r"^```.*?^```$", "", PAGES[page], flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"^    (?:\$ )?((?:inetpy|make) .*)$", prose, re.MULTILINE)
    return [shlex.split(re.split(r"\s+#|\s*[|>]", line)[0]) for line in found]


@pytest.mark.parametrize("page", [page for page in PAGES if indented_commands(page)])
def test_indented_commands(page: str) -> None:
    targets = re.findall(r"^([\w-]+):", (TOP / "Makefile").read_text(), re.MULTILINE)
    for program, *arguments in indented_commands(page):
        if program == "make":
            assert set(arguments) <= set(targets)
        else:
            cli._parser().parse_args(arguments)


@pytest.mark.parametrize("page", PAGES)
def test_links(page: str) -> None:
    """Links to files of the repository lead somewhere."""
    folder = TOP if page == "README.md" else TOP / "docs"
    for target in re.findall(r"\]\((?!http)([^)#]+)", PAGES[page]):
        assert (folder / target).exists(), target


def test_commands_are_listed() -> None:
    """docs/commands.md has every verb, every target and every variable."""
    page = PAGES["commands.md"]
    makefile = (TOP / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    inner = {"test-python", "dialyzer", "xref"}
    for target in set(phony[1].split()) - inner:
        assert f"`make {target}" in page, target
    for verb in EXAMPLES:
        assert f"`inetpy {verb}" in page, verb


def test_picture() -> None:
    """docs/crosscheck.svg shows what `inetpy crosscheck` prints; scripts/screen.py writes it."""
    printed = re.sub(r"\x1b\[[\d;]*m", "", screen.screen())
    assert "".join(printed.split()) in screen.text_of(screen.PICTURE)


def test_scenario_count() -> None:
    """There are at least as many scenarios as README.md claims."""
    count = (
        'io:format("~b", [lists:sum([length(inetpy_xc:scenarios(G)) || G <- inetpy_xc:groups()])]), halt().'
    )
    with erl("-noshell", "-eval", count, stdout=subprocess.PIPE) as node:
        there, _ = node.communicate(timeout=60)
    claimed = re.search(r"over (\d+)\s+scenarios", PAGES["README.md"])
    assert claimed is not None
    assert int(claimed[1]) < int(there)
