"""Rules: a fault, whom it concerns, and when it happens.

    Rule      one fault for some sockets; counts how often it acted
    Rules     all of them, found by port and host

A socket is looked at when something about it becomes known: when it is opened, connected or given to
another owner, and when rules come and go. No call looks through the rules.
"""

from __future__ import annotations

import itertools
import logging
import math
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .faults import FAULTS, Fault, When
from .scripts import Place, Script, Scripts, facts_of
from .whom import Facts, Whom, number_of, text_of

__all__ = ["Event", "Rule", "Rules"]

log = logging.getLogger(__name__)

MOST_EVENTS = 10_000  # that a rule remembers
MOST_ENDED = 20  # rules


class Event(NamedTuple):
    """A rule has acted. `offset`: bytes or datagrams before it in that direction; None at a call."""

    what: str
    call: str
    label: str
    offset: int | None


class Rule:
    """One fault for some sockets.

    key: its number, or None before it is added.
    node: the `NodeNetwork` that has set it, and whose sockets it concerns; None: all nodes.
    fired: how often it acted. A fault of calls counts calls, one of datagrams datagrams. One that shapes a
    stream counts the directions of sockets that it has touched; a reset or a refusal counts connections.
    events: the same, one by one, as far as MOST_EVENTS.
    on: a periodic rule is off for a part of the time.
    on_remove: what `remove` calls with the rule.
    on_acted: what is called each time that it acts, if anybody looks on.
    on_chance: what is called where it happens and might not have, if anybody looks on.
    script: where it happens, in place of `when` and of its probability: see `scripts`. None: it has none.
    number: in the order of the rules of its network. by: who has added it, `file`, `program` or `shell`.
    """

    def __init__(
        self,
        what: Fault,
        whom: Whom,
        when: When | None = None,
        for_ms: float | None = None,
    ) -> None:
        self.key: int | None = None
        self.node: Any = None
        self.what = what
        self.whom = whom
        self.when = when
        self.for_ms = for_ms
        self.fired = 0
        self.events: list[Event] = []
        self.on = True
        self.seed = ""
        self.on_remove: Callable[[Rule], None] = lambda _: None
        self.on_acted: Callable[[Rule, Event, Facts], None] | None = None
        self.on_chance: Callable[[Rule, Place], None] | None = None
        self.script: Script | None = None
        self.number = 0
        self.by = "program"
        self._occasions = 0
        self._dice: dict[tuple[int, str], random.Random] = {}
        self._sockets: dict[int, int] = {}  # the numbers of the sockets that it concerns, in their order
        self._asked: dict[int | None, tuple[int, Counter[str]]] = {}  # for places, by the same numbers
        _check(what, whom)
        if for_ms is not None and (type(for_ms) not in (int, float) or not 0 <= for_ms < math.inf):
            raise ValueError(f"for_ms is a time in ms, 0 or more, not {for_ms!r}")

    @property
    def facts(self) -> dict[str, Any]:
        """What was said to make it: see `scripts`."""
        return facts_of(self.what, self.when, self.for_ms, self.whom.words)

    def follow(self, script: Script) -> None:
        """From now on it happens where the script says."""
        self.script = script
        self.seed = script.seed or self.seed

    def limit_to(self, node: object) -> None:
        """Before it is added: the sockets of one node only."""
        self.node = node
        self.whom.limit_to(node)

    def __repr__(self) -> str:
        words = ", ".join(f"{word}={value!r}" for word, value in self.whom.words.items())
        return f"<Rule {self.what} for {words or 'all sockets'}{f' {self.when}' if self.when else ''}>"

    def __enter__(self) -> Rule:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def remove(self) -> None:
        """Nothing is closed, lost or reordered: what the rule holds back moves on. Twice is as once."""
        self.on_remove(self)

    @property
    def word(self) -> str:
        return self.what.word

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.what.arguments

    def acted(self, call: str, facts: Facts, offset: int | None = None) -> None:
        self.fired += 1
        if len(self.events) < MOST_EVENTS or self.on_acted is not None:
            event = Event(str(self.what), call, facts.label, offset)
            if len(self.events) < MOST_EVENTS:
                self.events.append(event)
            if self.on_acted is not None:
                self.on_acted(self, event, facts)

    def occasion(
        self, facts: Facts | None, at: str, dice: random.Random | None = None, share: float = 1
    ) -> bool:
        """Whether it happens this time. To be asked once for each time that it could.

        facts: of the socket; None where there is none. at: the call, the direction, or `connection`.
        share: the probability of the fault itself.
        """
        if self.when is None and share >= 1:
            return self.on
        place = self._place(facts, at)
        happens = self._happens(dice, share)  # random numbers are taken all the same: others come behind them
        if self.script is not None:
            happens = place in self.script.places
        if happens and self.on_chance is not None:
            self.on_chance(self, place)
        return happens

    def _place(self, facts: Facts | None, at: str) -> Place:
        number = None if facts is None else facts.number
        ordinal, counts = self._asked.setdefault(number, (len(self._asked) + 1, Counter()))
        counts[at] += 1
        return Place(ordinal, at, counts[at])

    def _happens(self, dice: random.Random | None, share: float) -> bool:
        if not self._is_its_time(dice):
            return False
        if share >= 1:
            return True
        assert dice is not None
        return dice.random() < share

    def _is_its_time(self, dice: random.Random | None) -> bool:
        if not self.on:
            return False
        match self.when:
            case When(word="nth", numbers=(least, most)):
                self._occasions += 1
                return least <= self._occasions <= most
            case When(word="first", numbers=(count,)):
                self._occasions += 1
                return self._occasions <= count
            case When(word="probability", numbers=(share,)):
                return (dice or _dice(f"{self.seed}|{self._next()}")).random() < share
        return True

    def _next(self) -> int:
        self._occasions += 1
        return self._occasions

    def dice(self, facts: Facts, direction: str) -> random.Random:
        """Random numbers of this rule for one direction of one socket.

        The same in each run with the same seed. Other rules, and sockets that this rule does not
        concern, have no bearing.
        """
        ordinal = self._sockets.setdefault(facts.number, len(self._sockets) + 1)
        dice = _dice(f"{self.seed}|{ordinal}|{direction}")
        if self.when is None or self.when.word != "periodic":
            return dice
        return self._dice.setdefault((ordinal, direction), dice)  # it asks in each period, and goes on


