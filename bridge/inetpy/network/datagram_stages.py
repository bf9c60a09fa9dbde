"""What faults do to the datagrams of a socket, in one direction: see `course`."""

from __future__ import annotations

from random import Random

from .course import Course, Datagram, Item, Stage, size_of
from .rules import Rule
from .stages import Bandwidth, Latency, Timed

__all__ = ["DATAGRAM_STAGES"]


class OfDatagrams(Stage):
    """Decides for each datagram: by its peer, by `when`, and by the probability of the fault."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self.dice = rule.dice(course.owner.facts, course.direction)

    def put(self, item: Item) -> None:
        if self.concerns(item):
            self.act(item)
        else:
            self.following.put(item)

    def concerns(self, item: Datagram) -> bool:
        return _happens(self, item, self.dice, self.rule.arguments.get("p", 1))

    def act(self, item: Datagram) -> None:
        """The fault happens to this datagram."""
        raise NotImplementedError


def _happens(stage: Stage, item: Datagram, dice: Random, share: float = 1) -> bool:
    """Whether the rule concerns the peer of a datagram, and this is its time."""
    facts, direction = stage.owner.facts, stage.course.direction
    is_concerned = stage.rule.whom.fits(stage.owner.facts_toward(item.address))
    return is_concerned and stage.rule.occasion(facts, direction, dice, share)


class Loss(OfDatagrams):
    def act(self, _item: Datagram) -> None:
        self.acted(self.course.passed)


class Duplicate(OfDatagrams):
    def act(self, item: Datagram) -> None:
        self.acted(self.course.passed)
        self.following.put(item)
        self.following.put(item)


class Corrupt(OfDatagrams):
    def act(self, item: Datagram) -> None:
        if not item.data:
            return self.following.put(item)
        self.acted(self.course.passed)
        data = bytearray(item.data)
        data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
        self.following.put(item._replace(data=bytes(data)))


class Truncate(OfDatagrams):
    def act(self, item: Datagram) -> None:
        size = self.rule.arguments["size"]
        if len(item.data) > size:
            self.acted(self.course.passed)
            item = item._replace(data=item.data[:size])
        self.following.put(item)


class Reorder(OfDatagrams):
    """One datagram at a time is held, until the next have gone by."""

    def __init__(self, course: Course, rule: Rule) -> None:
        super().__init__(course, rule)
        self._late: list[tuple[int, Datagram]] = []  # how many are to go by still

    def put(self, item: Item) -> None:
        if not self._late and self.concerns(item):
            self.acted(self.course.passed)
            self._late.append((self.rule.arguments["gap"], item))
            self.held = size_of(item)
            return
        self.following.put(item)
        if self._late:
            left, late = self._late.pop()
            self.held = 0
            if left > 1:
                self._late.append((left - 1, late))
                self.held = size_of(late)
            else:
                self.following.put(late)

    def is_empty(self) -> bool:
        return not self._late

    def release(self) -> None:
        while self._late:
            self.following.put(self._late.pop()[1])
        self.held = 0


class Lost(OfDatagrams):
    """A black hole for datagrams, or a peer that is down: nothing gets through, in either direction."""

    def act(self, _item: Datagram) -> None:
        self.acted(self.course.passed)


class FromNobody(Lost):
    """Of a peer that is down nothing comes. Sending to it is refused elsewhere: see `calls`."""

    directions = ("recv",)


class Chosen(Timed):
    """A stage of streams that decides for each datagram."""

    def put(self, item: Item) -> None:
        if _happens(self, item, self.dice):
            super().put(item)
        else:
            self.following.put(item)


class DatagramLatency(Chosen, Latency):
    """See `Latency`."""


class DatagramBandwidth(Chosen, Bandwidth):
    """See `Bandwidth`."""


DATAGRAM_STAGES: dict[str, type[Stage]] = {
    "latency": DatagramLatency,
    "bandwidth": DatagramBandwidth,
    "blackhole": Lost,
    "down": FromNobody,
    "loss": Loss,
    "duplicate": Duplicate,
    "corrupt": Corrupt,
    "reorder": Reorder,
    "truncate": Truncate,
}
