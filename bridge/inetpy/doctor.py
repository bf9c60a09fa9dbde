"""`inetpy doctor`: what is here, what is missing, and what to do about it."""

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

from . import core

__all__ = ["Finding", "examine", "run"]

OK, NOTE, PROBLEM = "ok", "note", "problem"

OLDEST_PYTHON = (3, 11)
OLDEST_OTP = 25
MANY_FILES = 10_000
PIPE_SIZE = 1 << 20


@dataclass(frozen=True)
class Finding:
    """`state`: ok, note (it works, less well) or problem (it does not). `advice`: what to do."""

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
    done = _said(["erl", "-noshell", "-eval", expression])
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
    said = _said(
        ["erl", "-noshell", "-pa", str(ebin), "-kernel", "logger_level", "none", "-eval", expression]
    )
    if said == "works":
        return Finding("bridge", OK, "a node opened a socket through Python")
    return Finding(
        "bridge", PROBLEM, said or "the node failed", "INETPY_PYTHON names the Python that has inetpy"
    )


def _package(name: str, purpose: str) -> Callable[[], Finding]:
    def look() -> Finding:
        try:
            return Finding(name, OK, version(name))
        except PackageNotFoundError:
            return Finding(name, NOTE, "not installed", f"{purpose}: pip install {name}")

    return look


def _core() -> Finding:
    if core.compiled is not None:
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
    def look() -> Finding:
        status = Path("/proc/self/status").read_text()
        effective = int(re.search(r"^CapEff:\s*([0-9a-f]+)", status, re.MULTILINE)[1], 16)  # type: ignore[index]
        if effective >> number & 1:
            return Finding(subject, OK, "allowed")
        return Finding(subject, NOTE, "not allowed", f"{use} need root or this capability")

    return look


def _descriptors() -> Finding:
    """Whether a child may have its parent's descriptors, as the bridge wants the node's."""
    code = "import sys; from inetpy.syscalls import Syscalls; Syscalls().borrow(int(sys.argv[1]), 0)"
    done = subprocess.run([sys.executable, "-c", code, str(os.getpid())], check=False, capture_output=True)
    if done.returncode == 0:
        return Finding("descriptors of the node", OK, "Python can have them")
    advice = (
        "sendfile reads the file in Erlang, {fd, N} is refused; sysctl kernel.yama.ptrace_scope=0 allows it"
    )
    return Finding("descriptors of the node", NOTE, "Python cannot have them", advice)


def _said(command: list[str]) -> str | None:
    """What a command prints, or None when it fails."""
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
    """All findings, in the order in which they are shown."""
    return [
        _python(),
        _otp(),
        _beams(ebin),
        _bridge(ebin),
        _core(),
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
    """Prints the findings; 1 when there is a problem."""
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
