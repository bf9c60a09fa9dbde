"""Every error path of a program, once: in memory."""

from __future__ import annotations

from socket import AF_INET, SOCK_STREAM
from typing import Any

import pytest

from in_memory import OWNER
from inetpy.codec.terms import Atom, Charlist
from inetpy.network.each_call import FailedCall
from with_network import NetworkBench

PASSIVE = [Atom("binary"), (Atom("active"), Atom("false"))]


class Program(NetworkBench):
    """A program that looks a name up, connects, sends and receives; its peer echoes.

    log: what its calls answered in the last run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peer, self.peer_port = self.listener()
        self.host.names["echo.example"] = ["127.0.0.1"]
        self.log: list[Any] = []

    def client(self, sends: int = 1, **options: object) -> None:
        """As far as nothing fails. The connection is closed in any case."""
        self.log = []
        connect = self.connect(self.peer_port, **({"active": False} | options))  # type: ignore[arg-type]
        self.log.append(connect.answer)
        if connect.answer[0] == "error":
            return
        peer, _ = self.peer.accept()
        for _ in range(sends):
            self.log.append(self.send(connect.socket, b"hello").answer)
            if self.log[-1] != "ok":
                break
            peer.send(self.read(peer))
            self.log.append(self.recv(connect.socket, 5).answer)
            if self.log[-1][0] != "ok":
                break
        self.close(connect.socket)
        peer.close()
        self.run()


@pytest.fixture
def program() -> Program:
    return Program()


def calls(program: Program, errno: str, run_program: Any, **whom: Any) -> list[Any]:
    """(number, op, nth) of each run that has failed. The last run has not."""
    runs: list[tuple[int, FailedCall | None]] = []
    for run in program.network.each_call(errno, **whom):
        assert run.call is None
        run_program()
        runs.append((run.number, run.call))
    assert [number for number, _ in runs] == list(range(1, len(runs) + 1))
    failed = [(call.op, call.nth) for _, call in runs if call is not None]
    assert len(failed) == len(runs) - 1
    return failed


def test_connect_send_and_recv(program: Program) -> None:
    assert calls(program, "econnreset", program.client) == [("connect", 1), ("send", 1), ("recv", 1)]
    program.client()
    assert program.log[1:] == ["ok", ("ok", b"hello")]
    assert program.network.rules == []


def test_each_run_sees_its_error(program: Program) -> None:
    seen = []
    for run in program.network.each_call("etimedout"):
        program.client()
        seen.append((run.call and run.call.op, program.log[-1]))
    errors = {op: answer for op, answer in seen if op is not None}
    assert errors["connect"] == ("error", "etimedout")
    assert {answer[0] for answer in errors.values()} == {"error"}
    assert seen[-1] == (None, ("ok", b"hello"))


def test_the_label_is_that_of_the_socket(program: Program) -> None:
    for run in program.network.each_call("econnreset"):
        program.client()
        if run.call is not None:
            assert run.call.label == f"127.0.0.1:{program.peer_port}"
            assert run.call.op in repr(run)
    assert "no call" in repr(run)


def test_calls_of_one_op_are_numbered(program: Program) -> None:
    found = calls(program, "econnreset", lambda: program.client(sends=3))
    assert found == [
        ("connect", 1), ("send", 1), ("recv", 1), ("send", 2), ("recv", 2), ("send", 3), ("recv", 3),
    ]  # fmt: skip


def test_options_do_not_count_but_bind_does(program: Program) -> None:
    """A local address is what the program has asked for."""
    options = {"nodelay": True, "keepalive": True, "recbuf": 4096, "sndbuf": 4096}
    assert len(calls(program, "econnreset", lambda: program.client(**options))) == 3
    found = calls(program, "eaddrinuse", lambda: program.client(ifaddr=(127, 0, 0, 1)))
    assert found == [("bind", 1), ("connect", 1), ("send", 1), ("recv", 1)]


def test_a_listener(program: Program) -> None:
    def serve() -> None:
        listen = program.ask("listen", 0, (Atom("inetpy_tcp"), Atom("inet"), OWNER, 0, PASSIVE, []))
        if listen.answer[0] == "error":
            return
        port = program.port(listen.socket)
        peer = program.host.open_socket(AF_INET, SOCK_STREAM)
        with pytest.raises(BlockingIOError):
            peer.connect(("127.0.0.1", port))
        accept = program.accept(listen.socket, 0)
        if accept.answer[0] == "ok":
            peer.send(b"hello")
            program.recv(accept.socket, 5, 0)
            program.close(accept.socket)
        program.close(listen.socket)
        peer.close()
        program.run()

    found = calls(program, "econnaborted", serve)
    assert found == [("bind", 1), ("listen", 1), ("accept", 1), ("recv", 1)]


def test_a_name_is_looked_up(program: Program) -> None:
    """An error of sockets is none of a lookup: there it is nxdomain."""
    answers = []

    def client() -> None:
        call = program.connect_name(b"echo.example", program.peer_port)
        answers.append(call.answer)
        if call.answer[0] == "ok":
            program.close(call.socket)
            program.peer.accept()[0].close()
            program.run()

    assert calls(program, "econnreset", client) == [("resolve", 1), ("connect", 1)]
    assert answers[:2] == [("error", "nxdomain"), ("error", "econnreset")]
    assert calls(program, "emfile", client) == [("resolve", 1), ("connect", 1)]
    assert answers[3:5] == [("error", "emfile"), ("error", "emfile")]


def test_a_lookup_of_several_questions_counts_once(program: Program) -> None:
    """gethostbyname asks for addresses of the family, and for those of the name."""
    program.network.names({"known.example": "10.0.0.1"})
    name = Charlist(b"known.example")
    found = calls(program, "econnreset", lambda: program.inet("gethostbyname", name, "inet"))
    assert found == [("resolve", 1)]


def test_datagrams(program: Program) -> None:
    def client() -> None:
        opened = program.ask("open", 0, (Atom("inetpy_udp"), Atom("inet"), OWNER, 0, PASSIVE))
        if opened.answer[0] == "ok":
            if program.sendto(opened.socket, program.port(opened.socket), b"to itself").answer == "ok":
                program.recv(opened.socket, 0, 0)
            program.close(opened.socket)
            program.run()

    assert calls(program, "enobufs", client) == [("bind", 1), ("send", 1), ("recv", 1)]


def test_whom(program: Program) -> None:
    assert calls(program, "econnreset", program.client, port=1) == []
    assert len(calls(program, "econnreset", program.client, port=program.peer_port)) == 3


def test_no_call(program: Program) -> None:
    assert calls(program, "econnreset", lambda: None) == []


def test_a_loop_that_is_left_removes_its_rule(program: Program) -> None:
    def fail() -> None:
        for _ in program.network.each_call("econnreset"):
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert program.network.rules == []
    for _ in program.network.each_call("econnreset"):
        assert len(program.network.rules) == 1
        break
    assert program.network.rules == []


@pytest.mark.parametrize(("errno", "whom"), [("eoops", {}), ("nxdomain", {}), ("econnreset", {"prot": 1})])
def test_a_wrong_word_is_refused_before_the_first_run(program: Program, errno: str, whom: Any) -> None:
    with pytest.raises(ValueError, match=r"errno|no error|error of resolve|no 'prot'"):
        program.network.each_call(errno, **whom)
