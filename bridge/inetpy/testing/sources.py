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

MODULE = re.compile(r"^\s*-module\(\s*'?(\w+)'?\s*\)", re.MULTILINE)


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
    file = folder / f"{found[1]}-{threading.get_ident()}.erl"
    file.write_text(f'-file("{found[1]}.erl", 0).\n{text}')  # so says the stack of an error
    try:
        yield Source(file, f"{found[1]}.erl", [Path.cwd(), *more])
    finally:
        file.unlink()


def folders(given: str | os.PathLike[str]) -> list[str]:
    """The folders of a pattern. Raises FileNotFoundError where there is none."""
    pattern = os.path.abspath(given)
    found = [folder for folder in sorted(glob.glob(pattern)) or [pattern] if os.path.isdir(folder)]
    if not found:
        raise FileNotFoundError(f"there is no folder {pattern}")
    return found
