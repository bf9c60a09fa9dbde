"""`inetpy trace FILE`: the time line in the terminal, and what it lets through."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from inetpy.cli import main
from inetpy.network import nth, reset
from inetpy.tools import timeline
from inetpy.tools.lanes import Filters, Lanes, lanes_of, text_of_bytes
from inetpy.trace.read import read_trace
from with_network import NetworkBench


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Two connections; a rule ends the second one."""
    scene = NetworkBench()
    scene.network.trace.start()
    scene.fault(reset(after_bytes=4), when=nth(2))
    pairs = [scene.pair() for _ in range(2)]
    for ident, other in [*pairs, pairs[0]]:
        scene.send(ident, b"query 1\n")
        scene.run()
        with suppress(ConnectionResetError):
            other.send(b"\x00\x01answer")
        scene.recv(ident)
    for ending in ("pcapng", "jsonl"):
        scene.network.trace.save(tmp_path / f"run.{ending}")
    return tmp_path / "run.jsonl"


def shown(lanes: Lanes, most: int = 0, width: int = 200) -> list[str]:
    out = io.StringIO()
    timeline.show(lanes, most, Console(file=out, width=width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("ending", ["jsonl", "pcapng"])
def test_a_line_for_each_event(recorded: Path, ending: str) -> None:
    path = recorded.with_suffix(f".{ending}")
    lines = shown(lanes_of(read_trace(path)))
    assert len(lines) == len(read_trace(path).records)
    text = "\n".join(lines)
    assert '"query 1\\n"' in text
    assert "00 01 61 6e 73 77 65 72" in text
    assert "✖" in text
    assert "▲ reset(after_bytes=4" in text
    assert [float(line[:11]) for line in lines] == sorted(float(line[:11]) for line in lines)


def test_lanes(recorded: Path) -> None:
    """A column for each socket, until nothing more happens on it."""
    lanes = lanes_of(read_trace(recorded))
    assert len({lane.number for lane in lanes.lanes}) == len(lanes.lanes)
    sockets = [lane for lane in lanes.lanes if lane.kind == "stream"]
    assert len(sockets) == 2
    second = next(line for line in shown(lanes) if "#2 " in line and "▶" in line)
    assert "│ ▶" in second


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [
        (Filters(op="send"), {"call", "send", "fault"}),
        (Filters(op="connected"), {"socket"}),
        (Filters(label="*.nowhere"), set()),
        (Filters(socket=2, op="recv"), {"call"}),
        (Filters(owner="<0.*"), {"call", "send", "recv", "socket", "fault"}),
        (Filters(owner="nobody"), set()),
    ],
)
def test_filters(recorded: Path, filters: Filters, kinds: set[str]) -> None:
    assert {item.kind for item in lanes_of(read_trace(recorded), filters).items} == kinds


def test_problems(recorded: Path) -> None:
    items = lanes_of(read_trace(recorded), Filters(problems=True)).items
    assert items
    assert all(item.is_error or item.faults for item in items)


def test_a_long_trace_is_cut_with_a_note(recorded: Path) -> None:
    lanes = lanes_of(read_trace(recorded))
    lines = shown(lanes, most=3)
    assert len(lines) == 4
    assert f"… {len(lanes.items) - 3} more" in lines[-1]


def test_nothing_of_a_trace_controls_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither with escape sequences nor with the markup of rich."""
    hostile = "\x1b[31m\x07[red]evil[/red]\u202e"
    event: dict[str, Any] = {"time": 1, "event": "bytes", "node": "a@b", "socket": 1, "kind": "stream"}
    event |= {"label": hostile, "direction": "send", "offset": 0, "data": {"text": hostile}}
    event["faults"] = [hostile]
    fault = {"time": 2, "event": "fault", "rule": hostile, "at": hostile, "call": hostile, "offset": None}
    path = tmp_path / "run.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in (event, fault)))
    assert main(["trace", str(path)]) == 0
    text = capsys.readouterr().out
    assert not set("\x1b\x07\u202e") & set(text)
    assert "[red]evil[/red]" in text


def test_a_trace_without_times(recorded: Path) -> None:
    lines = [json.loads(line) for line in recorded.read_text().splitlines()]
    for line in lines:
        for name in ("time", "start", "end"):
            line.pop(name, None)
    recorded.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert len(shown(lanes_of(read_trace(recorded)))) == len(read_trace(recorded).records)


def test_bytes_on_a_line() -> None:
    assert text_of_bytes(b"GET /\r\n", 100) == '"GET /\\r\\n"'
    assert text_of_bytes(b"\x00\xff", 100) == "00 ff"
    assert text_of_bytes(b"users", 3) == '"use" …'
    assert text_of_bytes("ü".encode() * 2, 3) == '"ü" …'


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["nothing.jsonl"], "No such file"),
        (["run.jsonl", "--pcapng"], "--pcapng needs --live"),
        (["--live", "--op", "send"], "--op is for a FILE"),
        (["broken.jsonl"], "broken.jsonl"),
        (["run.jsonl", "--html", "no/such/folder.html"], "no/such/folder.html: No such file"),
    ],
)
def test_what_cannot_be_shown(
    recorded: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    why: str,
) -> None:
    monkeypatch.chdir(recorded.parent)
    Path("broken.jsonl").write_text("{}\n")
    assert main(["trace", *arguments]) == 2
    assert why in capsys.readouterr().err


def test_a_page_goes_to_a_pipe(recorded: Path) -> None:
    """And leaves the pipe, or the device, where it was."""
    pipe = recorded.parent / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 1 << 20)
        assert main(["trace", str(recorded), "--html", str(pipe)]) == 0
        assert os.read(reader, 15) == b"<!doctype html>"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_page_does_not_replace_its_trace(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = recorded.read_bytes()
    assert main(["trace", str(recorded), "--html", str(recorded)]) == 2
    assert "the page would take the place of its trace" in capsys.readouterr().err
    assert recorded.read_bytes() == before


@pytest.mark.parametrize("arguments", [[], ["--html", "/dev/full"]])
def test_no_space_left(recorded: Path, arguments: list[str]) -> None:
    command = [sys.executable, "-m", "inetpy", "trace", str(recorded), *arguments]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, check=False, stdout=full, stderr=subprocess.PIPE, text=True)
    where = "/dev/full" if arguments else "standard output"
    assert (done.returncode, done.stderr) == (2, f"inetpy: {where}: No space left on device\n")


def test_a_page_has_no_script_but_its_own(tmp_path: Path) -> None:
    """Its policy names that script. tests/apps opens such a page."""
    hostile = "</script><script>alert(1)</script><!--"
    event: dict[str, Any] = {"time": 1, "event": "bytes", "node": hostile, "socket": 1, "kind": "stream"}
    event |= {"label": hostile, "direction": "send", "offset": 0, "data": {"text": hostile}}
    path, out = tmp_path / "run.jsonl", tmp_path / "run.html"
    path.write_text(f"{json.dumps(event)}\n")
    assert main(["trace", str(path), "--html", str(out)]) == 0
    page = out.read_text()
    data, script = re.findall(r"<script[^>]*>(.*?)</script>", page, re.DOTALL)
    assert page.count("<script") == page.count("</script") == 2
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert json.loads(data)["lanes"][0][0] == f"#1 {hostile}"
    assert "http" not in page.replace(data, "").replace("http-equiv", "")
