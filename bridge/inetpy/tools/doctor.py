"""`inetpy doctor`: what is installed, what is missing, and what to do about it."""

from __future__ import annotations

import json
import os
import platform
import re
import resource
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from .. import __version__, beams
from ..codec import implementation
from .run import outside

__all__ = ["Finding", "examine", "run"]

OK, NOTE, PROBLEM = "ok", "note", "problem"

OLDEST_PYTHON = (3, 11)
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
    # A file .erlang of the user may print more, before.
    words = (_output(["erl", "-noinput", "-eval", expression]) or "").split()[-2:]
    if len(words) < 2 or not words[0].isdecimal():
        return Finding("Erlang/OTP", PROBLEM, "erl does not run", "run erl by hand and read what it says")
    release, emulator = words
    found = f"OTP {release}, emulator {emulator}"
    if int(release) < beams.OLDEST_OTP:
        return Finding("Erlang/OTP", PROBLEM, found, f"inetpy needs OTP {beams.OLDEST_OTP} or later")
    return Finding("Erlang/OTP", OK, found)


def _path() -> Finding:
    """Whether the shell finds this inetpy."""
    own = Path(sysconfig.get_path("scripts")) / "inetpy"
    found = shutil.which("inetpy")
    if found is not None and own.is_file() and Path(found).resolve() == own.resolve():
        return Finding("PATH", OK, found)
    advice = f'export PATH="{own.parent}:$PATH"' if own.is_file() else f"call {sys.executable} -m inetpy"
    if found is None:
        return Finding("PATH", NOTE, "the shell finds no inetpy", advice)
    return Finding("PATH", NOTE, f"{found} is of another installation", advice)


def _chosen_python() -> list[Finding]:
    """Whether INETPY_PYTHON, if set, has this version."""
    python = os.environ.get("INETPY_PYTHON")
    if not python:
        return []
    version = _output([python, "-P", "-c", "import inetpy; print(inetpy.__version__)"])
    advice = f"export INETPY_PYTHON={shlex.quote(sys.executable)}"
    if not version:
        return [Finding("INETPY_PYTHON", PROBLEM, f"{python} is no Python with inetpy", advice)]
    if version != __version__:
        return [
            Finding("INETPY_PYTHON", PROBLEM, f"{python} has inetpy {version}, not {__version__}", advice)
        ]
    return [Finding("INETPY_PYTHON", OK, python)]


def _beams(ebin: Path) -> Finding:
    if _version(ebin) != __version__:
        found = f"{ebin} is of version {_version(ebin)}, the Python side of {__version__}"
        return Finding("beams", PROBLEM, found, "run make build in the source tree")
    if (source := beams.newer_source()) is not None:
        found = f"{ebin} is older than {source.name}"
        return Finding("beams", PROBLEM, found, "run make build in the source tree")
    return Finding("beams", OK, str(ebin))


def _version(ebin: Path) -> str:
    """The version in the application file."""
    found = re.search(r'\{vsn,\s*"([^"]*)"', (ebin / "inetpy.app").read_text())
    return found[1] if found else "unknown"


def _dependencies() -> Iterator[Finding]:
    """The beams of the project in the current folder, which rebar3 or Mix has compiled: lib, or checkouts."""
    for application in sorted(Path.cwd().glob("_build/*/*/inetpy/ebin/inetpy.app")):
        ebin = application.parent
        if _version(ebin) == __version__:
            yield Finding("dependency", OK, str(ebin))
        else:
            found = f"{ebin} is of version {_version(ebin)}, the Python side of {__version__}"
            advice = "rebar3 upgrade inetpy, or mix deps.update inetpy, or install that version with pip"
            yield Finding("dependency", NOTE, found, advice)


