"""What the fixtures share: one network and one node for all tests of a process."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ..network import anywhere
from ..network.network import Network
from ..network.script_file import read_scripts
from .cassette import Cassette, CassetteError, path_of
from .errors import NodeDownError
from .failure_report import text_of
from .half import Half
from .node import STUCK, Node

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo

__all__ = ["Session"]

NAME = "erlang"  # of the node of the fixture


class Session:
    """See the module.

    is_used: whether the test that runs has one of the fixtures.
    has_passed: whether its function has returned.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.is_used = False
        self.has_passed = False
        self._config = config
        self._half: Half | None = None
        self._node: Node | None = None
        self._file: Path | None = None  # of the test that had it last
        self._new_folder: Callable[[], Path] = Path
        self._trace: Path | None = None  # where that of this test is
        self._failures: list[str] | None = None
        self._has_failed = False
        self.cassette: Cassette | None = None  # of the test that runs

    def close(self) -> None:
        if self._node is not None:
            self._node.kill()
        if self._half is not None:
            self._half.close()

    # --- the network of a test ---

    def begin_network(self, new_folder: Callable[[], Path]) -> Network:
        """`new_folder` makes the folder of a trace."""
        if self._half is None:
            self._half = Half(self._config.option.inetpy_seed)
        network = self._half.network
        network.clear()
        network.trace.stop()
        if self._config.option.inetpy_schedule is not None:
            network.engine.follow(read_scripts(self._config.option.inetpy_schedule))
        if self._config.option.inetpy_trace != "never":
            network.trace.start()
        self.is_used = True
        self._new_folder = new_folder
        self._trace = self._failures = self.cassette = None
        self._has_failed = self.has_passed = False
        return network

    def end_network(self, test: str) -> list[str]:
        """What has failed in the network."""
        self.is_used = False
        self._look_at_loop()
        if self._half is None:
            return self._failures or []
        self._stop_cassette()
        network = self._half.network
        failures = list(network.failures) if self._failures is None else self._failures
        kept = self._keep_trace(test, bool(failures) or self._has_failed)
        network.trace.stop()
        network.clear()
        if self.cassette is not None and self.has_passed and not failures and not self._has_failed:
            try:
                self._note(self.cassette.save())
            except CassetteError as error:
                return [str(error)]
        if failures and kept is not None:
            return [*failures, f"trace: {kept}"]
        return failures

    def begin_cassette(
        self, file: Path, test: str, words: dict[str, Any], note: Callable[[str], None]
    ) -> None:
        """For the test that begins. note: takes what the end of the run is to tell.

        Raises CassetteError.
        """
        assert self._half is not None
        name, mode = words.pop("name", None), words.pop("mode", None)
        path = path_of(file, test, name)
        self._note_of_run = note
        self.cassette = Cassette(self._half.network, path, mode or self._config.option.inetpy_cassette, words)
        for text in self.cassette.notes:
            note(text)

    def _stop_cassette(self) -> None:
        """Before the processes of the test end: what they say then is none of the test.

        What replays still wait for is a failure of the network now.
        """
        if self.cassette is not None:
            self.cassette.stop()
        if self._half is not None and self._half.network.engine.replays:
            anywhere.do(self._half.network.loop, self._half.network.engine.end_replays)

    def _note(self, text: str | None) -> None:
        if text is not None:
            self._note_of_run(text)

    def _look_at_loop(self) -> None:
        """A loop that is stuck is given up with its node: the next test gets others."""
        stack = None if self._half is None else self._half.stuck_in()
        if stack is None or self._half is None:
            return
        self._failures = [f"{STUCK}\n{stack}"]
        if self._node is not None:
            self._node.abandon()
        self._half.abandon()
        self._half = self._node = None

    def _keep_trace(self, test: str, has_failed: bool) -> Path | None:
        """Where it is; None where it is not kept."""
        assert self._half is not None
        mode = self._config.option.inetpy_trace
        if mode == "never" or (mode == "on-failure" and not has_failed):
            return None
        if self._trace is None:
            self._trace = self._new_folder() / f"{re.sub(r'[^a-zA-Z0-9_.-]+', '-', test)}.pcapng"
        for path in (self._trace, self._trace.with_suffix(".jsonl")):
            self._half.network.trace.save(path)
        return self._trace

    # --- the node of a test ---

    def begin_node(self, file: Path) -> Node:
        """The node for a test of this file. What tests of another file have compiled is gone."""
        if self._node is None or not self._node.is_alive:
            self._node = self._new_node()
        elif file != self._file:
            self._node.reset()
        self._file = file
        return self._node

    def _new_node(self) -> Node:
        assert self._half is not None
        option = self._config.option
        node = Node(NAME, network=self._half.network, erl=option.inetpy_erl)
        try:
            self._config.hook.pytest_inetpy_node(node=node)
            node.mark()
        except BaseException:
            node.kill()
            raise
        return node

    def end_node(self) -> None:
        """The end of processes can be a failure of servers, which is none of the test."""
        self._look_at_loop()
        if self._half is None or self._node is None:
            return
        self._stop_cassette()
        self._failures = list(self._half.network.failures)
        if not self._node.is_alive:
            self._node.kill()  # its peers too
            return
        try:
            self._node.reset(code=False)
        except NodeDownError:
            self._node.kill()  # the test has ended it, and the end comes now
        except Exception:
            self._node.kill()  # the next test gets another
            raise

    # --- the report of a test ---

    def section(self, test: str, failed: bool, error: ExceptionInfo[BaseException] | None) -> str:
        """What the report of a test shows; empty where that is nothing."""
        half = self._half
        self._look_at_loop()
        if half is None:
            return ""
        if self._half is None:
            return "\n".join([half.network.report(), *(self._failures or [])])
        self._has_failed = self._has_failed or failed
        trace = self._keep_trace(test, failed)
        if failed:
            return text_of(self._half.network, self._node, error and error.value, trace)
        return "" if trace is None else f"trace: {trace}"
