"""What goes over the link to a node, and how many frames it takes."""

from __future__ import annotations

import os
import random
import re
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import TOP
from fake_node import FakeNode, fake_nodes
from in_process import OWNER
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.links import output
from inetpy.links.encoding import FrameLink
from inetpy.links.output import Output
from inetpy.wire import messages
from inetpy.wire.active import PASSIVE
from inetpy.wire.framing import FrameReader
from inetpy.wire.mode import IS_ACTIVE, ONCE as EARLY_ONCE, SENDS

OK, TRUE, FALSE = Atom("ok"), Atom("true"), Atom("false")
Linked = tuple[FrameLink, Callable[[], list[Any]]]
ONCE = [(Atom("active"), Atom("once"))]


# --- modes on frames ---------------------------------------------------------------


class Always:
    """A poller in the middle of a batch: what is emitted waits for a flush."""

    in_batch = True

    def __init__(self) -> None:
        self.after_batch: list[object] = []
        self.before_sleep: list[object] = []

    def soon(self, _callback: object) -> None:
        raise AssertionError("the flush comes by itself")


@pytest.fixture
def link() -> Iterator[Linked]:
    """A link, and a function that flushes it and says what left."""
    source, sink = os.pipe()
    out = Output(sink)
    out.start(Always())  # type: ignore[arg-type]

    def left() -> list[Any]:
        os.set_blocking(source, False)
        out.flush()
        frames = FrameReader()
        try:
            frames.feed(os.read(source, 1 << 16))
        except BlockingIOError:
            return []
        return [decode(bytes(frame)) for frame in iter(frames.next_frame, None)]

    yield FrameLink(out, FrameReader()), left
    os.close(source)
    os.close(sink)


REF = Ref(b"Z\0\1w\3a@b" + bytes(8))
OTHER = Pid(b"Xw\3c@d" + bytes(12))
BODY = b"w\2ok"


def test_mode_goes_with_an_answer(link: Linked) -> None:
    """The next frame that is passed on carries it, and those behind are as ever."""
    to, left = link
    to.mode(7, 0, 1)
    to.answer(REF.raw, BODY)
    to.tell(OWNER.raw, BODY)
    assert left() == [(7, 1, REF, OK), (OWNER, OK)]


def test_mode_goes_with_a_message(link: Linked) -> None:
    to, left = link
    to.mode(300, 1, 0)
    to.tell_all(OWNER.raw, [BODY])
    assert left() == [(300, 0, OWNER, OK)]


def test_mode_with_a_large_tail(link: Linked) -> None:
    """The message is the last element, so that its bytes can come behind."""
    to, left = link
    to.mode(1, 0, 1)
    to.answer(REF.raw, b"m\0\0\3\xe8", bytes(1000))
    assert left() == [(1, 1, REF, bytes(1000))]


def test_mode_that_was_changed_back(link: Linked) -> None:
    """Nobody hears of it."""
    to, left = link
    to.mode(1, 0, 1)
    to.mode(2, 0, 1)
    to.mode(1, 1, 0)
    to.answer(REF.raw, BODY)
    to.answer(REF.raw, BODY)
    assert left() == [(2, 1, REF, OK), (REF, OK)]


def test_mode_in_a_node_with_another_name(link: Linked) -> None:
    """The address is changed as always."""
    to, left = link
    to.outward = {OWNER.raw: OTHER.raw}.__getitem__
    to.mode(1, 0, 1)
    to.tell(OWNER.raw, BODY)
    assert left() == [(1, 1, OTHER, OK)]


def test_mode_without_a_frame(link: Linked) -> None:
    """It goes by itself when all is written; of a socket that is gone it does not go."""
    to, left = link
    to.mode(1, 0, 1)
    to.mode(2, 0, 1)
    to.closed(2)
    assert left() == [(Atom("closed"), 2), (Atom("mode"), 1, 1)]
    assert left() == []


def test_several_modes(link: Linked) -> None:
    """Each frame carries one of them."""
    to, left = link
    for ident in (1, 2, 3):
        to.mode(ident, 0, 1)
    to.answer(REF.raw, BODY)
    to.tell(OWNER.raw, BODY)
    said = left()
    assert [len(term) for term in said] == [4, 4, 3]
    told = {term[0] if len(term) == 4 else term[1]: term[1 if len(term) == 4 else 2] for term in said}
    assert told == {1: 1, 2: 1, 3: 1}