# Prints three lines: whether a socket opens through Python, whether inetpy_socket works, which needs the beam
# of OTP's module socket, and whether the whole node can be switched.
_TRIAL = """
    R = inetpy:start(), S = (catch gen_tcp:listen(0, [{tcp_module, inetpy_tcp}])),
    case {R, S} of
        {ok, {ok, _}} -> io:format("ok~n");
        {{error, Reason}, _} -> io:format("~ts~n", [inetpy_python:text(Reason)]);
        {ok, {error, {inetpy, _, Text}}} -> io:format("~ts~n", [Text]);
        {_, Failure} -> io:format("~0tp~n", [Failure])
    end,
    case catch inetpy_socket:open(inet, dgram) of
        {ok, _} -> io:format("ok~n");
        {'EXIT', {{inetpy, {no_hook, M}, _}, _}} -> io:format("there is no beam of OTP's ~ts~n", [M]);
        Other -> io:format("~0tp~n", [Other])
    end,
    case catch inetpy:install() of
        ok -> io:format("ok~n");
        {error, {no_hook, Module}} -> io:format("there is no module ~ts~n", [Module]);
        Error -> io:format("~0tp~n", [Error])
    end,
    halt().
"""
_HOOKS_WORK = "inetpy:install() switches a whole node"
_FAILED = "the node failed"
_SOCKET_WORKS = "inetpy_socket opened a socket"
_NO_SOCKET = (
    "gen_tcp and gen_udp work, inetpy_socket and install(#{socket => true}) do not: "
    "put socket.beam of OTP's kernel on the code path"
)


class Trial(NamedTuple):
    """What a node says of a socket through Python, inetpy_socket and the hooks; `ok` where they work."""

    bridge: str = _FAILED
    socket: str = _FAILED
    hooks: str = _FAILED


def _trial(erl: Sequence[str], ebin: Path, python: str, preparation: str = "") -> Trial:
    code = preparation + " ".join(_TRIAL.split())
    options = ["-noinput", "-pa", str(ebin), "-kernel", "logger_level", "none"]
    printed = _output([*erl, *options, "-eval", code], python)
    lines = (printed or "").splitlines()[-3:]  # a file .erlang of the user may print more, before
    return Trial(*lines) if len(lines) == 3 else Trial()


def _plain(subject: str, trial: Trial) -> Iterator[Finding]:
    """Whether inetpy_socket works. Nothing is said where no socket works."""
    if trial.socket == "ok":
        yield Finding(subject, OK, _SOCKET_WORKS)
    elif trial.bridge == "ok":
        yield Finding(subject, NOTE, trial.socket, _NO_SOCKET)


def _node(ebin: Path) -> Iterator[Finding]:
    if shutil.which("erl") is None:
        yield Finding("bridge", PROBLEM, "not tried", "see above")
        return
    trial = _trial(["erl"], ebin, sys.executable)
    bridge, hooks = trial.bridge, trial.hooks
    again = f"rm -r {shlex.quote(str(ebin.parent))}" if beams.is_installed() else "run make clean build"
    if bridge == "ok":
        yield Finding("bridge", OK, "a node opened a socket through Python")
    else:
        chosen = f"export INETPY_PYTHON={shlex.quote(sys.executable)}"
        yield Finding("bridge", PROBLEM, bridge, again if bridge == _FAILED else chosen)
    yield from _plain("socket", trial)
    if hooks == "ok":
        yield Finding("hooks", OK, _HOOKS_WORK)
    elif bridge == "ok":
        yield Finding("hooks", PROBLEM, hooks, again)


def _erlang_side() -> Iterator[Finding]:
    try:
        ebin = beams.folder()
    except beams.NotBuiltError as error:
        yield Finding("beams", PROBLEM, error.reason, error.advice)
        return
    yield _beams(ebin)
    yield from _node(ebin)


# Takes the application variables of inetpy from a release's sys.config, so far as it can be read.
_CONFIGURED = """
    case file:consult("{}") of
        {{ok, [Config]}} ->
            [application:set_env(inetpy, K, V, [{{persistent, true}}]) ||
                {{inetpy, Pairs}} <- Config, {{K, V}} <- Pairs];
        _ ->
            none
    end,
"""


