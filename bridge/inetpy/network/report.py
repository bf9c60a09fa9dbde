"""What a failing test shows of its network: `Network.report`.

seed 7
rules
  reset(after_bytes=1000), host="redis.test" (ended): fired once
    recv redis.test:6379, offset 1000
servers
  redis.test:6379, 1 connection
failures
  server redis.test:6379: Traceback (most recent call last): ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .rules import Event, Rule
from .schedules import code_of_rule

if TYPE_CHECKING:
    from .engine import Engine
    from .servers import Servers

__all__ = ["report"]

MOST_EVENTS = 3  # of each rule, the last
MOST_FAILURES = 20  # the first


def report(engine: Engine, servers: Servers | None) -> str:
    """The text, without a line break at its end.

    It is read in any thread, while the loop runs, or is stuck: so each table is copied before it is read.
    """
    places = engine.places
    failures = list(places.failures)
    more = len(failures) - MOST_FAILURES
    parts = [
        [f"seed {engine.rules.seed}{', strict' if places.strict else ''}{_time(engine.clock.rate)}"],
        _section("rules", _rules(engine)),
        _section("names", (f"{name}: {', '.join(found)}" for name, found in list(places.names.items()))),
        _section("servers", () if servers is None else servers.shown()),
        _section("failures", failures[:MOST_FAILURES] + [f"and {more} more"] * (more > 0)),
    ]
    return "\n".join(line for part in parts for line in part)


def _time(rate: float) -> str:
    if rate == 1:
        return ""
    return f", time goes by {rate:g} times as fast" if rate else ", time stands still"


def _section(title: str, items: Iterable[str]) -> list[str]:
    """Nothing where there are no items."""
    lines = [f"  {line}" for item in items for line in item.splitlines()]
    return [title, *lines] if lines else []


def _rules(engine: Engine) -> Iterator[str]:
    for rule in list(engine.rules.ended):
        yield _shown(rule, " (ended)")
    for rule in engine.rules:
        yield _shown(rule, "")


def _shown(rule: Rule, state: str) -> str:
    events = list(rule.events)
    times = {0: "never", 1: "once"}.get(rule.fired, f"{rule.fired} times")
    lines = [f"{code_of_rule(rule)}{state}: fired {times}"]
    if rule.fired > MOST_EVENTS:
        lines.append("  ...")
    return "\n".join(lines + [f"  {_shown_event(event)}" for event in events[-MOST_EVENTS:]])


def _shown_event(event: Event) -> str:
    offset = "" if event.offset is None else f", offset {event.offset}"
    return f"{event.call} {event.label}{offset}"
