"""What goes between the node and a network in play: rules, contexts, lineages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fake_node import FakeNode, fake_nodes
from in_process import OWNER, REF, Bench, sessions
from inetpy.codec.etf import encode, encode_body
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.session.interference import Context
from inetpy.wire.identity import identity_of, translate
from recorder import NetworkRecorder

TCP, INET, OK = Atom("inetpy_tcp"), Atom("inet"), Atom("ok")
TESTS = (Atom("application"), Atom("tests"))
OTHER = Pid(b"Xw\x0dnonode@nohost\0\0\0\2" + bytes(8))


@pytest.fixture
def bench() -> Iterator[Bench]:
    with sessions() as bench:
        yield bench


@pytest.fixture
def node() -> Iterator[Callable[..., FakeNode]]:
    with fake_nodes() as new:
        yield new


class Watched:
    """The contexts of a session at each socket that it opens."""

    def __init__(self, bench: Bench) -> None:
        self.contexts: list[Context | None] = []
        add = bench.session.add

        def watched(socket: Any) -> None:
            self.contexts.append(bench.session.context)
            add(socket)

        bench.session.add = watched  # type: ignore[method-assign]


def listen(bench: Bench, context: object = None) -> Any:
    plain: Any = (TCP, INET, OWNER, 0, [], [])
    return bench.ask("listen", 0, plain if context is None else (Atom("context"), context, plain))


def test_rules_go_to_the_network(bench: Bench) -> None:
    bench.session.network = network = NetworkRecorder(bench.host)
    rule: Any = (7, {Atom("port"): 80}, (Atom("down"), {}), {})
    assert bench.ask("fault", 0, (Atom("add"), rule)) == OK
    assert bench.ask("fault", 0, (Atom("reset"), [])) == OK
    assert network.requests == [("add", rule), ("reset", [])]
    assert bench.ask("fault", 0, (Atom("fly"), [])) == (
        Atom("error"),
        (Atom("inetpy"), Atom("bad_request"), b"fault"),
    )


def test_the_context_is_there_while_its_request_is_carried_out(bench: Bench) -> None:
    watched = Watched(bench)
    for context, expected in (
        ((b"db.test", [OWNER, Atom("db"), TESTS]), Context("db.test", (OWNER, Atom("db"), TESTS))),
        ((Atom("undefined"), []), Context(None, ())),
        (None, None),
    ):
        assert listen(bench, context)[0] == OK
        assert watched.contexts.pop() == expected
        assert bench.session.context is None


def test_the_context_of_a_socket(bench: Bench) -> None:
    """accept and take_over have one, too."""
    ident = bench.client
    mode, count = 0, 0
    transfer = bench.ask("controlling_process", ident, (OWNER, OTHER))
    assert transfer[0] == Atom("transfer")  # type: ignore[index]
    context: Any = (Atom("context"), (Atom("undefined"), [OTHER]), (OTHER, mode, count))
    assert bench.ask("take_over", ident, context) == OK
    assert bench.session.sockets[ident].owner == OTHER


@pytest.mark.parametrize(
    "args",
    [
        (Atom("context"), (b"a", []), (Atom("context"), (b"a", []), (TCP, INET, OWNER, 0, [], []))),
        (Atom("context"), (b"a", []), (TCP, INET)),
        (Atom("context"), b"a", (TCP, INET, OWNER, 0, [], [])),
        (Atom("context"), (b"a", Atom("none")), (TCP, INET, OWNER, 0, [], [])),
        (Atom("context"), (b"a", [{}]), (TCP, INET, OWNER, 0, [], [])),
    ],
    ids=["in another", "around bad arguments", "without a lineage", "an atom for a lineage", "a map in it"],
)
def test_bad_contexts_are_refused(bench: Bench, args: object) -> None:
    assert bench.ask("listen", 0, args) == (
        Atom("error"),
        (Atom("inetpy"), Atom("bad_request"), b"listen"),
    )
    assert bench.session.context is None


def test_a_plain_request_costs_no_call_more(bench: Bench) -> None:
    """A context is looked for only where the arguments do not have the plain shape."""
    names: list[str] = []

    def on_event(frame: Any, event: str, _argument: object) -> None:
        names.extend([frame.f_code.co_name] if event == "call" else [])

    sys.setprofile(on_event)
    try:
        listen(bench)
    finally:
        sys.setprofile(None)
    assert "request" in names
    assert not {"parse_context", "_not_plain"} & set(names)


def test_frames_of_a_network(node: Callable[..., FakeNode]) -> None:
    """As `wire.messages` lists them; and the answer to `lineage`."""
    erlang = node()
    link, network = erlang.connection.link, NetworkRecorder(erlang.connection.host)
    erlang.session.network = network
    rule: Any = ({Atom("port"): 80}, (Atom("latency"), {Atom("ms"): 5}), {})
    link.in_play(True)
    link.names({"db.test": ["10.0.0.7", "fd00::1"], "nobody.test": []})
    link.lineage(3, [OWNER.raw, OTHER.raw])
    link.keys(OWNER.raw)
    link.stray(4, [OWNER.raw])
    link.keep(-1, encode_body(rule))
    link.forget(-1)
    link.in_play(False)
    erlang.hear(lambda term: term == (Atom("context"), Atom("false")))
    names = [(b"db.test", [(10, 0, 0, 7), (0xFD00, 0, 0, 0, 0, 0, 0, 1)]), (b"nobody.test", [])]
    assert erlang.heard[-8:] == [
        (Atom("context"), Atom("true")),
        (Atom("names"), names),
        (Atom("lineage"), 3, [OWNER, OTHER]),
        (Atom("keys"), OWNER),
        (Atom("stray"), 4, [OWNER]),
        (Atom("keep"), -1, rule),
        (Atom("forget"), -1),
        (Atom("context"), Atom("false")),
    ]
    erlang.say((Atom("lineage"), 3, [(OWNER, [OWNER, Atom("me")]), (OTHER, [])]))
    erlang.run(lambda: bool(network.lineages))
    assert network.lineages == {3: [(OWNER, (OWNER, Atom("me"))), (OTHER, ())]}


def test_an_answer_without_a_question(node: Callable[..., FakeNode]) -> None:
    """Nothing is in play: it is dropped."""
    erlang = node()
    erlang.say((Atom("lineage"), 3, [(OWNER, [OWNER])]))
    assert erlang.ask("listen", 0, (TCP, INET, OWNER, 0, [], []))[0] == OK


@pytest.mark.parametrize(
    "answers", [[OWNER], [(OWNER, Atom("me"))], [(OWNER, [{}])], [(1, [OWNER])], [(OWNER,)]]
)
def test_bad_lineages_are_dropped(bench: Bench, answers: object) -> None:
    bench.session.network = network = NetworkRecorder(bench.host)
    bench.dispatcher.handle_frame(encode((Atom("lineage"), 1, answers)))
    assert network.lineages == {}


@pytest.mark.parametrize(
    ("verb", "argument"),
    [("add", (1, {}, Atom("down"))), ("add", (b"key", {}, Atom("down"), {})), ("remove", {}), ("events", b""),
     ("fired", [1]), ("fired", Atom("none")), ("reset", 1), ("rules", (1,)), ("fly", [])],
)  # fmt: skip
def test_other_arguments_of_a_verb_are_refused(bench: Bench, verb: str, argument: object) -> None:
    bench.session.network = network = NetworkRecorder(bench.host)
    assert bench.ask("fault", 0, (Atom(verb), argument)) == (
        Atom("error"),
        (Atom("inetpy"), Atom("bad_request"), b"fault"),
    )
    assert network.requests == []


def test_a_node_with_another_name(bench: Bench) -> None:
    """Processes in rules, contexts and lineages are known by the name of the session's beginning."""
    session, watched = bench.session, Watched(bench)
    session.network = network = NetworkRecorder(bench.host)
    home = session.home
    named = identity_of(b"Xw\x03a@b" + bytes(8) + b"\0\0\0\1")
    session.rename(named)

    def renamed(raw: bytes) -> bytes:
        return translate(raw, home, named)

    owner = Pid(renamed(OWNER.raw))
    bench.dispatcher.handle((Atom("lineage"), 1, [(owner, [owner])]))
    assert network.lineages == {1: [(OWNER, (OWNER,))]}
    ref = Ref(renamed(REF.raw))
    bench.link.answers.clear()
    rule: Any = (1, {Atom("owner"): owner}, (Atom("down"), {}), {})
    bench.dispatcher.handle_frame(encode((Atom("fault"), 0, ref, (Atom("add"), rule))))
    assert network.requests[0][1][1] == {Atom("owner"): OWNER}
    context: Any = (Atom("context"), (b"a", [owner]), (TCP, INET, owner, 0, [], []))
    bench.link.answers.clear()
    bench.dispatcher.handle_frame(encode((Atom("listen"), 0, ref, context)))
    assert watched.contexts == [Context("a", (OWNER,))]


def test_the_peer_of_a_datagram_socket(bench: Bench) -> None:
    """gen_udp:connect has the name that was asked for."""
    bench.ask("open", 0, (Atom("inetpy_udp"), INET, OWNER, 0, []))
    ident = max(bench.session.sockets)
    peer = ((127, 0, 0, 1), 9)
    assert bench.ask("connect", ident, (Atom("context"), (b"sink.test", [OWNER]), peer)) == OK
    assert bench.ask("peername", ident, []) == (OK, peer)


def test_the_greeting_says_that_a_network_is_in_play(node: Callable[..., FakeNode]) -> None:
    """Before the first socket is opened."""
    erlang = node()
    erlang.connection.link.hello(in_play=True)
    hello = erlang.hear(lambda term: term[0] == Atom("hello"))
    assert (Atom("context"), Atom("true")) in hello[2]
    assert (Atom("context"), Atom("true")) not in erlang.heard[0][2]
