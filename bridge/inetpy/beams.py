"""Where the beams are. An installed package compiles them once, for the OTP that is there.

There are three places. In the source tree the beams are in `erl/ebin`; `make build` compiles them. An
installed package has the Erlang sources in `inetpy/_erlang`, and the beams in a cache folder of the user:

    ~/.cache/inetpy/0.1.0-otp25-8c1f0e52d7ab/ebin

The name has the version, the release of OTP, and a hash of the sources and of the path of this Python. So
another OTP, another version or another virtual environment gets another folder. The folder is laid out as
`erl` is in the source tree. Its application file names this Python: `erl -pa "$(inetpy ebin)"` starts it.
Each use of a folder sets its time of modification. When a folder is made, those that nobody used for
KEPT_DAYS are removed.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import __version__

__all__ = ["KEPT_DAYS", "OLDEST_OTP", "NotBuiltError", "folder", "is_installed", "newer_source"]

OLDEST_OTP = 25
KEPT_DAYS = 60  # that a compiled folder stays without being used

_PACKAGE = Path(__file__).parent
_SOURCES = _PACKAGE / "_erlang"  # only in an installed package: setup.py puts it there
_TREE = _PACKAGE.parents[1] / "erl"

# The names of folders in the cache: compiled ones, and those in which a process compiles.
_OURS = re.compile(r"\d\S*-otp\d+-[0-9a-f]{12}|new-\S+")

# Folders of sources, and of their beams. `inetpy crosscheck` compiles the scenarios that it runs.
_FOLDERS = {"src": "ebin", "tools": "tools/ebin"}

# Variables with flags for every node, and options for every compiler.
_FLAGS = ("ERL_AFLAGS", "ERL_FLAGS", "ERL_ZFLAGS", "ERL_COMPILER_OPTIONS")


class NotBuiltError(Exception):
    """There are no beams: `reason`, and `advice` what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason}; {advice}")
        self.reason = reason
        self.advice = advice


def is_installed() -> bool:
    """Whether this is an installed package, and not the source tree."""
    return _SOURCES.is_dir()


def folder(programs: Path | None = None) -> Path:
    """The folder of the beams, for `erl -pa`. Compiles them if necessary. Raises NotBuiltError.

    programs: the folder of `erl`, `erlc` and `escript`, where it is not that of the PATH.
    """
    if not is_installed():
        if not _is_built(_TREE):
            raise NotBuiltError("the Erlang side is not compiled", "run `make build` in the source tree")
        return _TREE / "ebin"
    path = os.environ.get("PATH", os.defpath)
    if programs is not None:
        path = f"{programs}{os.pathsep}{path}"
    place = _cache() / _name(path)
    try:
        if not _is_built(place):
            _build(place, path)
    except OSError as error:
        raise NotBuiltError(f"{error.filename2 or error.filename}: {error.strerror}", _elsewhere()) from None
    with contextlib.suppress(OSError):  # of another user
        os.utime(place)
    return place / "ebin"


def newer_source() -> Path | None:
    """In the source tree: an Erlang source that has changed since `make build`."""
    if is_installed() or not _is_built(_TREE):
        return None
    built = (_TREE / "ebin" / "inetpy.app").stat().st_mtime
    sources = [file for pattern in ("*.erl", "*.hrl", "*.app.src") for file in (_TREE / "src").glob(pattern)]
    newest = max(sources, key=lambda file: file.stat().st_mtime, default=None)
    return newest if newest is not None and newest.stat().st_mtime > built else None


def _cache() -> Path:
    """The folder with the compiled versions: INETPY_CACHE, or in the user's folder of caches."""
    if given := os.environ.get("INETPY_CACHE"):
        return Path(given).absolute()
    caches = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if caches.is_absolute():
        return caches / "inetpy"
    try:
        return Path.home() / ".cache" / "inetpy"
    except RuntimeError:
        raise NotBuiltError("this user has no home folder for compiled code", _elsewhere()) from None


