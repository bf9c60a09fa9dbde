"""The command `inetpy`. Each verb imports what it needs when it is called."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    import argparse

__all__ = ["main"]

# Where the beams are: inside an installed package, or in the source tree.
_PLACES = (Path(__file__).parent / "ebin", Path(__file__).parents[2] / "erl" / "ebin")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit status."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words == ["bridge"]:  # a node waits: nothing is imported that this does not need
        return _bridge()
    arguments = _parser().parse_args(words)
    return int(arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="inetpy", description="A Python backend for the network calls of an Erlang node."
    )
    parser.add_argument("--version", action="version", version=f"inetpy {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    bridge = verbs.add_parser("bridge", help="the port program: the Erlang side starts it")
    bridge.set_defaults(run=_bridge)
    ebin = verbs.add_parser("ebin", help="print the folder of the beams, for erl -pa")
    ebin.set_defaults(run=_ebin)
    run = verbs.add_parser(
        "run",
        help="run an Erlang or Elixir program with its whole node on Python sockets",
        description="Runs CMD, with every gen_tcp and gen_udp call of the Erlang nodes that it starts "
        "going through Python. Example: inetpy run --stats -- erl",
    )
    run.add_argument("--stats", action="store_true", help="at the end, print what went through")
    run.add_argument("--json", action="store_true", help="the same, as JSON on standard output")
    run.add_argument("command", nargs="+", metavar="CMD", help="the program and its arguments, after --")
    run.set_defaults(run=_run)
    crosscheck = verbs.add_parser(
        "crosscheck",
        help="run the scenarios on several backends and compare them with inet",
        description="Exit status: 0 when all agree with inet, 1 when something differs.",
    )
    crosscheck.add_argument(
        "--backends",
        default="inetpy",
        help="names of socket, inetpy, node (the whole node on Python) and node_by_address (the same without "
        "inet, inet6 and local among the options), with commas; default inetpy",
    )
    crosscheck.add_argument(
        "--scenario", type=Path, metavar="FILE.erl", help="a module of your own scenarios"
    )
    crosscheck.add_argument("--json", action="store_true", help="print JSON in place of the table")
    crosscheck.add_argument("--html", type=Path, metavar="FILE", help="write a page to look through")
    crosscheck.add_argument("--markdown", type=Path, metavar="FILE", help="write the table to a file")
    crosscheck.add_argument(
        "--random", type=int, default=0, metavar="N", help="N random sequences of operations"
    )
    crosscheck.add_argument(
        "--seed", type=int, default=1, help="where the random sequences begin (default 1)"
    )
    crosscheck.add_argument("groups", nargs="*", metavar="GROUP", help="groups of scenarios; default all")
    crosscheck.set_defaults(run=_crosscheck)
    doctor = verbs.add_parser("doctor", help="say what is here, what is missing, and what to do about it")
    doctor.add_argument("--json", action="store_true", help="print JSON in place of lines")
    doctor.set_defaults(run=_doctor)
    bench = verbs.add_parser("bench", help="measure, as ratios to inet_drv and to a bare echo port")
    bench.add_argument("--rounds", type=int, default=5, help="repetitions of each job (default 5)")
    bench.add_argument("--json", action="store_true", help="print JSON in place of the table")
    bench.add_argument("--output", type=Path, help="write the JSON to this file too")
    bench.add_argument("--plot", type=Path, metavar="FILE", help="write a picture of the ratios, a PNG")
    bench.set_defaults(run=_bench)
    return parser


def _bridge(_arguments: argparse.Namespace | None = None) -> int:
    import signal

    from .transports import stdio

    # A service manager sends it to all processes of a node that it stops; we end with the node.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return stdio.run()


def ebin_folder() -> Path | None:
    """The folder of the compiled Erlang application, or None."""
    return next((place for place in _PLACES if (place / "inetpy.app").is_file()), None)


def _required_ebin() -> Path:
    folder = ebin_folder()
    if folder is None:
        sys.exit("inetpy: the Erlang side is not compiled; run `make build`")
    return folder


def _ebin(_arguments: argparse.Namespace) -> int:
    print(_required_ebin())
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from . import run

    return run.run(_required_ebin(), arguments.command, arguments.stats, arguments.json)


def _doctor(arguments: argparse.Namespace) -> int:
    from . import doctor

    return doctor.run(ebin_folder(), arguments.json)


def _crosscheck(arguments: argparse.Namespace) -> int:
    try:
        from . import crosscheck
    except ModuleNotFoundError as error:
        sys.exit(f"inetpy: crosscheck needs {error.name}; run `pip install inetpy[tools]`")
    names = [name.strip() for name in arguments.backends.split(",")]
    for name in names:
        if name not in crosscheck.BACKENDS:
            sys.exit(f"inetpy: no such backend: {name}; there are {', '.join(crosscheck.BACKENDS)}")
    tests = _required_ebin().parent / "test" / "ebin"
    if not (tests / "inetpy_xc.beam").is_file():
        sys.exit("inetpy: the scenarios are not compiled; run `make crosscheck` in the source tree once")
    groups = [name if name.startswith("xc_") else f"xc_{name}" for name in arguments.groups]
    return crosscheck.run(
        crosscheck.Options(
            ebin=_required_ebin(),
            tests=tests,
            backends=["inet", *(name for name in names if name != "inet")],
            groups=groups,
            scenario=arguments.scenario,
            json=arguments.json,
            html=arguments.html,
            markdown=arguments.markdown,
            random=arguments.random,
            seed=arguments.seed,
        )
    )


def _bench(arguments: argparse.Namespace) -> int:
    try:
        from . import bench
    except ModuleNotFoundError as error:
        sys.exit(f"inetpy: bench needs {error.name}; run `pip install inetpy[tools]`")
    import importlib.util

    if arguments.plot is not None and importlib.util.find_spec("matplotlib") is None:
        sys.exit("inetpy: --plot needs matplotlib; run `pip install matplotlib`")
    return bench.run(_required_ebin(), arguments.rounds, arguments.json, arguments.output, arguments.plot)
