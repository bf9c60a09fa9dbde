"""Sockets of inetpy_socket in the network's hands, in memory: what is known of them, and what a trace has.

What a rule does to them is compared with the real event in tests/network.
"""

from __future__ import annotations

import itertools
import struct
from socket import AF_INET, SO_LINGER, SOCK_STREAM, SOL_SOCKET
from typing import Any

import pytest

from in_memory import LOCALHOST, OWNER, pid
from inetpy.codec.terms import Atom, Pid
from inetpy.host.api import LINGER_NOW
from inetpy.network import error, latency, nth, refuse, short_read
from inetpy.network.controlled import Controlled
from inetpy.network.diverted import DivertedStream
from inetpy.network.listeners import ControlledListener
from inetpy.network.streams import ControlledStream
from inetpy.sockets.plain import Plain
from inetpy.trace.events import Chunk, Turn
from with_network import NetworkBench

DB = ("198.18.0.1", 5432)
_handles = itertools.count(1 << 64)


def address(port: int, ip: Any = LOCALHOST) -> Any:
    if isinstance(ip, str):
        ip = tuple(map(int, ip.split(".")))
    return {Atom("family"): Atom("inet"), Atom("addr"): ip, Atom("port"): port}


def without_name(answer: Any) -> Any:
    """What is left of `{ok, Socket}`, and of other answers."""
    return "ok" if type(answer) is tuple and answer[0] == "ok" else answer


class Scene(NetworkBench):
    """A bench that makes the requests of inetpy_prim_socket."""

    def plain(self, ident: int) -> Plain:
        found = self.session.sockets[ident]
        assert isinstance(found, Plain)
        return found

    def sock(self, ident: int) -> Any:
        return self.plain(ident).sock

    def new(
        self, kind: str = "stream", domain: str = "inet", protocol: Any = None, owner: Pid = OWNER
    ) -> Any:
        """The answer of socket:open."""
        given = Atom("default") if protocol is None else protocol
        arguments: Any = (self.next_ref(), owner, Atom(domain), Atom(kind), given, {})
        return without_name(self.ask("socket_open", 0, arguments).answer)

    def taken(self, listener: int) -> Any:
        """The answer of socket:accept."""
        arguments: Any = (OWNER, self.next_ref(), self.next_ref())
        return without_name(self.ask("socket_accept", listener, arguments).answer)

    def opened(self, kind: str = "stream", owner: Pid = OWNER) -> int:
        assert self.new(kind, owner=owner) == "ok"
        assert self.session.newest is not None
        return self.session.newest.ident

    def knock(self, ident: int, port: int, ip: Any = LOCALHOST, asked: bytes | None = None) -> Any:
        """The answer of socket:connect/2, which waits."""
        args: Any = (OWNER, self.next_ref(), address(port, ip))
        if asked is not None:
            args = (Atom("context"), (asked, [OWNER]), args)
        answer = self.ask("socket_connect", ident, args).answer
        return self.ask("socket_connected", ident, OWNER).answer if answer == "select" else answer

    def bound(self, ident: int) -> Any:
        return self.ask("socket_bind", ident, address(0)).answer

    def listening(self) -> tuple[int, int]:
        ident = self.opened()
        assert self.bound(ident) == "ok"
        assert self.ask("socket_listen", ident, 5).answer == "ok"
        return ident, self.sock(ident).getsockname()[1]

    def receive(self, ident: int, op: str = "socket_recv") -> Any:
        sizes = (0, 0) if op == "socket_recvmsg" else (0,)
        taken = (0,) if op == "socket_recv" else ()
        return self.ask(op, ident, (OWNER, self.next_ref(), *sizes, [], *taken)).answer

    def put(self, ident: int, data: bytes) -> Any:
        return self.ask("socket_send", ident, (OWNER, self.next_ref(), [], Atom("true"), data)).answer

    def connected(self) -> tuple[int, Any]:
        """A connection of the session, and its other end."""
        listener, port = self.listener()
        ident = self.opened()
        assert self.knock(ident, port) == "ok"
        peer, _ = listener.accept()
        listener.close()
        return ident, peer

    def facts(self, ident: int) -> Any:
        return self.engine.facts_of(self.plain(ident))


@pytest.fixture
def scene() -> Scene:
    return Scene()


# --- roles ---


