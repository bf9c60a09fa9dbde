"""Rules as terms: what `inetpy_fault` sends, and what it is shown.

{Key, #{port => 5432}, {latency, #{ms => 200}}, #{'when' => {nth, 2}, for_ms => 1000}}
"""

from __future__ import annotations

from typing import Any

from ..codec.terms import Atom
from .faults import When, make_fault, make_when
from .rules import Event, Rule
from .whom import Whom, text_of

__all__ = ["named", "parse_rule", "replay_words", "show_event", "show_rule", "term_of_rule"]


def parse_rule(term: Any) -> tuple[int, Rule]:
    """The number of a rule, and the rule. Raises ValueError."""
    match term:
        case (int() as key, dict() as whom, what, dict() as when):
            pass
        case _:
            raise ValueError("a rule is a map of whom it concerns, a fault, and a map of when it happens")
    match what:
        case (Atom(name=word), dict() as arguments):
            pass
        case Atom(name=word):
            arguments = {}
        case _:
            raise ValueError("a fault is {Word, #{Argument => Value}}, {latency, #{ms => 200}} for example")
    conditions = named(when, "when")
    condition, for_ms = conditions.pop("when", None), conditions.pop("for_ms", None)
    if conditions:
        raise ValueError(f"there is no {next(iter(conditions))!r} of when: there are when and for_ms")
    rule = Rule(
        make_fault(word, named(arguments, "an argument")),
        Whom(named(whom, "whom")),
        None if condition is None else _parse_when(condition),
        for_ms,
    )
    return key, rule


def named(terms: Any, what: str) -> dict[str, Any]:
    """A map of atoms, by their names. Raises ValueError for another term."""
    if not isinstance(terms, dict):
        raise ValueError(f"{what}: a map is wanted, not {terms!r}")
    for key in terms:
        if not isinstance(key, Atom):
            raise ValueError(f"{what}: a key is an atom, not {key!r}")
    return {key.name: value for key, value in terms.items()}


def _parse_when(term: Any) -> When:
    match term:
        case (Atom(name=word), numbers):
            return make_when(word, numbers)
    raise ValueError(
        "when is {nth, 2}, {nth, {1, 3}}, {probability, 0.1}, {first, 3} or {periodic, {1000, 0.5}}"
    )


def term_of_rule(rule: Rule) -> Any:
    """`{Whom, What, When}`: what `parse_rule` makes the same rule of."""
    when: dict[Any, Any] = {}
    if rule.when is not None:
        when[Atom("when")] = (Atom(rule.when.word), rule.when.numbers)
    if rule.for_ms is not None:
        when[Atom("for_ms")] = rule.for_ms
    return _whom(rule), _what(rule), when


def show_rule(rule: Rule) -> Any:
    """`{Key, Whom, What, Fired}`."""
    key = Atom("undefined") if rule.key is None else rule.key
    return key, _whom(rule), _what(rule), rule.fired


def _whom(rule: Rule) -> Any:
    return {Atom(word): _shown(value) for word, value in rule.whom.words.items()}


def _what(rule: Rule) -> Any:
    arguments = {Atom(name): _shown(value) for name, value in rule.arguments.items() if value is not None}
    return Atom(rule.word), arguments


def _shown(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


def show_event(event: Event) -> Any:
    """`#{call, what, label, offset}`."""
    return {
        Atom("what"): event.what.encode(),
        Atom("call"): Atom(event.call),
        Atom("label"): event.label.encode(),
        Atom("offset"): Atom("undefined") if event.offset is None else event.offset,
    }


def replay_words(options: dict[Any, Any]) -> dict[str, Any]:
    """The words of `Network.replay`, of the options of `inetpy_network:replay/2`, which are checked there."""
    made = {name.name: value for name, value in options.items()}
    for name in ("role", "only"):
        if name in made:
            made[name] = text_of(made[name])
    if isinstance(made.get("match"), Atom):
        made["match"] = made["match"].name
    match made.get("chunks"):
        case Atom(name=name):
            made["chunks"] = name
        case (Atom(name="random"), int() as seed):
            made["chunks"] = f"random({seed})"
    if "at" in made:
        made["at"] = {text_of(recorded): text_of(place) for recorded, place in made["at"].items()}
    if "patience" in made:
        made["patience"] /= 1000
    return made