def _release(release: Path) -> Iterator[Finding]:
    """What a release needs: the application, its hooks, and a Python. The release itself is not started."""
    applications = sorted(release.glob("lib/inetpy-*/ebin/inetpy.app"))
    if not (release / "releases").is_dir():
        advice = "name the folder that has lib and releases, such as _build/prod/rel/my_app"
        yield Finding("release", PROBLEM, f"{release} is no release", advice)
        return
    if not applications:
        advice = (
            "name it there: {release, {my_app, Vsn}, [my_app, inetpy]} in rebar.config, or deps in mix.exs"
        )
        yield Finding("release", PROBLEM, f"{release} has no inetpy among its applications in lib", advice)
        return
    ebin = applications[-1].parent.absolute()
    if _version(ebin) == __version__:
        yield Finding("release", OK, str(ebin.parent))
    else:
        found = f"{ebin.parent} is of version {_version(ebin)}, this inetpy of {__version__}"
        yield Finding("release", NOTE, found, "build the release again with the same version")
    config = json.dumps(str(_version_folder(release) / "sys.config"), ensure_ascii=False)[1:-1]
    configured = " ".join(_CONFIGURED.format(config).split()) + " "
    trial = _trial(_emulator(release), ebin, os.environ.get("INETPY_PYTHON", ""), configured)
    bridge, hooks = trial.bridge, trial.hooks
    if bridge == "ok":
        yield Finding("release: Python", OK, "a node opened a socket through Python")
    else:
        advice = 'set INETPY_PYTHON=/path/to/python, or {inetpy, [{python, "/path/to/python"}]} in sys.config'
        yield Finding("release: Python", PROBLEM, bridge, advice)
    yield from _plain("release: socket", trial)
    if hooks == "ok":
        yield Finding("release: hooks", OK, _HOOKS_WORK)
    elif bridge == "ok":
        yield Finding(
            "release: hooks", PROBLEM, hooks, "build it again: the folder of inetpy is not complete"
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


def _version_folder(release: Path) -> Path:
    """The folder of the version that a release starts."""
    data = release / "releases" / "start_erl.data"
    words = data.read_text().split() if data.is_file() else []
    return (release / "releases" / "".join(words[-1:])).absolute()


def _emulator(release: Path) -> list[str]:
    """The release's own emulator, with kernel and stdlib alone; or that on the path if it has none."""
    emulators = sorted(release.glob("erts-*/bin/erl"))
    if not emulators:
        return ["erl"]
    command = [str(emulators[-1].absolute())]
    boot = _version_folder(release) / "start_clean"
    if boot.with_suffix(".boot").is_file():
        command += ["-boot", str(boot)]
    for name in ("ERTS_LIB_DIR", "RELEASE_LIB"):  # as relx and Mix call the folder in boot files
        command += ["-boot_var", name, str((release / "lib").absolute())]
    return command


def _output(command: list[str], python: str = "") -> str | None:
    """The output of a command, or None if it fails. INETPY_PYTHON is `python`, if not empty and not set."""
    environment = ({"INETPY_PYTHON": python} if python else {}) | outside()
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=60, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


# linux/capability.h
_NET_BIND_SERVICE, _NET_RAW, _SYS_ADMIN = 10, 13, 21


def examine(release: Path | None) -> list[Finding]:
    """All findings, in the order of the output."""
    return [
        _python(),
        _path(),
        *_chosen_python(),
        _otp(),
        *_erlang_side(),
        *_dependencies(),
        *(_release(release) if release is not None else ()),
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


def run(release: Path | None, as_json: bool) -> int:
    """Prints the findings. The exit status is 1 if there is a problem."""
    findings = examine(release)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            print(f"{finding.state:<8}{finding.subject:<{width}}  {finding.found}")
            if finding.advice:
                print(f"{'':<8}{'':<{width}}  -> {finding.advice}")
    return int(any(finding.state == PROBLEM for finding in findings))
