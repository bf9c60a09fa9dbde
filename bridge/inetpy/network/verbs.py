"""The requests `{fault, 0, Ref, {Verb, Argument}}`.

What `inetpy_fault` asks of the rules, `inetpy_network` of files, and `inetpy_tests` of a part of a test run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from ..codec.etf import encode_body
from ..codec.terms import Atom
from ..wire.messages import OK, build_ok
from .requests import parse_rule, replay_words, show_event, show_rule
from .rules import Rule
from .scenes import show_report

if TYPE_CHECKING:
    from .node import NodeNetwork

__all__ = ["VERBS"]

Answer: TypeAlias = Callable[[bytes], None]  # takes an encoded term
Verb: TypeAlias = "Callable[[NodeNetwork, Any, Answer], None]"


def _rules_of(node: NodeNetwork) -> list[Rule]:
    """Its own, and those of Python: all that can concern its sockets."""
    return [rule for rule in node.engine.rules if rule.node in (None, node)]


def _add(node: NodeNetwork, argument: Any) -> bytes:
    """`{Key, Whom, What, When}`. A rule that is there already is not added again."""
    try:
        key, rule = parse_rule(argument)
        if key < 0:
            node.engine.add_kept(rule, key)
        elif node.engine.numbered(key, node) is None:
            node.engine.add(rule, key, node)
    except ValueError as error:
        return encode_body((Atom("error"), (Atom("bad_rule"), str(error).encode())))
    return OK


def _remove(node: NodeNetwork, key: Any) -> bytes:
    rule = node.engine.numbered(key, node)
    if rule is not None:
        node.engine.remove(rule)
    return OK


def _reset(node: NodeNetwork, _argument: Any) -> bytes:
    for rule in _rules_of(node):
        node.engine.remove(rule)
    return OK


def _rules(node: NodeNetwork, _argument: Any) -> bytes:
    return build_ok(encode_body([show_rule(rule) for rule in _rules_of(node)]))


def _fired(node: NodeNetwork, key: Any) -> bytes:
    rules = _rules_of(node) if key == Atom("all") else [node.engine.numbered(key, node)]
    return build_ok(encode_body(sum(rule.fired for rule in rules if rule is not None)))


def _events(node: NodeNetwork, key: Any) -> bytes:
    rule = node.engine.numbered(key, node)
    return build_ok(encode_body([] if rule is None else [show_event(event) for event in rule.events]))


def _of_traces(verb: str) -> Callable[[NodeNetwork, Any], bytes]:
    """Loaded when a trace is asked for."""

    def run(node: NodeNetwork, argument: Any) -> bytes:
        from . import traces

        function: Callable[[NodeNetwork, Any], bytes] = getattr(traces, verb)
        return function(node, argument)

    return run


def _describe(node: NodeNetwork, argument: Any, answer: Answer) -> None:
    """`{Key, File, Seed}`: see `described`. What has that key already stays."""
    from .described import Described  # few nodes need it

    path: Path | None = None
    replayed: tuple[str, Any] | None = None
    match argument:
        case (int() as key, (Atom(name="replay"), bytes() as file, dict() as options), _):
            path = Path(file.decode())
            replayed = (file.decode(), options)
        case (int() as key, bytes() as file, Atom(name="undefined") | int() as seed):
            path = Path(file.decode())
        case (int() as key, Atom(name="undefined"), int() as seed):
            pass
        case _:
            return answer(_bad_network("it is {Key, File, Seed}"))
    if path is not None and not node.engine.runs_files:
        return answer(
            _bad_network("a Python that serves nodes runs no file for them: start it with --network")
        )
    if key in node.described:
        return answer(OK)
    try:
        words = {} if replayed is None else replay_words(replayed[1])
    except ValueError as error:
        return answer(_bad_network(str(error)))
    network = node.described[key] = Described(node.engine, asyncio.get_running_loop())

    def done(failure: str | None) -> None:
        if failure is not None:
            node.described.pop(key, None)
        answer(OK if failure is None else _bad_network(failure))

    if replayed is not None:
        network.begin_replay_of(replayed[0], words, done)
    else:
        network.begin(path, seed if isinstance(seed, int) else None, done)


def _replayed(node: NodeNetwork, key: Any) -> bytes:
    """`{IsDone, Failures, Missing}` of the replays of a network, as far as it is known here."""
    network = node.described.get(key)
    replays = [] if network is None else network.replays
    failures = [text.encode() for replay in replays for text in replay.failures]
    missing = [text.encode() for replay in replays for text in replay.missing()]
    is_done = Atom("true" if all(replay.is_done for replay in replays) else "false")
    return build_ok(encode_body((is_done, failures, missing)))


def _bad_network(why: str) -> bytes:
    return encode_body((Atom("error"), (Atom("bad_network"), why.encode())))


def _take_back(node: NodeNetwork, key: Any, answer: Answer) -> None:
    network = node.described.pop(key, None)
    if network is None:
        return answer(OK)
    network.end(lambda: answer(OK))


def _scene(node: NodeNetwork, number: Any) -> bytes:
    node.scenes.begin(number)
    return OK


def _scene_end(node: NodeNetwork, argument: Any) -> bytes:
    number, heal = argument
    return build_ok(encode_body(show_report(node.scenes.end(number, heal == Atom("true")))))


def _at_once(verb: Callable[[NodeNetwork, Any], bytes]) -> Verb:
    return lambda node, argument, answer: answer(verb(node, argument))


VERBS: dict[str, Verb] = {
    "add": _at_once(_add),
    "remove": _at_once(_remove),
    "reset": _at_once(_reset),
    "rules": _at_once(_rules),
    "fired": _at_once(_fired),
    "events": _at_once(_events),
    "describe": _describe,
    "take_back": _take_back,
    "replayed": _at_once(_replayed),
    "scene": _at_once(_scene),
    "scene_end": _at_once(_scene_end),
    **{
        f"trace_{verb}": _at_once(_of_traces(verb))
        for verb in ("start", "stop", "events", "leaks", "keys", "stray")
    },
}
