"""One direction of a controlled socket: a course of stages, one behind another.

    socket → Latency → Bandwidth → Reset → peer

A `Course` is one direction. What enters it goes through its stages in the order of the rules. A stage
holds items back, changes them, or ends the connection. When its rule goes, a stage lets go what it
holds, in order, and is taken out. The stages themselves are in `stages` and `datagram_stages`.

Items of a stream are bytes, `END` (a FIN) and `Reset`. Those of datagrams are `Datagram`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, Protocol

from ..host.api import Clock
from .rules import Rule
from .whom import Facts

__all__ = [
    "END",
    "Course",
    "Datagram",
    "Item",
    "Owner",
    "Piece",
    "Reset",
    "Sink",
    "Stage",
    "set_stages",
    "size_of",
]

MOST_HELD = 1 << 20  # bytes that a stage holds before it takes no more


class _End:
    def __repr__(self) -> str:
        return "END"


END = _End()


class Reset(NamedTuple):
    """The connection is reset. `number`: the errno that the reader gets."""

    number: int


class Piece(bytes):
    """Bytes that the reader gets in one read, not together with those behind them."""


class Datagram(NamedTuple):
    """address: of the peer, or None. control, flags: as those of sendmsg(2) and recvmsg(2)."""

    data: bytes
    address: Any
    control: Any = ()
    flags: int = 0


Item = Any  # see the module


def size_of(item: Item) -> int:
    """Bytes. The end of a stream, and a reset, have none."""
    if isinstance(item, bytes):
        return len(item)
    return len(item.data) if isinstance(item, Datagram) else 0


class Sink(Protocol):
    """Where a direction ends."""

    def put(self, item: Item) -> None: ...


class Owner(Protocol):
    """The socket of a course, as its stages need it."""

    facts: Facts

    def facts_toward(self, address: Any) -> Facts:
        """The facts for a datagram to or from an address; None is that of the connection."""

    def reset_both(self, stage: Stage) -> None:
        """The connection is reset, for both ends. Erlang learns it behind what has passed the stage."""

    def close_both(self, stage: Stage) -> None:
        """The peer has closed, and reads no more. Erlang learns it behind what has passed the stage."""

    def moved(self) -> None:
        """A stage has less than before."""

    def fail(self, error: Exception) -> None: ...


class Course:
    """One direction of a socket. `direction` is `recv` or `send`, seen from the Erlang socket."""

    def __init__(self, owner: Owner, direction: str, clock: Clock, sink: Sink) -> None:
        self.owner = owner
        self.direction = direction
        self.clock = clock
        self.sink = sink
        self.passed = 0  # bytes or datagrams that have entered
        self.stages: dict[Rule, Stage] = {}
        self._first: Stage | Sink = sink

    def put(self, item: Item) -> None:
        self._first.put(item)
        self.passed += 1 if isinstance(item, Datagram) else size_of(item)

    def has_room(self) -> bool:
        return all(stage.held < stage.capacity for stage in self.stages.values())

    def is_empty(self) -> bool:
        return all(stage.is_empty() for stage in self.stages.values())

    def add(self, rule: Rule, stage: Stage) -> None:
        self.stages[rule] = stage
        self._chain()
        stage.begin()

    def arrange(self, rules: Iterable[Rule]) -> None:
        """The stages stand in the order of their rules: a periodic rule comes back to its place."""
        ordered = {rule: self.stages[rule] for rule in rules if rule in self.stages}
        if list(ordered) != list(self.stages):
            self.stages = ordered
            self._chain()

    def remove(self, rule: Rule) -> None:
        stage = self.stages[rule]
        stage.release()
        del self.stages[rule]
        self._chain()

    def _chain(self) -> None:
        following: Stage | Sink = self.sink
        for stage in reversed(self.stages.values()):
            stage.following = following
            following = stage
        self._first = following

    def shaping(self) -> list[Rule]:
        """The rules that touch all that passes."""
        return [rule for rule, stage in self.stages.items() if stage.shapes]

    def stop(self) -> None:
        """Nothing more comes out."""
        for stage in self.stages.values():
            stage.stop()


def set_stages(
    courses: Mapping[str, Course],
    rules: Iterable[Rule],
    stages: Mapping[str, type[Stage]],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """The courses of a socket have a stage for each of these rules from now on, in their order.

    courses: by direction. stages: by the word of the rule.
    is_over: whether the connection has ended, which a stage may do when it is added. Then none is added.
    """
    wanted = list(rules)
    for course in courses.values():
        for rule in [rule for rule in course.stages if rule not in wanted]:
            course.remove(rule)
    for rule in wanted:
        stage = stages[rule.word]
        for direction in rule.whom.directions(stage.directions):
            course = courses[direction]
            if rule not in course.stages and not is_over():
                course.add(rule, stage(course, rule))
    for course in courses.values():
        course.arrange(wanted)


class Stage:
    """One rule in one direction of a socket.

    held: bytes that are held back.
    shapes: whether it touches all that passes, and not only what an event of its rule is of.
    """

    shapes: ClassVar[bool] = False
    capacity: ClassVar[int] = MOST_HELD
    directions: ClassVar[tuple[str, ...]] = ("recv", "send")  # where the rule names none

    def __init__(self, course: Course, rule: Rule) -> None:
        self.course = course
        self.rule = rule
        self.owner = course.owner
        self.following: Stage | Sink = course.sink
        self.held = 0
        self._has_acted = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.course.direction}>"

    def begin(self) -> None:
        """The connection is there, or the rule has come."""

    def put(self, item: Item) -> None:
        raise NotImplementedError

    def release(self) -> None:
        """Lets go all that it holds: its rule has gone."""

    def is_empty(self) -> bool:
        return not self.held

    def stop(self) -> None:
        """The socket has gone."""

    def fail(self, error: Exception) -> None:
        self.owner.fail(error)

    def acted(self, offset: int | None = None) -> None:
        self.rule.acted(self.course.direction, self.owner.facts, offset)

    def acted_once(self) -> None:
        """For what goes on and on: counted once for each direction of a socket."""
        if not self._has_acted:
            self._has_acted = True
            self.acted(self.course.passed)