def test_mode_of_a_chatty_socket(link: Linked) -> None:
    """It becomes active without an answer, and passive with each message: nobody hears of either."""
    to, left = link
    to.mode(1, 0, EARLY_ONCE)
    assert left() == [(Atom("mode"), 1, EARLY_ONCE)]
    to.mode(1, EARLY_ONCE, EARLY_ONCE | IS_ACTIVE)
    assert left() == []
    to.mode(1, EARLY_ONCE | IS_ACTIVE, EARLY_ONCE)
    to.tell(OWNER.raw, BODY)
    assert left() == [(OWNER, OK)]


def test_mode_of_a_chatty_socket_at_rest(link: Linked) -> None:
    """When there is nothing else to do the node hears of it."""
    to, left = link
    to.mode(1, 0, EARLY_ONCE | IS_ACTIVE)
    to.mode(1, EARLY_ONCE | IS_ACTIVE, EARLY_ONCE)
    assert left() == [(Atom("mode"), 1, EARLY_ONCE)]
    to.mode(1, EARLY_ONCE, EARLY_ONCE | IS_ACTIVE)
    to._output.on_idle()
    assert left() == [(Atom("mode"), 1, EARLY_ONCE | IS_ACTIVE)]


def test_callers_must_wait_again(link: Linked) -> None:
    """That is said before anything else that they could hear."""
    to, left = link
    to.mode(1, 0, SENDS)
    to.answer(REF.raw, BODY)
    to.mode(1, SENDS, 0)
    to.tell(OWNER.raw, BODY)
    assert left() == [(1, SENDS, REF, OK), (Atom("mode"), 1, 0), (OWNER, OK)]


NAME = encode(Atom("name"))[1:]


def test_a_socket_that_opens_with_a_mode(link: Linked) -> None:
    """One frame tells both, and is the answer, too."""
    to, left = link
    to.opened(7, NAME, "stream", OWNER.raw)
    to.mode(7, 0, 8)
    to.answer(REF.raw, messages.build_ok(NAME))
    assert left() == [(Atom("open"), REF, 7, Atom("name"), Atom("stream"), OWNER, 8)]


def test_the_mode_of_a_socket_that_is_told_again(link: Linked) -> None:
    """It is listed now. Its mode is that of before, which another frame changes."""
    to, left = link
    listed = (Atom("open"), 7, Atom("name"), Atom("plain"), OWNER, 0)
    to.opened(7, NAME, "plain", OWNER.raw)
    to.mode(7, SENDS, 0)
    assert left() == [listed, (Atom("mode"), 7, 0)]
    to.mode(7, 0, SENDS)
    to.opened(7, NAME, "plain", OWNER.raw)
    to.mode(7, SENDS, 0)
    assert left() == [listed]


def test_mode_with_a_destination(link: Linked) -> None:
    to, left = link
    to.mode(1, 0, IS_ACTIVE)
    to.mode_to(1, IS_ACTIVE | SENDS, BODY)
    assert left() == [(Atom("mode"), 1, IS_ACTIVE | SENDS, OK)]


# --- frames of a cycle -------------------------------------------------------------


@pytest.fixture
def node() -> Iterator[FakeNode]:
    with fake_nodes() as new:
        yield new()


def arrives(peer: socket.socket, node: FakeNode, ident: int, data: bytes) -> None:
    """Sends, and waits until the bytes are there to be read."""
    sock = node.handle(ident).sock
    peer.sendall(data)
    sock.setblocking(True)
    assert sock.recv(1, socket.MSG_PEEK)
    sock.setblocking(False)


def modes(terms: list[Any]) -> list[tuple[int, int]]:
    """What the node knows of modes from some frames."""
    return [term[:2] if len(term) == 4 else term[1:] for term in terms if _tells_mode(term)]


def _tells_mode(term: Any) -> bool:
    return isinstance(term, tuple) and (type(term[0]) is int or term[0] == Atom("mode"))


def test_cycle_with_data_that_is_there(node: FakeNode) -> None:
    """setopts {active, once} costs the message and the answer; the node hears of no mode."""
    ident, peer = node.connect()
    with peer:
        for _ in range(3):
            arrives(peer, node, ident, b"x" * 64)
            node.read()
            ref = node.request("setopts", ident, ONCE)
            message, answer = node.read()
            assert message[:1] == (OWNER,)
            assert message[1][2] == b"x" * 64
            assert answer == (ref, OK)


def test_cycle_with_data_that_comes_later(node: FakeNode) -> None:
    """The answer tells that the socket is active, and the message that it is not any more."""
    ident, peer = node.connect()
    with peer:
        for _ in range(3):
            ref = node.request("setopts", ident, ONCE)
            assert node.read() == [(ident, IS_ACTIVE, ref, OK)]
            arrives(peer, node, ident, b"x" * 64)
            (message,) = node.read()
            assert message[:3] == (ident, 0, OWNER)
            assert message[3][2] == b"x" * 64


