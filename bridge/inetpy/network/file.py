"""A network that is described in a file: `inetpy run --network net.py -- CMD`.

The file is Python, and has the object `network` and all words of `inetpy.network`:

    network.names({"db.example": "127.0.0.1"})
    network.fault(latency(200), host="db.example")
"""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from .. import network as words
from .network import Network

__all__ = ["NetworkFileError", "load"]


class NetworkFileError(Exception):
    """The file cannot be read, or raises: a sentence, and the traceback inside of the file."""


def load(path: Path, network: Network) -> None:
    """Runs the file. Raises NetworkFileError."""
    given = {name: getattr(words, name) for name in words.__all__}
    try:
        code = compile(path.read_bytes(), str(path), "exec")
        sys.path.insert(0, str(path.parent))
        try:
            exec(code, {"__name__": "__network__", "__file__": str(path), **given, "network": network})  # noqa: S102
        finally:
            sys.path.remove(str(path.parent))
    except (Exception, SystemExit) as error:
        raise NetworkFileError(_described(error, path)) from error


def _described(error: BaseException, path: Path) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    while frames and frames[0].filename != str(path):
        del frames[0]
    sentence = (
        f"the network file {path} has failed: {''.join(traceback.format_exception_only(error)).strip()}"
    )
    if not frames:  # it has not begun
        return sentence
    ours = str(Path(__file__).parent.parent)
    guests = [frame for frame in frames if not frame.filename.startswith(ours)]
    where = "".join(traceback.format_list(guests)).rstrip()
    return f"{sentence}\nThe error is at:\n{where}"
