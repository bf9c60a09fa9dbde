"""The plugin of pytest: the fixtures `erlang` and `network`, and what a failed test shows of them.

pytest loads this module always. What it needs for a test is imported when a test wants a fixture.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ..network.network import Network
    from .cassette import Cassette
    from .node import Node
    from .session import Session

__all__ = ["cassette", "erlang", "network"]

CASSETTES = ("once", "none", "rewrite")
MARKER = "inetpy_cassette"
NOTE = "inetpy cassette"  # the name of a property of reports
TRACES = ("never", "on-failure", "always")

_KEY: pytest.StashKey[Session] = pytest.StashKey()


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"a whole number from 0 on, not {text}")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("inetpy", "Erlang nodes and their network")
    group.addoption(
        "--inetpy-seed",
        type=_seed,
        metavar="N",
        help="where random numbers of the network begin; a failed test shows it",
    )
    group.addoption(
        "--inetpy-schedule",
        type=Path,
        metavar="FILE",
        help="repeat the faults of a recorded test: its trace, .jsonl or .pcapng",
    )
    group.addoption(
        "--inetpy-trace",
        choices=TRACES,
        default="on-failure",
        help="when the trace of a test is kept: never (and nothing is recorded), on-failure, always",
    )
    group.addoption(
        "--inetpy-cassette",
        choices=CASSETTES,
        default="once",
        help="tests with a cassette: once (replayed, or recorded where there is none yet), none (replayed "
        "only), rewrite (recorded again)",
    )
    group.addoption("--inetpy-erl", metavar="PATH", default="erl", help="the program erl, of OTP 25 or later")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    from . import hooks

    pluginmanager.add_hookspecs(hooks)


def pytest_configure(config: pytest.Config) -> None:
    """A worker of pytest-xdist has the seed of the process that shows its reports."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(name, mode, redact, times, match, chunks, speed, patience): what the nodes of the "
        "test say with others is recorded once, and replayed from then on",
    )
    if config.option.inetpy_schedule is not None:
        _check_schedule(config.option.inetpy_schedule)
    if config.option.inetpy_seed is None:
        of_worker = getattr(config, "workerinput", {})
        config.option.inetpy_seed = of_worker.get("inetpy_seed", random.SystemRandom().getrandbits(32))


def _check_schedule(path: Path) -> None:
    from ..network.script_file import read_scripts

    try:
        read_scripts(path)
    except OSError as error:
        raise pytest.UsageError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """pytest-xdist starts a worker."""
    node.workerinput["inetpy_seed"] = node.config.option.inetpy_seed


def pytest_unconfigure(config: pytest.Config) -> None:
    session = config.stash.get(_KEY, None)
    if session is not None:
        session.close()


def _session(config: pytest.Config) -> Session:
    session = config.stash.get(_KEY, None)
    if session is None:
        from .session import Session

        session = config.stash[_KEY] = Session(config)
    return session


@pytest.fixture
def network(request: pytest.FixtureRequest) -> Generator[Network, None, None]:
    """The network of the nodes of this process, an `inetpy.Network`. It is empty for each test.

    What a strict network refuses, and a server that raises, makes the test fail at its end.
    """
    session = _session(request.config)
    folders = request.getfixturevalue("tmp_path_factory")
    begun = session.begin_network(lambda: folders.mktemp("inetpy"))
    marker = request.node.get_closest_marker(MARKER)
    if marker is not None or "cassette" in request.fixturenames:
        text = _begin_cassette(session, request.node, marker)
        if text is not None:
            pytest.fail(text, pytrace=False)
    yield begun
    failures = session.end_network(request.node.name)
    if failures:
        pytest.fail("the network has failures:\n" + "\n".join(failures), pytrace=False)


def _begin_cassette(session: Session, test: Any, marker: pytest.Mark | None) -> str | None:
    """Why there is none."""
    from .cassette import CassetteError

    if marker is not None and marker.args:
        return f"{MARKER} takes words: name={marker.args[0]!r}"
    name, words = test.nodeid.partition("::")[2], {} if marker is None else dict(marker.kwargs)
    try:
        session.begin_cassette(test.path, name, words, lambda note: test.user_properties.append((NOTE, note)))
    except CassetteError as error:
        return str(error)
    return None


@pytest.fixture
def cassette(request: pytest.FixtureRequest, network: Network) -> Cassette:  # noqa: ARG001
    """What the nodes of this test say with others: recorded once, and replayed from then on.

    An `inetpy.testing.cassette.Cassette`, with `path`, `is_recording` and `replay`. The marker
    `inetpy_cassette` has the same effect, and takes words of its own.
    """
    found = _session(request.config).cassette
    assert found is not None
    return found


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker(MARKER) is not None and "network" not in getattr(item, "fixturenames", ()):
        pytest.fail(f"a test with {MARKER} needs the fixture erlang or network", pytrace=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What cassettes have to tell: which were recorded, and what was sent as stars."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    told = {
        note for report in reports for name, note in getattr(report, "user_properties", ()) if name == NOTE
    }
    if told:
        terminalreporter.section("inetpy cassettes")
        for note in sorted(told):
            terminalreporter.write_line(note)


@pytest.fixture
def erlang(request: pytest.FixtureRequest, network: Network) -> Generator[Node, None, None]:  # noqa: ARG001
    """A node, an `inetpy.testing.Node`, whose sockets are on the fixture `network`.

    All tests have the same one. What a test starts and sets in it is gone in the next test: see `Node.reset`.
    Modules and folders of beams stay for the tests of the same file. A node that has ended gives way to a new
    one.
    """
    session = _session(request.config)
    yield session.begin_node(request.node.path)
    session.end_node()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, pytest.TestReport]:
    report: pytest.TestReport = yield
    session = item.config.stash.get(_KEY, None)
    if session is not None and report.when == "call":
        session.has_passed = call.excinfo is None
    if session is not None and session.is_used and (report.when == "call" or report.failed):
        section = session.section(item.name, report.failed, call.excinfo)
        if section:
            report.sections.append(("inetpy", section))
    return report
