"""What the report of a failed test shows of its network and its node.

exception error: no match of right hand side value {error,closed}
  in function client:get/1 (client.erl, line 17)
seed 7 (repeat with --inetpy-seed 7)
...
the last log events of erlang
  12:30:01.120 error <0.120.0> Process <0.120.0> terminating ...
trace: /tmp/.../test_reset.pcapng
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..network.network import Network
from .errors import ErlangError
from .node import Node
from .values import LogEvent

__all__ = ["text_of"]

EVENTS = 10
LINES = 20  # of output


def text_of(network: Network, node: Node | None, error: BaseException | None, trace: Path | None) -> str:
    """`error` is what made the test fail."""
    return "\n".join(_lines(network, node, error, trace))


def _lines(
    network: Network, node: Node | None, error: BaseException | None, trace: Path | None
) -> Iterator[str]:
    if isinstance(error, ErlangError):
        yield from _of_error(error)
    yield network.report()
    yield f"repeat with --inetpy-seed {network.seed}"
    if network.trace.is_on:
        yield from _titled("names and addresses that were not reached", _not_reached(network))
        yield from _titled("open sockets", (f"{leak.kind} {leak.label}" for leak in network.trace.leaks()))
    for each in () if node is None else (node, *node.peers):
        yield from _of_node(each)
    if trace is not None:
        yield f"trace: {trace}"
        if any(event.word == "chance" for event in network.trace.events()):
            yield f"repeat its faults with --inetpy-schedule {trace}"


def _of_error(error: ErlangError) -> Iterator[str]:
    yield str(error)
    yield from _titled("Erlang stack", map(str, error.stack))


def _not_reached(network: Network) -> list[str]:
    """A name that no server has is often a mistake of the test."""
    calls = [call for call in network.trace.calls() if call.op in {"getaddrs", "connect"}]
    found = [
        f"{call.peer}: {call.answer[1]}"
        for call in calls
        if isinstance(call.answer, tuple) and call.answer[0] == "error"
    ]
    return list(dict.fromkeys(found))[-EVENTS:]


def _of_node(node: Node) -> Iterator[str]:
    if not node.is_alive:
        yield f"the node {node.name} has ended"
    events = [line for event in node.log[-EVENTS:] for line in _of_event(event)]
    yield from _titled(f"the last log events of {node.name}", events)
    yield from _titled(f"the last output of {node.name}", node.output.splitlines()[-LINES:])


def _titled(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Nothing where there are no lines."""
    for number, line in enumerate(lines):
        if number == 0:
            yield title
        yield f"  {line}"


def _of_event(event: LogEvent) -> list[str]:
    clock = time.strftime("%H:%M:%S", time.localtime(event.time))
    first, *more = event.text.splitlines() or [""]
    return [
        f"{clock}.{int(event.time * 1000) % 1000:03} {event.level}: {first}",
        *(f"  {line}" for line in more),
    ]
