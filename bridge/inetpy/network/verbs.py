"""What `inetpy_fault` asks of the rules: the requests `{fault, 0, Ref, {Verb, Argument}}`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..codec.etf import encode_body
from ..codec.terms import Atom
from ..wire.messages import OK, build_ok
from .requests import parse_rule, show_event, show_rule

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["VERBS"]


def _add(engine: Engine, argument: Any) -> bytes:
    """`{Key, Whom, What, When}`. A rule that is there already is not added again."""
    try:
        key, rule = parse_rule(argument)
        if key < 0:
            engine.add_kept(rule, key)
        elif engine.numbered(key) is None:
            engine.add(rule, key)
    except ValueError as error:
        return encode_body((Atom("error"), (Atom("bad_rule"), str(error).encode())))
    return OK


def _remove(engine: Engine, key: Any) -> bytes:
    rule = engine.numbered(key)
    if rule is not None:
        engine.remove(rule)
    return OK


def _reset(engine: Engine, _argument: Any) -> bytes:
    for rule in engine.rules:
        engine.remove(rule)
    return OK


def _rules(engine: Engine, _argument: Any) -> bytes:
    return build_ok(encode_body([show_rule(rule) for rule in engine.rules]))


def _fired(engine: Engine, key: Any) -> bytes:
    rules = list(engine.rules) if key == Atom("all") else [engine.numbered(key)]
    return build_ok(encode_body(sum(rule.fired for rule in rules if rule is not None)))


def _events(engine: Engine, key: Any) -> bytes:
    rule = engine.numbered(key)
    return build_ok(encode_body([] if rule is None else [show_event(event) for event in rule.events]))


VERBS: dict[str, Callable[[Engine, Any], bytes]] = {
    "add": _add,
    "remove": _remove,
    "reset": _reset,
    "rules": _rules,
    "fired": _fired,
    "events": _events,
}