def test_the_role_is_known_when_the_socket_connects(scene: Scene) -> None:
    """Before that no rule for clients concerns it."""
    rule = scene.fault(latency(10), role="client")
    listener, port = scene.listener()
    ident = scene.opened()
    assert scene.facts(ident).role == "fresh"
    assert not isinstance(scene.sock(ident), Controlled)
    assert scene.knock(ident, port) == "ok"
    assert scene.facts(ident).role == "client"
    assert scene.facts(ident).label == f"127.0.0.1:{port}"
    assert isinstance(scene.sock(ident), ControlledStream)
    rule.remove()
    scene.run()
    assert not isinstance(scene.sock(ident), Controlled)
    listener.close()


@pytest.mark.parametrize("words", [latency(10), error("any", "eio")])
def test_an_address_as_the_system_has_it(scene: Scene, words: Any) -> None:
    """The rules for clients concern the connection, although the network does not know its peer."""
    scene.fault(words, role="client", when=nth(2**40))
    listener, port = scene.listener()
    ident = scene.opened()
    native = {Atom("family"): int(AF_INET), Atom("addr"): struct.pack("!H4B8x", port, *LOCALHOST)}
    asked = scene.ask("socket_connect", ident, (OWNER, scene.next_ref(), native)).answer
    assert asked == "select"
    scene.run()
    assert scene.ask("socket_connected", ident, OWNER).answer == "ok"
    assert scene.facts(ident).role == "client"
    assert isinstance(scene.sock(ident), ControlledStream)
    peer, _ = listener.accept()
    assert scene.put(ident, b"abc") == "ok"
    scene.run()
    assert peer.recv(3) == b"abc"
    listener.close()


def test_the_role_is_known_when_the_socket_listens(scene: Scene) -> None:
    scene.fault(refuse(), role="listener")
    ident, port = scene.listening()
    assert isinstance(scene.sock(ident), ControlledListener)
    assert (scene.facts(ident).role, scene.facts(ident).label) == ("listener", f":{port}")


def test_an_accepted_socket(scene: Scene) -> None:
    scene.fault(latency(10), role="accepted")
    listener, port = scene.listening()
    client = scene.host.open_socket(AF_INET, SOCK_STREAM)
    with pytest.raises(BlockingIOError):
        client.connect(("127.0.0.1", port))
    scene.run()
    assert scene.taken(listener) == "ok"
    assert scene.session.newest is not None
    ident = scene.session.newest.ident
    assert (scene.facts(ident).role, scene.facts(ident).local_port) == ("accepted", port)
    assert isinstance(scene.sock(ident), ControlledStream)
    client.close()


def test_a_rule_for_a_socket_that_is_open(scene: Scene) -> None:
    """Also for one that was opened when nothing was in play."""
    ident, peer = scene.connected()
    assert not isinstance(scene.sock(ident), Controlled)
    rule = scene.fault(latency(50), port=peer.getsockname()[1])
    peer.send(b"late")
    assert scene.receive(ident) == "select"
    assert not scene.link.messages
    scene.advance(50)
    assert scene.receive(ident) == ("ok", b"late")
    rule.remove()
    scene.run()
    assert not isinstance(scene.sock(ident), Controlled)
    peer.close()


def test_an_error_of_bind_before_there_is_a_role(scene: Scene) -> None:
    """What a rule asks for must be known at the call."""
    scene.fault(error("bind", "eacces"), role="listener")
    assert scene.bound(scene.opened()) == "ok"
    scene.fault(error("bind", "eaddrinuse"), owner=OWNER)
    assert scene.bound(scene.opened()) == ("error", "eaddrinuse")
    assert scene.bound(scene.opened("dgram")) == ("error", "eaddrinuse")


def test_an_error_of_setopt(scene: Scene) -> None:
    """Options of the system only: those of the level otp are the socket's own."""
    scene.fault(error("setopt", "einval"))
    ident = scene.opened()
    options = [(Atom("socket"), Atom("keepalive")), (Atom("otp"), Atom("debug"))]
    answers = [scene.ask("socket_setopt", ident, (OWNER, option, Atom("true"))).answer for option in options]
    assert answers == [("error", "einval"), "ok"]


def test_another_owner(scene: Scene) -> None:
    rule = scene.fault(short_read(1), owner=pid(7))
    ident, peer = scene.connected()
    peer.send(b"ab")
    assert scene.receive(ident) == ("ok", b"ab")
    new_owner = (Atom("otp"), Atom("controlling_process"))
    assert scene.ask("socket_setopt", ident, (OWNER, new_owner, pid(7))).answer == "ok"
    peer.send(b"ab")
    assert scene.receive(ident) == ("ok", b"a")
    assert rule.fired == 1
    peer.close()