def _dice(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  to be the same again is what they are for


def _check(what: Fault, whom: Whom) -> None:
    """Raises ValueError for a fault that cannot happen to those sockets."""
    kinds = FAULTS[what.word].kinds
    proto = whom.words.get("proto")
    if proto is not None:
        proto = text_of(proto)
        if proto == "tcp" and "stream" not in kinds and "datagram" in kinds:
            raise ValueError(
                f"{what.word} is for datagrams: {_WHY_NOT_STREAMS.get(what.word, 'TCP has none')}"
            )
        if proto == "udp" and "datagram" not in kinds and "stream" in kinds:
            raise ValueError(f"{what.word} is for streams: UDP has no connection")
    role = whom.words.get("role")
    if role is not None and kinds == {"datagram"}:
        raise ValueError(f"{what.word} is for datagrams, whose sockets have no role")
    if kinds == {"resolve"} or what.arguments.get("call") == "resolve":
        others = sorted(set(whom.words) - {"host", "owner"})
        if others:
            raise ValueError(
                f"a name is looked up for a host and an owner: there is no {others[0]!r} of it yet"
            )


_WHY_NOT_STREAMS = {
    "loss": "on a stream a lost packet is sent again, and shows as latency",
    "reorder": "a stream has an order",
    "duplicate": "a stream has every byte once",
    "corrupt": "TCP drops what is corrupt and sends it again",
    "truncate": "a stream has no packets",
}


class Rules:
    """All rules of a network, in the order in which they were added.

    ended: the last ones that were removed, for a report.
    scripts: those of a recorded run, which this one repeats.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.scripts: Scripts | None = None
        self._rules: dict[Rule, int] = {}
        self._numbers = itertools.count(1)
        self._equal: Counter[str] = Counter()  # how many rules there are of each text
        self._by_port: dict[int, dict[Rule, None]] = {}
        self._by_host: dict[str, dict[Rule, None]] = {}
        self._by_network: dict[tuple[int, int], dict[int, dict[Rule, None]]] = {}  # version, shift: prefix
        self._others: dict[Rule, None] = {}
        self._of_owners = 0
        self.ended: deque[Rule] = deque(maxlen=MOST_ENDED)

    def __iter__(self) -> Iterator[Rule]:
        return iter(list(self._rules))

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, rule: Rule) -> bool:
        return rule in self._rules

    @property
    def want_owner(self) -> bool:
        """Whether one of them is for an owner."""
        return self._of_owners > 0

    def add(self, rule: Rule) -> None:
        """Its random numbers depend on the seed, on itself, and on equal rules before it."""
        text = repr(rule)
        rule.seed = f"{self.seed}|{text}|{self._equal[text]}"
        self._equal[text] += 1
        if self.scripts is not None:
            self._give_script(rule, self.scripts)
        rule.number = self._rules[rule] = next(self._numbers)
        self._place(rule)[rule] = None
        self._of_owners += rule.whom.wants_owner

    def _give_script(self, rule: Rule, scripts: Scripts) -> None:
        script = scripts.take(rule.facts)
        if script is None:
            log.warning("the schedule has no such rule: %r acts as without a schedule", rule)
        else:
            rule.follow(script)

    def remove(self, rule: Rule) -> None:
        text = repr(rule)
        self._equal[text] -= 1
        if not self._equal[text]:
            del self._equal[text]
        del self._rules[rule]
        del self._place(rule)[rule]
        self._of_owners -= rule.whom.wants_owner
        self.ended.append(rule)

    def _place(self, rule: Rule) -> dict[Rule, None]:
        port, host = rule.whom.exact_port, rule.whom.exact_host
        if port is not None:
            return self._by_port.setdefault(port, {})
        if host is not None:
            return self._by_host.setdefault(host, {})
        network = rule.whom.network
        if network is not None:
            return self._by_network.setdefault(network[:2], {}).setdefault(network.prefix, {})
        return self._others

    def concerning(self, facts: Facts) -> list[Rule]:
        """The rules that concern a socket, or may when more of it is known. In order."""
        places: list[Iterable[Rule]] = [self._others]
        places += _places(self._by_port, facts.port)
        places += _places(self._by_host, facts.host)
        version, address = (None, 0) if facts.peer is None else number_of(facts.peer)
        for (of, shift), networks in self._by_network.items():
            if version in (None, of):
                places += _places(networks, None if version is None else address >> shift)
        found = [rule for place in places for rule in place if rule.whom.may_fit(facts)]
        found.sort(key=self._rules.__getitem__)
        return found


def _places(index: Mapping[Any, Iterable[Rule]], known: object) -> list[Iterable[Rule]]:
    if known is None:
        return list(index.values())
    return [index[known]] if known in index else []
