"""The programs in docs/testing-pytest.md run unchanged, all in one folder."""

from __future__ import annotations

import re

from project import ASYNCIO, Project

from conftest import TOP

pytest_plugins = ["of_project"]

PAGE = (TOP / "docs" / "testing-pytest.md").read_text()


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_page(project: Project) -> None:
    (project.folder / "_build/default/lib/app/ebin").mkdir(parents=True)
    for text in _blocks("erlang"):
        name = re.match(r"-module\((\w+)\)", text)
        assert name is not None
        project.write(f"src/{name[1]}.erl", text)
    tests = 0
    for text in _blocks("python"):
        name = re.match(r"# (\w+\.py)\n", text)
        if name is not None:
            project.write(name[1], text)
            tests += len(re.findall(r"def test_", text))
    assert tests > 8
    assert project.run(*ASYNCIO, "-p", "no:anyio").outcomes() == {"passed": tests}
