"""`inetpy doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..codec import implementation

__all__ = ["Finding", "examine", "run"]

OK, NOTE, PROBLEM = "ok", "note", "problem"

OLDEST_PYTHON = (3, 11)
OLDEST_OTP = 25
MANY_FILES = 10_000
PIPE_SIZE = 1 << 20


@dataclass(frozen=True)
class Finding:
    """`state`: ok, note (works with a limitation) or problem (does not work). `advice`: what to do."""

    subject: str
    state: str
    found: str
    advice: str = ""


def _python() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("Python", PROBLEM, found, "inetpy needs Python 3.11 or later")
    return Finding("Python", OK, found)


def _otp() -> Finding:
    if shutil.which("erl") is None:
        return Finding("Erlang/OTP", PROBLEM, "no erl on the PATH", "install Erlang: apt install erlang-base")
    expression = 'io:format("~s ~s", [erlang:system_info(otp_release), erlang:system_info(version)]), halt().'
    done = _output(["erl", "-noshell", "-eval", expression])
    if done is None:
        return Finding("Erlang/OTP", PROBLEM, "erl does not run", "run erl by hand and read what it says")
    release, emulator = done.split()
    found = f"OTP {release}, emulator {emulator}"
    if int(release) < OLDEST_OTP:
        return Finding("Erlang/OTP", PROBLEM, found, "inetpy needs OTP 25 or later")
    return Finding("Erlang/OTP", OK, found)


def _beams(ebin: Path | None) -> Finding:
    if ebin is None:
        return Finding("beams", PROBLEM, "not compiled", "run make build in the source tree")
    return Finding("beams", OK, str(ebin))


def _bridge(ebin: Path | None) -> Finding:
    if ebin is None or shutil.which("erl") is None:
        return Finding("bridge", PROBLEM, "not tried", "see above")
    expression = (
        "R = inetpy:start(), S = (catch gen_tcp:listen(0, [{tcp_module, inetpy_tcp}])), "
        'case {R, S} of {ok, {ok, _}} -> io:format("works"); _ -> io:format("~0tp", [{R, S}]) end, halt().'
    )
    printed = _output(
        ["erl", "-noshell", "-pa", str(ebin), "-kernel", "logger_level", "none", "-eval", expression]
    )
    if printed == "works":
        return Finding("bridge", OK, "a node opened a socket through Python")
    return Finding(
        "bridge", PROBLEM, printed or "the node failed", "INETPY_PYTHON names the Python that has inetpy"
    )


def _package(name: str, purpose: str) -> Callable[[], Finding]:
    def find() -> Finding:
        try:
            return Finding(name, OK, version(name))
        except PackageNotFoundError:
            return Finding(name, NOTE, "not installed", f"{purpose}: pip install {name}")

    return find


def _codec() -> Finding:
    if implementation.compiled is not None:
        return Finding("codec", OK, "compiled")
    if os.environ.get("INETPY_PURE"):
        return Finding("codec", NOTE, "pure Python, as INETPY_PURE says", "unset it for speed")
    advice = "ten times faster compiled: install gcc and python3-dev, and inetpy again"
    return Finding("codec", NOTE, "pure Python", advice)


def _open_files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = f"{soft:,} open files, at most {hard:,}"
    if soft < MANY_FILES:
        return Finding("limits", NOTE, found, f"for many sockets: ulimit -n {min(hard, 65536)}")
    return Finding("limits", OK, found)


def _pipe_size() -> Finding:
    largest = int(Path("/proc/sys/fs/pipe-max-size").read_text())
    if largest < PIPE_SIZE and os.geteuid() != 0:
        return Finding(
            "pipes", NOTE, f"{largest:,} bytes", f"faster with sysctl fs.pipe-max-size={PIPE_SIZE}"
        )
    return Finding("pipes", OK, f"{max(largest, PIPE_SIZE):,} bytes")


def _cores() -> Finding:
    count = len(os.sched_getaffinity(0))
    if count == 1:
        return Finding("cores", NOTE, "1", "the bridge sleeps at once, which costs latency: see INETPY_SPIN")
    return Finding("cores", OK, str(count))


def _capability(number: int, subject: str, use: str) -> Callable[[], Finding]:
    def find() -> Finding:
        status = Path("/proc/self/status").read_text()
        effective = int(re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)[1], 16)  # type: ignore[index]
        if effective >> number & 1:
            return Finding(subject, OK, "allowed")
        return Finding(subject, NOTE, "not allowed", f"{use} need root or this capability")

    return find


# Copies a descriptor of the process with the given number.
_BORROW = """
import asyncio, sys
from inetpy.host.linux import LinuxHost
try:
    LinuxHost(asyncio.new_event_loop()).borrow(int(sys.argv[1]), 0)
    print("yes")
except OSError:
    print("no")
"""


def _descriptors() -> Finding:
    """Whether a child process may copy its parent's descriptors, as the bridge copies the node's."""
    done = subprocess.run(
        [sys.executable, "-c", _BORROW, str(os.getpid())], check=True, capture_output=True, text=True
    )
    if done.stdout.strip() == "yes":
        return Finding("descriptors of the node", OK, "Python can copy them")
    advice = (
        "sendfile reads the file in Erlang, {fd, N} is refused; sysctl kernel.yama.ptrace_scope=0 allows it"
    )
    return Finding("descriptors of the node", NOTE, "Python cannot copy them", advice)


def _output(command: list[str]) -> str | None:
    """The output of a command, or None if it fails."""
    environment = {"INETPY_PYTHON": sys.executable} | os.environ
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# linux/capability.h
_NET_BIND_SERVICE, _NET_RAW, _SYS_ADMIN = 10, 13, 21


def examine(ebin: Path | None) -> list[Finding]:
    """All findings, in the order of the output."""
    return [
        _python(),
        _otp(),
        _beams(ebin),
        _bridge(ebin),
        _codec(),
        _package("uvloop", "another event loop")(),
        _package("rich", "tables and progress")(),
        _cores(),
        _open_files(),
        _pipe_size(),
        _capability(_NET_BIND_SERVICE, "ports below 1024", "they")(),
        _capability(_NET_RAW, "raw sockets", "they")(),
        _capability(
            _SYS_ADMIN, "network namespaces", "the option netns and getifaddrs of another namespace"
        )(),
        _descriptors(),
    ]


def run(ebin: Path | None, as_json: bool) -> int:
    """Prints the findings. The exit status is 1 if there is a problem."""
    findings = examine(ebin)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            print(f"{finding.state:<8}{finding.subject:<{width}}  {finding.found}")
            if finding.advice:
                print(f"{'':<8}{'':<{width}}  -> {finding.advice}")
    return int(any(finding.state == PROBLEM for finding in findings))
