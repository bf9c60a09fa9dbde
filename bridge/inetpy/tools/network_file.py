"""The file of `inetpy run --network FILE`, before the program starts. See `network.file` for what it says."""

from __future__ import annotations

import ast
import random
import sys
from pathlib import Path

from .. import network as words

__all__ = ["NetworkError", "could_be_random", "variables"]

# Words that need random numbers; latency and slice do with a jitter or a variation only.
RANDOM = frozenset(("latency", "slice", "loss", "duplicate", "corrupt", "reorder", "probability"))


class NetworkError(Exception):
    """A file that does not describe a network, in one sentence."""


def variables(file: Path | None, seed: int | None, schedule: Path | None = None) -> dict[str, str]:
    """The variables of the environment for this network. Prints the seed where it matters.

    schedule: the trace of a run whose faults are repeated; then the seed does not matter.

    The file runs in each bridge. Here it is compiled only, so that an error of its syntax is said before
    the program starts. Raises NetworkError.
    """
    if schedule is not None:
        return _scheduled(schedule) | _described(file, 0 if seed is None else seed, is_repeated=True)
    return _described(file, seed)


def _scheduled(schedule: Path) -> dict[str, str]:
    from ..network.script_file import read_scripts

    try:
        read_scripts(schedule)
    except OSError as error:
        raise NetworkError(f"{schedule}: {error.strerror}") from None
    except ValueError as error:
        raise NetworkError(str(error)) from None
    return {"INETPY_SCHEDULE": str(schedule.resolve())}


def _described(file: Path | None, seed: int | None, is_repeated: bool = False) -> dict[str, str]:
    if file is None:
        return {} if seed is None else {"INETPY_SEED": str(seed)}
    tree = _parsed(file)
    if seed is None:
        seed = random.SystemRandom().getrandbits(32)
    if could_be_random(tree) and not is_repeated:
        print(f"inetpy: seed {seed} (repeat with --seed {seed})", file=sys.stderr, flush=True)
    return {"INETPY_NETWORK": str(file.resolve()), "INETPY_SEED": str(seed)}


def _parsed(file: Path) -> ast.Module:
    try:
        tree = ast.parse(file.read_bytes(), str(file))
        compile(tree, str(file), "exec")
    except OSError as error:
        raise NetworkError(f"{file}: {error.strerror}") from None
    except SyntaxError as error:
        line = "" if error.lineno is None else f", line {error.lineno}"
        raise NetworkError(f"{file}{line}: {error.msg}") from None
    except ValueError as error:  # null bytes
        raise NetworkError(f"{file}: {error}") from None
    return tree


def could_be_random(tree: ast.AST) -> bool:
    """False if all faults of a file are written out, and none of them needs random numbers."""
    return any(
        not _is_certain(value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _word(node.func) == "fault"
        for value in (*node.args, *(word.value for word in node.keywords if word.arg in (None, "when")))
    )


def _is_certain(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=None):  # when=None
            return True
        case ast.Constant(value=str(word)):  # "blackhole"
            return word not in RANDOM
        case ast.Call(func=func, args=positional, keywords=keywords) if _word(func) in words.__all__:
            word = _word(func)
            varied = {"jitter", "variation", None} & {keyword.arg for keyword in keywords}
            starred = any(isinstance(argument, ast.Starred) for argument in positional)
            is_plain = word in ("latency", "slice") and len(positional) < 2 and not varied
            return not starred and (is_plain or word not in RANDOM)
    return False


def _word(node: ast.AST) -> str:
    match node:
        case ast.Name(id=word) | ast.Attribute(attr=word):
            return word
    return ""