def _is_built(place: Path) -> bool:
    return (place / "ebin" / "inetpy.app").is_file()


def _name(path: str) -> str:
    digest = hashlib.sha256(os.fsencode(sys.executable))
    for file in sorted(path for path in _SOURCES.rglob("*") if path.is_file()):
        digest.update(b"\0" + os.fsencode(file.relative_to(_SOURCES)) + b"\0" + file.read_bytes())
    return f"{__version__}-otp{_release(path)}-{digest.hexdigest()[:12]}"


def _release(path: str) -> str:
    """The release of OTP on this PATH, such as 25."""
    expression = 'io:format("~s", [erlang:system_info(otp_release)]), halt().'
    # A file .erlang of the user may print more, before.
    words = _output(["erl", "-noinput", "-boot", "start_clean", "-eval", expression], path).split()
    release = words[-1] if words else ""
    if not release.isdecimal():
        raise NotBuiltError(f"erl prints no release of OTP, but {release!r}", "run erl by hand")
    if int(release) < OLDEST_OTP:
        raise NotBuiltError(f"OTP {release} is too old", f"install OTP {OLDEST_OTP} or later")
    return release


def _build(place: Path, path: str) -> None:
    """Compiles into a folder beside the place, and renames it. The folder of the first process stays."""
    for program in ("erlc", "escript"):
        if shutil.which(program, path=path) is None:
            raise _no_program(program)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=place.parent, ignore_cleanup_errors=True) as name:
        new = Path(name)
        tree = new / place.name
        shutil.copytree(_SOURCES, tree, copy_function=shutil.copyfile)
        _compile(tree, path)
        try:
            tree.rename(place)
        except OSError:
            if not _is_built(place):  # a folder from which somebody has removed files
                place.rename(new / "incomplete")
                tree.rename(place)
        _remove_unused(place.parent, new)


def _remove_unused(cache: Path, waste: Path) -> None:
    """Moves the folders that nobody used for KEPT_DAYS into one that is removed: none is half there."""
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    for unused in [entry for entry in cache.iterdir() if _OURS.fullmatch(entry.name)]:
        with contextlib.suppress(OSError):  # another process may be faster
            if unused.lstat().st_mtime < oldest:
                unused.rename(waste / unused.name)


def _compile(tree: Path, path: str) -> None:
    # No paths of this folder in the beams: it gets another name.
    options = ["+debug_info", "+deterministic"]
    for sources, beams in _FOLDERS.items():
        (tree / beams).mkdir(parents=True)
        files = sorted(str(file) for file in (tree / sources).glob("*.erl"))
        _output(["erlc", *options, "-pa", str(tree / "ebin"), "-o", str(tree / beams), *files], path)
    sources, ebin, hooks = (str(tree / name) for name in ("src", "ebin", "hook/ebin"))
    Path(hooks).mkdir(parents=True)
    _output(["escript", str(tree / "docs.escript"), "chunks", sources, ebin], path)
    _output(["escript", str(tree / "app.escript"), sources, ebin, hooks, sys.executable], path)


def _output(command: list[str], path: str) -> str:
    """The output of a program of OTP, without flags of the user's."""
    environment = {name: value for name, value in os.environ.items() if name not in _FLAGS} | {"PATH": path}
    program = shutil.which(command[0], path=path) or command[0]
    try:
        done = subprocess.run(
            [program, *command[1:]],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=environment,
        )
    except (FileNotFoundError, PermissionError):
        raise _no_program(command[0]) from None
    if done.returncode:
        said = " ".join((done.stdout + done.stderr).split())
        raise NotBuiltError(f"{command[0]} fails: {said}", f"run {command[0]} by hand and read what it says")
    return done.stdout


def _no_program(program: str) -> NotBuiltError:
    return NotBuiltError(f"there is no {program} on the PATH", "install Erlang/OTP: apt install erlang-base")


def _elsewhere() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.geteuid())
    return f"set INETPY_CACHE to a folder that user {user} can write"
