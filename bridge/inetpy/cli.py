"""The command `inetpy`. The modules of a verb are imported when the verb is run."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__

if TYPE_CHECKING:
    import argparse
    import re

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["bridge"]:  # a node waits for it: start without importing argparse
        return _bridge()
    arguments = _parser().parse_args(words)
    try:
        status = int(arguments.run(arguments))
        if sys.stdout is not None:  # it is None where the descriptor is closed
            sys.stdout.flush()
    except OSError as error:
        is_full = error.errno == errno.ENOSPC and error.filename is None
        if not (is_full or isinstance(error, BrokenPipeError)):  # `inetpy ... | head`
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes again at its end
        return _cannot_run(f"standard output: {error.strerror}") if is_full else 1
    return status


def _at_least(least: int) -> Callable[[str], int]:
    """A type for an argument: whole numbers from `least` on."""
    import argparse

    def number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"a whole number, not {text}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"at least {least}, not {value}")
        return value

    return number


def _pattern(text: str) -> re.Pattern[str]:
    """A type for an argument: a regular expression, for which case does not matter."""
    import argparse
    import re

    try:
        return re.compile(text, re.IGNORECASE)
    except re.error:
        raise argparse.ArgumentTypeError(f"a regular expression, not {text}") from None


def _parser() -> argparse.ArgumentParser:
    import argparse

    from .tools.examples import examples

    parser = argparse.ArgumentParser(
        prog="inetpy",
        description="A Python backend for the network calls of an Erlang node.",
        **examples("ebin", "run", "serve", "faults", "env", "crosscheck", "doctor"),
    )
    parser.add_argument("--version", action="version", version=f"inetpy {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    bridge = verbs.add_parser(
        "bridge", help="the port program: the Erlang side starts it", **examples("bridge")
    )
    bridge.set_defaults(run=_bridge)
    ebin = verbs.add_parser("ebin", help="print the folder of the beams, for erl -pa", **examples("ebin"))
    ebin.set_defaults(run=_ebin)
    run = verbs.add_parser(
        "run",
        help="run an Erlang or Elixir program with its whole node on Python sockets",
        description="Runs CMD, with every gen_tcp and gen_udp call of the Erlang nodes that it starts "
        "going through Python.",
        **examples("run"),
    )
    run.add_argument("--stats", action="store_true", help="at the end, print what went through")
    run.add_argument("--json", action="store_true", help="the same, as JSON on standard output")
    run.add_argument(
        "--network", type=Path, metavar="FILE.py", help="a file of Python that describes the network"
    )
    run.add_argument(
        "--seed", type=_at_least(0), metavar="N", help="where the random numbers of faults begin"
    )
    run.add_argument(
        "--schedule",
        type=Path,
        metavar="FILE",
        help="repeat the faults of a recorded run: its trace, .jsonl or .pcapng",
    )
    run.add_argument(
        "--trace",
        metavar="FILE",
        help="record calls and bytes, in a file that ends in .pcapng or .jsonl; -: pcapng to standard output",
    )
    of_socket = run.add_mutually_exclusive_group()
    of_socket.add_argument(
        "--socket",
        action="store_const",
        const="socket",
        default="",
        help="put calls of the module socket on Python sockets, too",
    )
    of_socket.add_argument(
        "--socket-only",
        action="store_const",
        const="socket_only",
        dest="socket",
        help="put calls of the module socket on Python sockets, and not those of gen_tcp and gen_udp",
    )
    run.add_argument("command", nargs="+", metavar="CMD", help="the program and its arguments, after --")
    run.set_defaults(run=_run)
    _add_faults(verbs)
    _add_trace(verbs)
    serve = verbs.add_parser(
        "serve",
        help="serve nodes that connect: the Python half without a parent",
        description="Serves Erlang nodes that are started with INETPY_BRIDGE=URL, until SIGTERM. The nodes "
        "share one network. Options of a URL and limits: see docs/serve.md. "
        "Exit status: 0, or 1 and a sentence on standard error.",
        **examples("serve"),
    )
    serve.add_argument("urls", nargs="+", metavar="URL", help="unix:/path, tcp:host:port or tls:host:port")
    serve.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="tokens, one a line: a node must have one of them. Another comes in INETPY_TOKEN",
    )
    serve.add_argument(
        "--limit", action="append", default=[], metavar="NAME=N", help="another limit, as nodes=10"
    )
    serve.add_argument(
        "--network", type=Path, metavar="FILE.py", help="a file of Python that describes the network"
    )
    serve.add_argument(
        "--seed", type=_at_least(0), metavar="N", help="where the random numbers of faults begin"
    )
    serve.set_defaults(run=_serve)

    env = verbs.add_parser(
        "env",
        help="print the variables that `run` sets",
        description="Prints the variables that `inetpy run` sets, for shells and CI files. In a shell, "
        "`unset ERL_AFLAGS INETPY_PYTHON` undoes them.",
        **examples("env"),
    )
    env.add_argument(
        "--format",
        choices=("sh", "dotenv"),
        default="sh",
        help="sh: commands of a shell (the default). dotenv: lines NAME=value, without quotes",
    )
    env.set_defaults(run=_env)
    _add_crosscheck(verbs)
    doctor = verbs.add_parser(
        "doctor", help="say what is here, what is missing, and what to do about it", **examples("doctor")
    )
    doctor.add_argument("--json", action="store_true", help="print JSON in place of lines")
    doctor.add_argument(
        "--release", type=Path, metavar="DIR", help="examine a release too: the folder with lib and releases"
    )
    doctor.set_defaults(run=_doctor)
    bench = verbs.add_parser(
        "bench", help="measure, as ratios to inet_drv and to bare port programs", **examples("bench")
    )
    bench.add_argument("--rounds", type=_at_least(1), default=5, help="repetitions of each job (default 5)")
    bench.add_argument(
        "--rows",
        type=_pattern,
        default="",
        metavar="PATTERN",
        help="only rows in whose title or job this regular expression is found",
    )
    bench.add_argument("--json", action="store_true", help="print JSON in place of the table")
    bench.add_argument("--output", type=Path, help="write the JSON to this file too")
    bench.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of the ratios, a PNG")
    bench.set_defaults(run=_bench)
    return parser


# The words of a socket, as options of `inetpy faults add`.
WHOM = {
    "host": ("PATTERN", "the name or the address that the program asked for, with * and ?"),
    "peer": ("ADDRESS", "the IP address of the peer, or a network: 10.0.0.0/8"),
    "port": ("N", "the port of the peer"),
    "local_port": ("N", "the port of the socket itself"),
    "proto": ("WORD", "tcp, udp or unix"),
    "role": ("WORD", "client, listener or accepted"),
    "direction": ("WORD", "recv, send or both"),
    "label": ("PATTERN", "the label of the socket"),
    "owner": ("NAME", "a registered process or an application, and what they have started"),
}


def _add_crosscheck(verbs: Any) -> None:
    from .tools.examples import examples

    crosscheck = verbs.add_parser(
        "crosscheck",
        help="run the scenarios on several backends and compare them with OTP's",
        description="Exit status: 0 when all agree with the module of OTP, 1 when something differs, 2 when "
        "it, or a scenario, could not be run.",
        **examples("crosscheck"),
    )
    crosscheck.add_argument(
        "--api",
        choices=("inet", "socket"),
        default="inet",
        help="which module of OTP: inet (with gen_tcp and gen_udp), or socket; it is the reference, too",
    )
    crosscheck.add_argument(
        "--backends",
        default="inetpy",
        help="names of socket, inetpy, node (the whole node on Python), node_by_address (the same without "
        "inet, inet6 and local among the options), memory (the whole node, and no socket in the kernel) and "
        "serve (the whole node, connected to an `inetpy serve`), with commas; default inetpy",
    )
    crosscheck.add_argument(
        "--scenario", type=Path, metavar="FILE.erl", help="a module of your own scenarios"
    )
    crosscheck.add_argument("--json", action="store_true", help="print JSON in place of the table")
    crosscheck.add_argument("--html", type=Path, metavar="FILE", help="write a page to look through")
    crosscheck.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to a file")
    crosscheck.add_argument(
        "--random", type=_at_least(1), default=0, metavar="N", help="N random sequences of operations"
    )
    crosscheck.add_argument(
        "--seed", type=_at_least(0), metavar="SEED", help="where the random sequences begin (default 1)"
    )
    crosscheck.add_argument("groups", nargs="*", metavar="GROUP", help="groups of scenarios; default all")
    crosscheck.set_defaults(run=_crosscheck)


def _add_faults(verbs: Any) -> None:
    from .tools.examples import examples

    faults = verbs.add_parser(
        "faults",
        help="list, add and remove the rules of a node that runs",
        description="Speaks to the nodes of this user that `inetpy run` has started, or that have "
        "INETPY_CONTROL=1 in their environment. Rules that are added here stay until they are removed, "
        "also when Python dies. "
        "Exit status: 0, or 2 and a sentence on standard error.",
        **examples("faults"),
    )
    actions = faults.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="print the rules, and how often each has acted")
    listing.add_argument("--json", action="store_true", help="print JSON in place of tables")
    adding = actions.add_parser("add", help="add a rule; prints its key")
    adding.add_argument(
        "fault", metavar="FAULT", help="such as 'latency(200, jitter=50)': see docs/faults.md"
    )
    for word, (what, meaning) in WHOM.items():
        kind = _at_least(0) if what == "N" else str
        adding.add_argument(f"--{word.replace('_', '-')}", type=kind, metavar=what, help=meaning)
    adding.add_argument(
        "--when", metavar="WHEN", help="such as 'nth(2)' or 'probability(0.1)'; default always"
    )
    adding.add_argument("--for-ms", type=_at_least(1), metavar="MS", help="remove the rule after this time")
    removing = actions.add_parser("remove", help="remove a rule, whoever has added it")
    removing.add_argument("key", type=int, metavar="KEY", help="the key of the rule in the list")
    resetting = actions.add_parser("reset", help="remove all rules of a node")
    for action, verb in ((listing, "list"), (adding, "add"), (removing, "remove"), (resetting, "reset")):
        action.add_argument(
            "--node", metavar="PID", help="the process of the node, or its name, where several run"
        )
        action.set_defaults(run=_faults, action=verb)


def _bridge(_arguments: argparse.Namespace | None = None) -> int:
    import signal

    if not _has_pipes():
        return _cannot_run("an Erlang node starts the bridge: see `inetpy bridge --help`")
    from .links import stdio

    # A service manager sends SIGTERM to all processes of a service. The bridge ends when its node does.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return stdio.run()


def _serve(arguments: argparse.Namespace) -> int:
    from .links.environment import read_settings
    from .links.limits import parse_limits
    from .links.service import serve

    given = {"INETPY_CONTROL": "1", "INETPY_LOG_LEVEL": "INFO"} | os.environ
    settings = read_settings(given)._replace(network=arguments.network, seed=arguments.seed)
    try:
        limits = parse_limits(arguments.limit)
    except ValueError as error:
        print(f"inetpy serve: {error}", file=sys.stderr)
        return 1
    return serve(arguments.urls, arguments.token_file, os.environb, limits, settings)


def _has_pipes() -> bool:
    """Whether standard input and output are what a node gives to its port program."""
    try:
        modes = [os.fstat(descriptor).st_mode for descriptor in (0, 1)]
    except OSError:  # one is closed
        return False
    return all(stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) for mode in modes)


def _required_ebin() -> Path:
    from . import beams

    try:
        return _folder_of_beams()
    except beams.NotBuiltError as error:
        sys.exit(f"inetpy: {error}")


def _folder_of_beams() -> Path:
    """The folder; raises NotBuiltError. In the source tree, warns if `make build` has been forgotten."""
    from . import beams

    ebin = beams.folder()
    if (source := beams.newer_source()) is not None:
        print(f"inetpy: the beams are older than {source.name}; run `make build`", file=sys.stderr)
    return ebin


def _ebin(_arguments: argparse.Namespace) -> int:
    print(_required_ebin())
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from .tools import network_file, run

    try:
        network = network_file.variables(arguments.network, arguments.seed, arguments.schedule)
    except network_file.NetworkError as error:
        return _cannot_run(str(error))
    if arguments.trace == "-" and arguments.json:
        return _cannot_run("--trace - and --json both want the standard output: give --trace a file")
    ebin, command = _required_ebin(), arguments.command
    if arguments.trace is None:
        return run.run(ebin, command, arguments.stats, arguments.json, network, socket=arguments.socket)
    from .tools import trace_file

    try:
        return run.run(
            ebin, command, arguments.stats, arguments.json, network, arguments.trace, arguments.socket
        )
    except trace_file.TraceFileError as error:
        return _cannot_run(str(error))


def _faults(arguments: argparse.Namespace) -> int:
    from .tools import faults

    node = arguments.node

    def add() -> None:
        whom = {word: getattr(arguments, word) for word in WHOM if getattr(arguments, word) is not None}
        print(faults.add(arguments.fault, arguments.when, arguments.for_ms, whom, node))

    actions: dict[str, Callable[[], object]] = {
        "list": lambda: faults.show(node, arguments.json),
        "add": add,
        "remove": lambda: faults.remove(arguments.key, node),
        "reset": lambda: faults.reset(node),
    }
    return faults.run(actions[arguments.action])


def _add_trace(verbs: Any) -> None:
    from .tools.examples import examples

    trace = verbs.add_parser(
        "trace",
        help="show a trace, or record the calls and bytes of a node that runs",
        description="Shows the file of a trace as a time line, or with --html writes it as a page. With "
        "--live, writes to standard output what the sockets of a node do, until Ctrl-C or the end of the "
        "node: lines of JSON, or a capture for Wireshark. Nodes are those of `inetpy faults`. "
        "Exit status: 0, or 2 and a sentence on standard error.",
        **examples("trace"),
    )
    source = trace.add_mutually_exclusive_group(required=True)
    source.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a trace: .jsonl or .pcapng")
    source.add_argument("--live", action="store_true", help="record from now on")
    trace.add_argument("--html", type=Path, metavar="OUT", help="write a page that needs no server")
    trace.add_argument("--socket", type=_at_least(0), metavar="N", help="only the socket with this number")
    trace.add_argument("--label", metavar="PATTERN", help="only sockets with this label: 'db.*:5432'")
    trace.add_argument(
        "--owner", metavar="PATTERN", help="only sockets of this process, registered name or application"
    )
    trace.add_argument("--op", metavar="NAME", help="only calls of this name, and the bytes that they moved")
    trace.add_argument("--problems", action="store_true", help="only errors, and what a rule has touched")
    trace.add_argument(
        "--lines", type=_at_least(0), metavar="N", help="show so many events (default 1000); 0: all of them"
    )
    trace.add_argument("--node", metavar="PID", help="the process or the name of the node, where several run")
    trace.add_argument("--pcapng", action="store_true", help="a capture in place of lines")
    trace.set_defaults(run=_trace)


_OF_LIVE = ("node", "pcapng")
_OF_FILE = ("html", "socket", "label", "owner", "op", "problems", "lines")


def _trace(arguments: argparse.Namespace) -> int:
    wrong, why = (_OF_FILE, "is for a FILE") if arguments.live else (_OF_LIVE, "needs --live")
    for name in wrong:
        if getattr(arguments, name) not in (None, False):
            return _cannot_run(f"--{name} {why}")
    if not arguments.live:
        return _show_trace(arguments)
    from .tools import faults, live

    return faults.run(lambda: live.show(arguments.node, arguments.pcapng))


def _show_trace(arguments: argparse.Namespace) -> int:
    from .tools.lanes import Filters, lanes_of
    from .trace.read import TraceFileError, read_trace

    words = {name: getattr(arguments, name) for name in Filters._fields}
    try:
        if arguments.html is not None and arguments.html.exists() and arguments.html.samefile(arguments.file):
            return _cannot_run(f"{arguments.html}: the page would take the place of its trace")
        lanes = lanes_of(read_trace(arguments.file), Filters(**words))
        if arguments.html is not None:
            from .tools.trace_page import write_page

            write_page(lanes, arguments.file.name, arguments.html)
            return 0
        from .tools import timeline
    except TraceFileError as error:
        return _cannot_run(str(error))
    except OSError as error:
        return _cannot_run(f"{error.filename or arguments.html}: {error.strerror}")
    except ModuleNotFoundError as error:
        return _cannot_run(f"trace needs {error.name}; run `pip install {error.name}`")
    timeline.show(lanes, timeline.MOST_LINES if arguments.lines is None else arguments.lines)
    return 0


def _env(arguments: argparse.Namespace) -> int:
    from .tools import run

    return run.show_environment(_required_ebin(), arguments.format)


def _doctor(arguments: argparse.Namespace) -> int:
    from .tools import doctor

    return doctor.run(arguments.release, arguments.json)


_OF_SCENARIOS = {
    "json": "--json",
    "html": "--html",
    "markdown": "--markdown",
    "scenario": "--scenario",
    "groups": "GROUP",
}


def _crosscheck(arguments: argparse.Namespace) -> int:
    from . import beams

    if arguments.random:
        for name, word in _OF_SCENARIOS.items():
            if getattr(arguments, name):
                return _cannot_run(f"{word} is for scenarios, and not for --random")
    elif arguments.seed is not None:
        return _cannot_run("--seed needs --random")
    try:
        from .tools import crosscheck

        ebin = _folder_of_beams()
    except ModuleNotFoundError as error:
        return _cannot_run(f"crosscheck needs {error.name}; run `pip install {error.name}`")
    except beams.NotBuiltError as error:
        return _cannot_run(str(error))
    prefix = {"inet": "xc_", "socket": "xs_"}[arguments.api]
    return crosscheck.run(
        crosscheck.Options(
            ebin=ebin,
            tests=ebin.parent / "test",
            backends=[name.strip() for name in arguments.backends.split(",")],
            groups=[name if name.startswith(prefix) else f"{prefix}{name}" for name in arguments.groups],
            api=arguments.api,
            scenario=arguments.scenario,
            json=arguments.json,
            html=arguments.html,
            markdown=arguments.markdown,
            random=arguments.random,
            seed=1 if arguments.seed is None else arguments.seed,
        )
    )


def _cannot_run(why: str) -> int:
    """Prints an error and returns 2, for verbs in which status 1 has another meaning."""
    print(f"inetpy: {why}", file=sys.stderr)
    return 2


def _bench(arguments: argparse.Namespace) -> int:
    try:
        from .tools import bench
    except ModuleNotFoundError as error:
        sys.exit(f"inetpy: bench needs {error.name}; run `pip install {error.name}`")
    import importlib.util

    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        sys.exit("inetpy: --plot needs matplotlib; run `pip install matplotlib`")
    rows = bench.rows_of(arguments.rows)
    if not rows:
        return _cannot_run(f"no row of the benchmark matches {arguments.rows.pattern}")
    return bench.run(
        _required_ebin(), rows, arguments.rounds, arguments.json, arguments.output, arguments.plot
    )
