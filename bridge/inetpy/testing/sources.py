"""What a test gives as code: modules as files or as text, and folders of beams."""

from __future__ import annotations

import glob
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

__all__ = ["Source", "folders", "source"]

MODULE = re.compile(r"^\s*-\s*module\(\s*('(?:\\.|[^'\\\n])+'|[\w@.]+)\s*\)", re.MULTILINE)
ODD = re.compile(r"[^\w@.]+")  # what is none of a file's name


class Source(NamedTuple):
    """A module. `shown` is the name of the file in messages, `include` are folders of headers."""

    file: Path
    shown: str
    include: list[Path]


@contextmanager
def source(given: str | os.PathLike[str], include: Sequence[str], folder: Path) -> Iterator[Source]:
    """A file, or text, which becomes a file in `folder` meanwhile. Raises FileNotFoundError."""
    text = os.fspath(given)
    more = [Path(each).absolute() for each in include]
    found = MODULE.search(text)
    if found is None:
        file = Path(text).absolute()
        if not file.is_file():
            raise FileNotFoundError(f"there is no file {file}, and it is no text with -module(...)")
        yield Source(file, str(file), [file.parent, file.parent.parent / "include", *more])
        return
    shown = ODD.sub("-", found[1].strip("'")) + ".erl"
    file = folder / f"{threading.get_ident()}-{shown}"
    file.write_text(f'-file("{shown}", 0).\n{text}', encoding="utf-8")  # so says the stack of an error
    try:
        yield Source(file, shown, [Path.cwd(), *more])
    finally:
        file.unlink()


def folders(given: str | os.PathLike[str]) -> list[str]:
    """The folders of a pattern. Raises FileNotFoundError where there is none."""
    pattern = os.path.abspath(given)
    found = [folder for folder in sorted(glob.glob(pattern)) or [pattern] if os.path.isdir(folder)]
    if not found:
        raise FileNotFoundError(f"there is no folder {pattern}")
    return found
