"""The programs in docs/testing-pytest.md, and the test in README.md, run unchanged, all in one folder."""

from __future__ import annotations

import re

from project import ASYNCIO, Project

from conftest import TOP

pytest_plugins = ["of_project"]

PAGE = (TOP / "docs" / "testing-pytest.md").read_text()
README = (TOP / "README.md").read_text()


def _blocks(language: str, page: str = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def test_page(project: Project) -> None:
    (project.folder / "_build/default/lib/app/ebin").mkdir(parents=True)
    for text in _blocks("erlang"):
        name = re.match(r"-module\((\w+)\)", text)
        assert name is not None
        project.write(f"src/{name[1]}.erl", text)
    tests = 0
    of_readme = [text for text in _blocks("python", README) if text.startswith("# test_")]
    assert of_readme
    for text in _blocks("python") + of_readme:
        name = re.match(r"# (\w+\.py)\n", text)
        if name is not None:
            project.write(name[1], text)
            tests += len(re.findall(r"def test_", text))
    assert tests > 8
    assert project.run(*ASYNCIO, "-p", "no:anyio").outcomes() == {"passed": tests}
