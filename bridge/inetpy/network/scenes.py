"""What has happened in a stretch of a test run, and what is to go at its end: the report of a failed test.

    scenes.begin(7)
    ...
    scenes.end(7, heal=True)    the Report; and the rules that Python has added meanwhile are gone

A scene is a test, a group of tests, or a suite, as its number says to the node. Scenes may overlap.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from ..codec.show import shown
from ..codec.terms import Atom
from .rules import Rule

if TYPE_CHECKING:
    from .node import NodeNetwork
    from .replay import Replay

__all__ = ["Report", "Scenes", "show_report"]

MOST_EXAMPLES = 3  # of what a rule has done


class Report(NamedTuple):
    """seed: of the network. fired: rules, how often each has fired meanwhile, and some of what it did.
    failures: what a strict network refused meanwhile, and servers that raised.
    """

    seed: int
    fired: list[tuple[str, int, list[str]]]
    failures: list[str]


class _Scene(NamedTuple):
    replays: list[Replay]  # that went on before
    before: dict[Rule, int]  # how often each rule had fired
    removed: list[Rule]
    failures: int


class Scenes:
    """Those of one node."""

    def __init__(self, node: NodeNetwork) -> None:
        self._node = node
        self._open: dict[int, _Scene] = {}

    def begin(self, number: int) -> None:
        engine = self._node.engine
        before = {rule: rule.fired for rule in engine.rules}
        self._open[number] = _Scene(list(engine.replays), before, [], len(engine.places.failures))

    def removed(self, rule: Rule) -> None:
        """A rule goes. What it has done belongs to the scenes that are open."""
        if rule.node not in (None, self._node):
            return
        for scene in self._open.values():
            scene.removed.append(rule)

    def end(self, number: int, heal: bool) -> Report:
        """`heal`: removes the rules that Python has added since, of itself and not for a shell.

        Of a scene that began before this process did, only the seed is known.
        """
        engine = self._node.engine
        scene = self._open.pop(number, None)
        if scene is None:
            return Report(engine.rules.seed, [], [])
        for replay in list(engine.replays):
            if replay not in scene.replays:
                replay.finish()
        rules = [*scene.removed, *(rule for rule in engine.rules if rule.node in (None, self._node))]
        fired = [(rule, rule.fired - scene.before.get(rule, 0)) for rule in rules]
        if heal:
            for rule in list(engine.rules):
                if rule not in scene.before and engine.is_own(rule):
                    engine.end(rule)
        return Report(
            engine.rules.seed,
            [(_named(rule), count, _examples(rule, count)) for rule, count in fired if count],
            list(engine.places.failures[scene.failures :]),
        )


def _named(rule: Rule) -> str:
    """`reset(after_bytes=1000) for host=db.test nth(2, 2)`."""
    arguments = _words((name, value) for name, value in rule.arguments.items() if value is not None)
    whom = _words(rule.whom.words.items()) or "all sockets"
    return f"{rule.word}({arguments}) for {whom}{'' if rule.when is None else f' {rule.when}'}"


def _words(items: Iterable[tuple[str, Any]]) -> str:
    return ", ".join(f"{name}={_plain(value)}" for name, value in items)


def _plain(value: Any) -> str:
    match value:
        case bytes():
            return value.decode("utf-8", "replace")
        case Atom(name=name):
            return name
        case str() | int() | float():
            return str(value)
    return shown(value)


def _examples(rule: Rule, count: int) -> list[str]:
    """What it did first: `recv of db.test:5432 at 1000`."""
    if rule.fired > len(rule.events):  # the latest are not among them
        return []
    events = rule.events[-count:][:MOST_EXAMPLES]
    return [
        f"{event.call} of {event.label}{'' if event.offset is None else f' at {event.offset}'}"
        for event in events
    ]


def show_report(report: Report) -> Any:
    """As a term: `#{seed, fired => [{Rule, Count, Examples}], failures}`, with binaries."""
    return {
        Atom("seed"): report.seed,
        Atom("fired"): [
            (rule.encode(), count, [example.encode() for example in examples])
            for rule, count, examples in report.fired
        ],
        Atom("failures"): [failure.encode() for failure in report.failures],
    }
