"""The command `inetpy`. Each verb imports what it needs when it is called."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import __version__

__all__ = ["main"]

# Where the beams are: inside an installed package, or in the source tree.
_PLACES = (Path(__file__).parent / "ebin", Path(__file__).parents[2] / "erl" / "ebin")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb and returns the exit status."""
    arguments = _parser().parse_args(argv)
    return int(arguments.run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="inetpy", description="A Python backend for the network calls of an Erlang node."
    )
    parser.add_argument("--version", action="version", version=f"inetpy {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    bridge = verbs.add_parser("bridge", help="the port program: the Erlang side starts it")
    bridge.set_defaults(run=_bridge)
    ebin = verbs.add_parser("ebin", help="print the folder of the beams, for erl -pa")
    ebin.set_defaults(run=_ebin)
    bench = verbs.add_parser("bench", help="measure, as ratios to inet_drv and to a bare echo port")
    bench.add_argument("--rounds", type=int, default=5, help="repetitions of each job (default 5)")
    bench.add_argument("--json", action="store_true", help="print JSON in place of the table")
    bench.add_argument("--output", type=Path, help="write the JSON to this file too")
    bench.set_defaults(run=_bench)
    return parser


def _bridge(_arguments: argparse.Namespace) -> int:
    from .transports import stdio

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


def _bench(arguments: argparse.Namespace) -> int:
    try:
        from . import bench
    except ModuleNotFoundError as error:
        sys.exit(f"inetpy: bench needs {error.name}; run `pip install inetpy[tools]`")
    return bench.run(_required_ebin(), arguments.rounds, arguments.json, arguments.output)
