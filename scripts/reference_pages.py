"""Writes docs/reference-erlang.md from the Erlang sources, and docs/reference-python.md from docstrings."""

from __future__ import annotations

import inspect
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inetpy import Network, codec, network, testing
from inetpy.codec import terms
from inetpy.codec.etf import PURE
from inetpy.network.clock import ClockControl
from inetpy.network.each_call import Run
from inetpy.network.faults import Fault, When
from inetpy.network.remote import RemoteConn
from inetpy.network.replay import Replay, ReplayError
from inetpy.network.rules import Event, Rule
from inetpy.network.servers import Conn, Servers
from inetpy.network.trace import Leak, Trace, Transferred
from inetpy.replay.player import Mismatch
from inetpy.trace.events import Call, Owner, Peer

TOP = Path(__file__).parent.parent

ERLANG_HEAD = """# Erlang functions

This page is written by `scripts/reference_pages.py` from the sources; a test compares the two. In a shell,
`h(inetpy)` and `h(inetpy, install)` print the same, with the beams of `inetpy ebin`. Beams that rebar3 or Mix
has compiled have no help.

Users call `inetpy`, `inetpy_fault`, `inetpy_network`, `inetpy_eunit` and `inetpy_inet`. `inetpy_cth` is a
hook for Common Test ([testing-erlang.md](testing-erlang.md)). The other modules are values of the options
`tcp_module` and `udp_module` ([plugging-in.md](plugging-in.md)).

"""

PYTHON_HEAD = """# Python classes and functions

This page is written by `scripts/reference_pages.py` from docstrings; a test compares the two. The public
names are those of `inetpy.codec`, of `inetpy.network` and of `inetpy.testing`, and `inetpy.Atom` and
`inetpy.Network`.

# Terms

The names of `inetpy.codec`. [terms.md](terms.md) has examples.

"""

NETWORK_HEAD = """
# The network

The words of `inetpy.network`, and the classes of what a network gives. [faults.md](faults.md) and
[network.md](network.md) have examples.

"""

TESTING_HEAD = """
# Tests

The names of `inetpy.testing`. [testing-pytest.md](testing-pytest.md) has examples.

"""

# What a network gives to its user, who makes none of them.
NETWORK_CLASSES = (
    Network, Fault, When, Rule, Event, Run, ClockControl, Servers, Conn, RemoteConn, Trace, Call, Peer, Owner,
    Transferred, Leak, Replay, ReplayError, Mismatch,
)  # fmt: skip


def erlang_page() -> str:
    command = ["escript", str(TOP / "scripts" / "docs.escript"), "page", str(TOP / "erl" / "src")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return ERLANG_HEAD + done.stdout.rstrip() + "\n"


def python_page() -> str:
    """The pure code's classes and functions: the compiled ones have no signatures."""
    pure = {function.__name__: function for function in PURE} | terms.PURE
    public = {name: pure.get(name, getattr(codec, name)) for name in codec.__all__}
    words = {name: getattr(network, name) for name in network.__all__}
    tests = {name: getattr(testing, name) for name in testing.__all__ if name not in public}
    of_network = NETWORK_HEAD + _sections(words | _named(NETWORK_CLASSES))
    return PYTHON_HEAD + _sections(public) + of_network + TESTING_HEAD + _sections(tests)


def _named(things: tuple[type, ...]) -> dict[str, Any]:
    return {thing.__name__: thing for thing in things}


def _sections(public: dict[str, Any]) -> str:
    return "\n".join(_section(name, thing) for name, thing in sorted(public.items(), key=_order))


def _order(item: tuple[str, object]) -> tuple[bool, str]:
    """Functions before classes."""
    return inspect.isclass(item[1]), item[0]


def _section(name: str, thing: Any) -> str:
    parts = [f"## {name}\n", _help(f"{name}{_signature(thing)}", thing)]
    if inspect.isclass(thing):
        parts += [_help(f"{name}.{member}", value) for member, value in _members(thing)]
    return "\n".join(parts)


def _signature(thing: Any) -> str:
    """Without the quotes of annotations."""
    if thing in NETWORK_CLASSES:
        return ""
    shown = str(inspect.signature(thing))
    shown = re.sub(r"ForwardRef\('([^']*)'\)", r"\1", shown)  # of a named tuple
    return re.sub(r"(: |-> )'([^']*)'", r"\1\2", shown).removesuffix(" -> None")


def _members(kind: type) -> Iterator[tuple[str, object]]:
    """The public attributes and methods with a docstring of their own."""
    for name, value in vars(kind).items():
        if not name.startswith("_") and isinstance(value, property) and value.__doc__:
            yield name, value
        elif not name.startswith("_") and inspect.isfunction(value) and value.__doc__:
            yield f"{name}{_signature(value)}", value


def _help(shown: str, thing: object) -> str:
    return f"```\n{shown}\n```\n\n{inspect.getdoc(thing) or ''}".rstrip() + "\n"


PAGES = {"reference-erlang.md": erlang_page, "reference-python.md": python_page}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (TOP / "docs" / name).write_text(page())
