"""A cassette: what a test's nodes said with the real peers is recorded once, and replayed from then on.

    once      replayed where there is a file, else recorded
    none      replayed; without a file the test fails
    rewrite   recorded again

The file is `cassettes/<name of the test file>/<name of the test>.jsonl` beside the test. It is written in one
step when the test has passed; otherwise all is as before.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..network import anywhere
from ..network.network import Network
from ..network.recording import Recording
from ..network.replay import Replay, make_manner

__all__ = ["MODES", "Cassette", "CassetteError", "path_of"]

MODES = ("once", "none", "rewrite")
FOLDER = "cassettes"
_OF_RECORDING: dict[str, Any] = {"redact": (), "times": False}
_OF_REPLAY: dict[str, Any] = {"match": "exact", "chunks": "recorded", "speed": None, "patience": 5.0}


class CassetteError(Exception):
    """There is none, or it cannot be made: a sentence."""


def path_of(file: Path, test: str, name: str | None) -> Path:
    """test: its name in the file, `TestClass::test_it[1]`. name: what its marker has.

    Raises CassetteError for what is no name.
    """
    if name is not None and not isinstance(name, str):
        raise CassetteError(f"the name of a cassette is text, not {name!r}")
    wanted = test if name is None else name
    plain = re.sub(r"[^a-zA-Z0-9_.-]+", "-", wanted.replace("::", ".")).strip("-") or "test"
    if plain != wanted.replace("::", "."):  # two names that differ are two files
        plain += f"-{zlib.crc32(wanted.encode()):08x}"
    return file.parent / FOLDER / file.stem / f"{plain}.jsonl"


def _is_cut_short(path: Path) -> bool:
    """Whether the last line is half a line. A cassette is written in one step, so then it is damaged.

    That of another trace is not: its program was killed.
    """
    *before, last = path.read_bytes().rstrip(b"\n").split(b"\n")
    try:
        json.loads(last)
    except ValueError:
        return bool(before)
    return False


class Cassette:
    """The cassette of one test.

    path: its file. is_recording: whether the test talks to the real peers now. replay: what plays them;
    None while it records, and for a test that talks to nobody.
    """

    def __init__(self, network: Network, path: Path, mode: str, words: Mapping[str, Any]) -> None:
        if not isinstance(mode, str) or mode not in MODES:
            raise CassetteError(f"the mode of a cassette is once, none or rewrite, not {mode!r}")
        unknown = set(words) - set(_OF_RECORDING) - set(_OF_REPLAY)
        if unknown:
            known = ", ".join(["name", "mode", *_OF_RECORDING, *_OF_REPLAY])
            raise CassetteError(f"a cassette has no {min(unknown)!r}: it has {known}")
        self.path = path
        self.replay: Replay | None = None
        self._network = network
        self._words = _OF_RECORDING | _OF_REPLAY | dict(words)
        self._recording: Recording | None = None
        self.is_recording = mode == "rewrite" or (mode == "once" and not path.exists())
        try:
            if self.is_recording:
                self._begin_recording()
            else:
                self._begin_replay(mode)
        except (ValueError, OSError, RecursionError) as error:
            raise CassetteError(f"the cassette {path}: {error}") from None

    def __repr__(self) -> str:
        return f"<Cassette {self.path} {'records' if self.is_recording else 'replays'}>"

    def _begin_recording(self) -> None:
        """Words that no replay could use are said now, and not when the peers are gone."""
        make_manner(self._network, **{name: self._words[name] for name in _OF_REPLAY})
        if self._words["speed"] is not None and not self._words["times"]:
            raise CassetteError("a cassette with a speed needs its times: times=True")
        self._recording = Recording(self._network, self._words["redact"])

    def _begin_replay(self, mode: str) -> None:
        if not self.path.exists():
            raise CassetteError(
                f"there is no cassette {self.path}, and with the mode {mode} nothing is recorded: "
                "run the test once with --inetpy-cassette=once where its peers can be reached"
            )
        if not self.path.stat().st_size:  # the test talks to nobody
            anywhere.do(self._network.loop, self._network.engine.seal)
            return
        words = {name: self._words[name] for name in _OF_REPLAY}
        if _is_cut_short(self.path):
            raise CassetteError(
                f"the cassette {self.path} is cut short: its last line is no event of a trace. "
                "Get the whole file back, from version control for example. "
                "With --inetpy-cassette=rewrite it is recorded again."
            )
        try:
            self.replay = self._network.replay(self.path, **words)
        except ValueError as error:
            raise CassetteError(f"{error}\nWith --inetpy-cassette=rewrite it is recorded again.") from None

    @property
    def notes(self) -> list[str]:
        """What a summary of the run is to tell."""
        if self._recording is not None:
            return []
        return [] if self.replay is None else [f"{self.path}: {note}" for note in self.replay.notes]

    def stop(self) -> None:
        """The test has ended."""
        if self._recording is not None:
            self._recording.stop(self._words["times"])

    def save(self) -> str | None:
        """Keeps what was recorded; tells so."""
        if self._recording is None:
            return None
        try:
            self._recording.save(self.path)
        except (ValueError, OSError) as error:
            raise CassetteError(f"the cassette is not written: {error}") from None
        return f"recorded {self.path}"