def test_cycle_of_large_packets(node: FakeNode) -> None:
    """The same for bytes that are written behind the beginning of their frame."""
    ident, peer = node.connect((Atom("packet"), 4), (Atom("recbuf"), 1 << 20))
    with peer:
        data = bytes(range(256)) * 128
        ref = node.request("setopts", ident, ONCE)
        assert node.read() == [(ident, IS_ACTIVE, ref, OK)]
        peer.sendall(len(data).to_bytes(4, "big") + data)
        message = node.hear(lambda term: len(term) == 4)
        assert message[:3] == (ident, 0, OWNER)
        assert message[3][2] == data


def test_count_of_messages(node: FakeNode) -> None:
    """With {active, N} the node hears of the mode twice: at the beginning and at the end."""
    ident, peer = node.connect((Atom("packet"), Atom("line")))
    with peer:
        assert node.ask("setopts", ident, [(Atom("active"), 3)]) == OK
        before = len(node.heard)
        peer.sendall(b"a\nb\nc\n")
        node.hear(lambda term: isinstance(term[-1], tuple) and term[-1][0] == Atom("tcp_passive"))
        said = node.heard[before:]
        assert [term[-1][0].name for term in said] == ["tcp", "tcp", "tcp", "tcp_passive"]
        assert modes(said) == [(ident, 0)]


def test_datagrams_once(node: FakeNode) -> None:
    """A datagram for {active, once} costs two frames too."""
    udp = (Atom("inetpy_udp"), Atom("inet"), OWNER, 0, [Atom("binary"), (Atom("active"), FALSE)])
    assert node.ask("open", 0, udp)[0] == OK
    ident = max(node.session.sockets)
    port = node.ask("sockname", ident, [])[1][1]
    ref = node.request("setopts", ident, ONCE)
    assert node.read() == [(ident, IS_ACTIVE, ref, OK)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.sendto(b"hi", ("127.0.0.1", port))
        message = node.hear(lambda term: len(term) == 4)
    assert message[:3] == (ident, 0, OWNER)


# --- the window --------------------------------------------------------------------


def erlang_macro(name: str) -> int:
    """The number that a macro of the Erlang half stands for, in whatever module."""
    for path in (TOP / "erl" / "src").glob("*.erl"):
        found = re.search(rf"^-define\({name}, (.*)\)\.", path.read_text(), re.MULTILINE)
        if found:
            return int(eval(found[1].replace("bsl", "<<")))
    raise AssertionError(f"no macro {name}")


def test_both_sides_count_frames_alike() -> None:
    """A large frame counts for as many on both sides, and acknowledgements come well within the window."""
    assert erlang_macro("BYTES_PER_UNIT") == output.UNIT
    assert 2 * erlang_macro("ACKNOWLEDGE_EVERY") <= output.WINDOW


def test_window(node: FakeNode) -> None:
    """A node that passes nothing on gets no more messages of a socket; with acknowledgements it does."""
    ident, peer = node.connect()
    node.say((Atom("ack"), len(node.heard) - 1))
    with peer:
        for _ in range(output.WINDOW + 1):
            assert node.ask("family", ident, [])
        node.ask("setopts", ident, [(Atom("active"), TRUE)])
        assert node.session.congested
        peer.sendall(b"x")
        assert node.read() == []
        node.say((Atom("ack"), output.WINDOW))
        node.hear(lambda term: term[0] == OWNER)
        assert not node.session.congested


@pytest.mark.parametrize("seed", range(20))
def test_the_node_knows_all_modes(node: FakeNode, seed: int) -> None:
    """After whatever requests and data, and however they come together."""
    dice = random.Random(seed)
    sockets = dict(node.connect() for _ in range(3))
    settings = [TRUE, FALSE, Atom("once"), 1, 2, -1]
    for _ in range(60):
        ident = dice.choice(list(sockets))
        if dice.random() < 0.6:
            node.request("setopts", ident, [(Atom("active"), dice.choice(settings))])
        else:
            sockets[ident].sendall(b"x")
        if dice.random() < 0.5:
            node.turn()
    node.read()
    node.turn()
    known = dict(modes(node.heard))
    for ident, peer in sockets.items():
        handle = node.handle(ident)
        assert known.get(ident, 0) == handle.early | (handle.active != PASSIVE)
        peer.close()