def test_the_host_is_the_one_that_was_asked_for(scene: Scene) -> None:
    """Else the name that the network has for the address."""
    scene.network.names({"web.example": "127.0.0.1"})
    listener, port = scene.listener()
    first, second = scene.opened(), scene.opened()
    assert scene.knock(first, port, asked=b"www.example") == "ok"
    assert scene.knock(second, port) == "ok"
    assert (scene.facts(first).host, scene.facts(second).host) == ("www.example", "web.example")
    listener.close()


def test_a_socket_that_was_refused_tries_again(scene: Scene) -> None:
    """As on Linux the second connect hears that the first has failed. The third is a new one."""
    scene.fault(refuse(), host="127.0.0.1")
    listener, port = scene.listener()
    other, _ = scene.listener(ip="127.0.0.2")
    ident = scene.opened()
    assert scene.knock(ident, port) == ("error", "econnrefused")
    assert scene.knock(ident, other.getsockname()[1], "127.0.0.2") == ("error", "econnaborted")
    assert scene.knock(ident, other.getsockname()[1], "127.0.0.2") == "ok"
    assert scene.facts(ident).host == "127.0.0.2"
    listener.close()
    other.close()


# --- servers in memory ---


def serve(scene: Scene) -> Any:
    """A listener in memory, as a server of the network has it."""
    listener = scene.engine.memory.socket(AF_INET, SOCK_STREAM)
    listener.bind(DB)
    listener.listen(5)
    scene.engine.places.own_names["db.example"] = [DB[0]]
    scene.engine.places.served.add((SOCK_STREAM, *DB))
    return listener


def test_a_server_in_memory(scene: Scene) -> None:
    """The socket keeps the options that it had, and with linger {true, 0} its close is a reset."""
    listener = serve(scene)
    ident = scene.opened()
    linger = {Atom("onoff"): Atom("true"), Atom("linger"): 0}
    assert scene.ask("socket_setopt", ident, (OWNER, (Atom("socket"), Atom("linger")), linger)).answer == "ok"
    assert scene.knock(ident, DB[1], DB[0]) == "ok"
    sock = scene.sock(ident)
    assert isinstance(sock, DivertedStream)
    assert scene.facts(ident).label == "db.example:5432"
    assert sock.options[SOL_SOCKET, SO_LINGER] == LINGER_NOW
    keepalive = (Atom("socket"), Atom("keepalive"))
    assert scene.ask("socket_setopt", ident, (OWNER, keepalive, Atom("true"))).answer == "ok"
    assert scene.ask("socket_getopt", ident, keepalive).answer == ("ok", "true")
    peer, _ = listener.accept()
    assert scene.ask("socket_close", ident, []).answer == "ok"
    assert sock.sock.closed
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


def test_where_no_server_is(scene: Scene) -> None:
    serve(scene)
    ident = scene.opened()
    assert scene.knock(ident, 1, DB[0]) == ("error", "econnrefused")
    assert scene.knock(ident, DB[1], DB[0]) == ("error", "econnaborted")
    assert scene.knock(ident, DB[1], DB[0]) == "ok"


# --- strict networks ---


def test_a_strict_network(scene: Scene) -> None:
    """It has its own servers and the sockets of the node. Raw sockets would leave it."""
    listener, port = scene.listener()
    scene.network.strict()
    _, own_port = scene.listening()
    assert scene.knock(scene.opened(), port) == ("error", "econnrefused")
    assert scene.knock(scene.opened(), own_port) == "ok"
    datagram = scene.opened("dgram")
    sent: Any = (OWNER, scene.next_ref(), address(port), [], b"x")
    assert scene.ask("socket_sendto", datagram, sent).answer == ("error", "econnrefused")
    assert len(scene.network.failures) == 2
    assert f"connects to 127.0.0.1:{port}" in scene.network.failures[0]
    assert f"sends to 127.0.0.1:{port}" in scene.network.failures[1]
    listener.close()


def test_no_network_controls_other_kinds(scene: Scene) -> None:
    """A socket of packets of the unix domain is as it was, with rules and without."""
    scene.fault(error("any", "eio"))
    assert scene.new("seqpacket", "local") == "ok"
    assert scene.session.newest is not None
    ident = scene.session.newest.ident
    assert not isinstance(scene.sock(ident), Controlled)
    path = {Atom("family"): Atom("local"), Atom("path"): b"\0plain"}
    assert scene.ask("socket_bind", ident, path).answer == "ok"


