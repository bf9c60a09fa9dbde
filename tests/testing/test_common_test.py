"""The hook inetpy_cth, in runs of Common Test."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from frameworks import ct_run, inetpy_run, texts

SEED = "inetpy: seed 7 (repeat with {seed, 7})"
FIRED = "reset(after_bytes=5) for host=db.example: once (recv of db.example:5432 at 5)"


def told(output: str) -> list[str]:
    """What the cases of plain_SUITE have seen."""
    return re.findall(r"^plain: (.*)$", output, re.MULTILINE)


def test_cases_and_rules(tmp_path: Path) -> None:
    """Rules of a case go with it, however it ends; those of suite, group and file stay as long as these."""
    run = ct_run(tmp_path, "hooked_SUITE")
    assert run.counts() == [(14, 3, 2)], run.output
    failed = re.findall(r"FAILED test case (\d+) of", run.output)
    assert failed == ["2", "4", "6"]  # reset_and_fails, killed, in_time
    assert FIRED in run.output
    assert "blackhole() for host=db.example: once (connect of db.example:5432)" in run.output
    page = texts(run.log("hooked_suite.reset_and_fails"))
    assert SEED in page
    assert FIRED in page
    assert SEED in texts(run.log("hooked_suite.not_begun"))
    for quiet in ("reads", "skipped", "after_failure"):
        assert "inetpy: seed" not in texts(run.log(f"hooked_suite.{quiet}"))


def test_failures_of_the_network(tmp_path: Path) -> None:
    """A case fails by what a strict network refused, and by a server that raised."""
    run = ct_run(tmp_path, "strict_SUITE")
    assert run.counts() == [(1, 2, 0)], run.output
    refused = "stranger.example is looked up, which the network does not have"
    assert refused in texts(run.log("strict_suite.stranger"))
    assert "RuntimeError: on purpose" in texts(run.log("strict_suite.server_raises"))
    assert "inetpy: seed" not in texts(run.log("strict_suite.quiet"))


def test_replays(tmp_path: Path) -> None:
    """A case fails by what differs from the record, and by what is missing at its end."""
    run = ct_run(tmp_path, "replay_SUITE")
    assert run.counts() == [(1, 2, 0)], run.output
    assert "byte 2 of the client is not as recorded" in texts(run.log("replay_suite.differs"))
    assert "connection 1 with db.example:5432: it has never come" in texts(run.log("replay_suite.missing"))


def test_hook_ends_with_its_suite(tmp_path: Path) -> None:
    """The next suite has stock sockets, and no names of the network, though Python still runs."""
    run = ct_run(tmp_path, "hooked_SUITE", "plain_SUITE")
    assert told(run.output) == ["sockets stock no_net", "fails stock no_net", "in_group stock no_net"]
    assert "inetpy: seed" not in texts(run.log("plain_suite.fails"))


def test_hook_that_fails_ends_with_its_suite(tmp_path: Path) -> None:
    """Common Test keeps the hook of a suite without init_per_suite that could not begin."""
    run = ct_run(tmp_path, "unmade_SUITE", "plain_SUITE", "hooked_SUITE")
    assert run.counts() == [(0, 0, 1), (2, 1, 0), (14, 3, 2)], run.output
    assert told(run.output) == ["sockets stock no_net", "fails stock no_net", "in_group stock no_net"]


def test_hook_of_the_run(tmp_path: Path) -> None:
    """All suites are on Python. The file is found where the run was started, and runs for each of them."""
    (tmp_path / "mine.py").write_text('network.static("db.example", 1, b"")\nprint("file runs")\n')
    options = '[{network,"mine.py"},{seed,11},{trace,never}]'
    run = ct_run(tmp_path, "plain_SUITE", "late_SUITE", hooks=("inetpy_cth", options))
    assert told(run.output) == ["sockets python net", "fails python net", "in_group python net"]
    assert "inetpy: seed 11" in texts(run.log("plain_suite.fails"))
    assert run.counts() == [(2, 1, 0), (2, 0, 0)], run.output
    assert run.output.count("file runs") == 2


def test_two_hooks(tmp_path: Path) -> None:
    """The hook of the suite adds its network to that of the run; a failed case is shown once."""
    run = ct_run(tmp_path, "hooked_SUITE", "plain_SUITE", hooks=("inetpy_cth", "[{seed,11}]"))
    assert run.counts() == [(14, 3, 2), (2, 1, 0)], run.output
    assert texts(run.log("hooked_suite.reset_and_fails")).count("inetpy: seed 7") == 1
    assert "inetpy: seed 11" in texts(run.log("plain_suite.fails"))
    assert told(run.output) == ["sockets python no_net", "fails python no_net", "in_group python no_net"]


def test_node_that_is_on_python(tmp_path: Path) -> None:
    """A node that was on Python sockets before is so after the hook."""
    run = ct_run(tmp_path, "late_SUITE", "plain_SUITE", through=inetpy_run())
    assert run.counts() == [(2, 0, 0), (2, 1, 0)], run.output
    assert told(run.output)[0] == "sockets python no_net"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("[{colour,red}]", "there is no option colour: there are network, seed and trace"),
        ("[{seed,x}]", "seed cannot be x: it is an integer, 0 or more"),
        ("[{trace,sometimes}]", "trace cannot be sometimes: it is never, on_failure or always"),
        ('[{network,"no.py"}]', "there is no network file no.py in "),
        ('[{network,"broken.py"}]', "NameError: name 'latncy' is not defined The error is at: File"),
    ],
)
def test_wrong_options(tmp_path: Path, options: str, reason: str) -> None:
    """A suite is not run on another network than it asks for: it fails, and says why."""
    run = ct_run(tmp_path, "plain_SUITE", hooks=("inetpy_cth", options))
    assert run.counts() == [(0, 0, 3)], run.output
    assert told(run.output) == []
    assert reason in " ".join(run.output.split())


def test_no_python(tmp_path: Path) -> None:
    run = ct_run(tmp_path, "plain_SUITE", hooks=("inetpy_cth",), INETPY_PYTHON="/no/python")
    assert run.counts() == [(0, 0, 3)], run.output
    assert "INETPY_PYTHON names no program" in run.output


@pytest.mark.parametrize(
    ("trace", "kept"),
    [
        ("never", []),
        ("on_failure", ["fails", "killed", "refused"]),
        ("always", ["fails", "killed", "passes", "refused"]),
    ],
)
def test_traces(tmp_path: Path, trace: str, kept: list[str]) -> None:
    """A trace that is kept is beside the log of its case, which has a link to it."""
    options = f'[{{network,"both.py"}},{{trace,{trace}}}]'
    run = ct_run(tmp_path, "traced_SUITE", hooks=("inetpy_cth", options))
    assert run.counts() == [(1, 3, 0)], run.output
    traces = sorted(run.logs.glob("ct_run*/**/*.pcapng"))
    assert [path.name for path in traces] == [f"traced_suite.{case}.trace.pcapng" for case in kept]
    for path in traces:
        assert path.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"  # a section of pcapng
        assert (b"a question" in path.read_bytes()) == ("refused" not in path.name)
    for case in set(kept) & {"fails", "killed", "refused"}:
        (path,) = (path for path in traces if f".{case}." in path.name)
        page = run.log(f"traced_suite.{case}")
        assert f'<a href="{path.name}">' in page
        assert f"trace: {path}" in texts(page)
        assert f"trace: {path}" in run.output
