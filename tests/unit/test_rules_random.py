"""The same seed, rules and traffic make the same faults; a rule that concerns nobody here changes nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings, strategies as st

from inetpy.network import (
    Fault,
    When,
    bandwidth,
    corrupt,
    duplicate,
    eagain,
    error,
    first,
    latency,
    limit,
    loss,
    nth,
    periodic,
    probability,
    reorder,
    reset,
    short_read,
    short_write,
    slice,  # noqa: A004
    truncate,
)
from inetpy.network.rules import Rule
from seeds import times
from with_network import NetworkBench

SHARES = st.sampled_from((0.1, 0.5, 0.9, 1))
FAULTS = st.one_of(
    st.builds(latency, st.integers(0, 50), st.integers(0, 50)),
    st.builds(bandwidth, st.integers(10, 1000)),
    st.builds(slice, st.integers(3, 9), st.integers(0, 2), st.integers(0, 5)),
    st.builds(limit, st.integers(0, 200), st.sampled_from(("close", "reset", "blackhole"))),
    st.builds(reset, after_bytes=st.integers(0, 200)),
    st.builds(reset, after_ms=st.integers(1, 200)),
    st.builds(error, st.sampled_from(("send", "recv", "any", "connect")), st.just("etimedout")),
    st.builds(short_read, st.integers(1, 9)),
    st.builds(short_write, st.integers(1, 9)),
    st.builds(eagain, st.integers(1, 3)),
    *(st.builds(word, SHARES) for word in (loss, duplicate, corrupt, reorder)),
    st.builds(truncate, st.integers(0, 9)),
)
WHENS = st.one_of(
    st.none(),
    st.builds(probability, SHARES),
    st.builds(nth, st.integers(1, 4)),
    st.builds(first, st.integers(1, 4)),
    st.builds(periodic, st.integers(10, 100), SHARES),
)
WHOMS = st.fixed_dictionaries(
    {},
    optional={
        "proto": st.sampled_from(("tcp", "udp")),
        "direction": st.sampled_from(("send", "recv", "both")),
        "host": st.sampled_from(("127.0.0.1", "127.*")),
    },
)
RULES = st.lists(st.tuples(FAULTS, WHENS, WHOMS), max_size=4)
# What happens: a word, the number of a socket or a rule, and how much.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("write", "send", "recv", "pass", "datagram", "take", "open", "remove")),
        st.integers(0, 2),
        st.integers(1, 60),
    ),
    min_size=5,
    max_size=40,
)
UNRELATED: list[tuple[Fault, When | None, dict[str, Any]]] = [
    (loss(0.5), probability(0.5), {"port": 1}),
    (latency(10, 5), None, {"host": "nobody.example"}),
    (reset(), nth(1), {"role": "accepted"}),
]
NEVER: list[tuple[Fault, When | None, dict[str, Any]]] = [(latency(10), nth(1_000_000), {"proto": "tcp"})]


class Scene(NetworkBench):
    """Streams and two datagram sockets under rules. `seen` is all that their owner sees."""

    def __init__(self, unrelated: list[tuple[Fault, When | None, dict[str, Any]]]) -> None:
        super().__init__(seed=7)
        self.listening, self.listening_port = self.listener()
        self.streams: list[tuple[int, Any]] = []
        self.seen: list[Any] = []
        for what, when, whom in unrelated:
            self.network.fault(what, when=when, **whom)
        self.datagrams = [self.open(), self.open()]
        self.ports = [self.port(ident) for ident in self.datagrams]

    def play(
        self,
        rules: list[tuple[Fault, When | None, dict[str, Any]]],
        steps: list[tuple[str, int, int]],
    ) -> tuple[list[Any], list[Any]]:
        """What was seen, and what the rules have done."""
        made: list[Rule] = []
        for what, when, whom in rules:
            try:
                made.append(self.network.fault(what, when=when, **whom))
            except ValueError as refusal:
                self.seen.append(str(refusal))
        for word, number, amount in steps:
            if word == "remove":
                for rule in made[number : number + 1]:
                    rule.remove()
            else:
                getattr(self, f"do_{word}")(number, amount)
            self.run()
        self.network.heal()
        self.run()
        self.seen.append([self.recv(ident, 0, 0).answer for ident, _ in self.streams])
        seen, events = self.seen, [(rule.fired, rule.events) for rule in made]
        self.finish()
        return seen, events

    def do_open(self, _number: int, amount: int) -> None:
        call = self.connect(self.listening_port, 100, active=False)
        self.advance(amount)
        self.seen.append(None if call.answer is None else call.answer[0])
        if self.seen[-1] == "ok":
            self.streams.append((call.socket, self.listening.accept()[0]))

    def do_write(self, number: int, amount: int) -> None:
        for _, peer in self.streams[number : number + 1]:
            try:
                peer.send(bytes(range(amount)))
            except OSError as error:
                self.seen.append(error.errno)

    def do_send(self, number: int, amount: int) -> None:
        for ident, peer in self.streams[number : number + 1]:
            self.seen.append(self.send(ident, bytes(range(amount))).answer)
            try:
                self.seen.append(self.read(peer))
            except OSError as error:
                self.seen.append(error.errno)

    def do_recv(self, number: int, _amount: int) -> None:
        for ident, _ in self.streams[number : number + 1]:
            self.seen.append(self.recv(ident, 0, 0).answer)

    def do_pass(self, _number: int, amount: int) -> None:
        self.advance(amount)

    def do_datagram(self, number: int, amount: int) -> None:
        sender = number % 2
        self.seen.append(self.sendto(self.datagrams[sender], self.ports[1 - sender], bytes(amount)).answer)

    def do_take(self, number: int, _amount: int) -> None:
        self.seen.append(self.recv(self.datagrams[number % 2], 0, 0).answer)


@settings(deadline=None, max_examples=times(100))
@given(rules=RULES, steps=STEPS)
def test_the_same_again(rules: Any, steps: Any) -> None:
    steps = [("open", 0, 1), ("open", 0, 1), *steps]
    once = Scene([]).play(rules, steps)
    assert Scene([]).play(rules, steps) == once
    assert Scene(UNRELATED).play(rules, steps) == once
    assert Scene(NEVER).play(rules, steps) == once


def test_a_periodic_rule_has_other_luck_in_each_period() -> None:
    """Its random numbers go on where they were."""
    scene = Scene([])
    rule = scene.network.fault(loss(0.5), when=periodic(100, 0.5), direction="send")
    lost = []
    for _ in range(30):
        before = rule.fired
        scene.do_datagram(0, 1)
        lost.append(rule.fired - before)
        scene.advance(100)
    assert 5 < sum(lost) < 25
    scene.finish()