# --- traces ---


def traced(**how: Any) -> Scene:
    scene = Scene()
    scene.network.trace.start(**how)
    return scene


def test_calls_have_the_names_of_socket() -> None:
    scene = traced()
    ident, peer = scene.connected()
    scene.receive(ident)
    scene.put(ident, b"hello")
    peer.send(b"hi")
    scene.run()
    scene.receive(ident, "socket_recvmsg")
    scene.ask("socket_sockname", ident, [])
    scene.ask("socket_shutdown", ident, Atom("write"))
    scene.ask("socket_close", ident, [])
    calls = scene.network.trace.calls()
    assert [call.op for call in calls] == [
        "open", "connect", "connect", "recv", "send", "recvmsg", "sockname", "shutdown", "close",
    ]  # fmt: skip
    by_op = {call.op: call for call in calls}
    assert (calls[1].answer, by_op["recv"].answer, by_op["send"].answer) == ("select", "select", "ok")
    assert by_op["open"].args == {"domain": "inet", "type": "stream", "protocol": "default", "options": {}}
    assert by_op["send"].args == {"flags": [], "data": b"hello"}
    assert by_op["send"].peer == peer.getsockname()
    peer.close()


def test_bytes_and_turns_of_a_plain_socket() -> None:
    scene = traced()
    ident, peer = scene.connected()
    scene.put(ident, b"hello")
    assert peer.recv(10) == b"hello"
    peer.send(b"hi")
    scene.run()
    scene.receive(ident, "socket_recvmsg")
    peer.close()
    scene.receive(ident)
    scene.ask("socket_close", ident, [])
    events = scene.network.trace.events()
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [(chunk.direction, chunk.data, chunk.call) for chunk in chunks] == [
        ("send", b"hello", "send"), ("recv", b"hi", "recvmsg"),
    ]  # fmt: skip
    turns = [event for event in events if isinstance(event, Turn)]
    assert [turn.what for turn in turns] == ["opened", "connecting", "connected", "eof", "closed"]


def test_a_fault_of_a_plain_socket_is_at_its_call() -> None:
    scene = traced()
    ident, peer = scene.connected()
    scene.fault(error("recv", "econnreset"))
    peer.send(b"hi")
    scene.run()
    assert scene.receive(ident, "socket_recvfrom") == ("error", "econnreset")
    assert scene.network.trace.calls("recvfrom")[0].faults == ["error(call=recv, errno=econnreset)"]
    peer.close()


def test_a_listener_and_what_it_accepts() -> None:
    """A trace knows what leaks: also sockets that no network controls."""
    scene = traced()
    listener, port = scene.listening()
    client = scene.host.open_socket(AF_INET, SOCK_STREAM)
    with pytest.raises(BlockingIOError):
        client.connect(("127.0.0.1", port))
    scene.run()
    assert scene.taken(listener) == "ok"
    assert scene.new("seqpacket", "local") == "ok"
    leaks = [(leak.kind, leak.opened_by and leak.opened_by.op) for leak in scene.network.trace.leaks()]
    assert leaks == [("listener", "open"), ("stream", "accept"), ("other", "open")]
    client.close()


def test_secrets_of_plain_sockets() -> None:
    scene = traced(redact=["authorization"])
    ident, peer = scene.connected()
    secret = b"Authorization: hunter2\r\n"
    scene.put(ident, secret)
    message: Any = (OWNER, scene.next_ref(), {}, [], [secret])
    assert scene.ask("socket_sendmsg", ident, message).answer == "ok"
    peer.send(secret)
    scene.run()
    scene.receive(ident, "socket_recvmsg")
    text = repr([(call.args, call.answer) for call in scene.network.trace.calls()])
    text += repr([event.data for event in scene.network.trace.events() if isinstance(event, Chunk)])
    assert "hunter2" not in text
    assert "******" in text
    peer.close()


def test_without_a_trace_nothing_is_in_the_way() -> None:
    scene = Scene()
    answers = scene.session.answer, scene.session.select
    scene.network.trace.start()
    assert scene.session.select is not answers[1]
    scene.network.trace.stop()
    assert (scene.session.answer, scene.session.select) == (scene.link.answer, scene.link.select)
    ident, peer = scene.connected()
    assert type(scene.sock(ident)).__name__ == "MemoryStream"
    peer.close()
