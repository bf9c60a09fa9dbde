"""`inetpy.testing` without a node: what it costs, what it hands over, which process evaluates."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from inetpy import testing
from inetpy.codec import Atom, BitString, Charlist, charlist, decode, encode
from inetpy.codec.etf import EtfError
from inetpy.testing import ErlangError, ErlangTimeoutError
from inetpy.testing.requests import Requests, wait
from inetpy.testing.shells import Shells
from inetpy.testing.values import ELIXIR, ERLANG, Answer, check_bindings, encoded, value_of


def test_the_plugin_costs_nothing_when_unused() -> None:
    """Every pytest loads it where inetpy is installed. It loads nothing of inetpy but itself."""
    code = (
        "import sys, pytest; before = set(sys.modules); import inetpy.testing.plugin; "
        "print(*set(sys.modules) - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert set(loaded.split()) == {"inetpy", "inetpy.testing", "inetpy.testing.plugin"}


def test_public_names() -> None:
    for name in testing.__all__:
        assert getattr(testing, name).__doc__, name
    assert set(testing.__all__) <= set(dir(testing))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = testing.nothing


@pytest.mark.parametrize("text", ["", "abc", "grün", "\N{GRINNING FACE}"])
def test_charlist(text: str) -> None:
    """A list of the characters, whatever they are."""
    assert decode(encode(charlist(text))) == [ord(character) for character in text]


def test_charlist_of_bytes() -> None:
    assert charlist("abc") == Charlist(b"abc")


# --- values ---


def test_where_a_value_has_no_form() -> None:
    with pytest.raises(EtfError, match=r'^argument 2: \["k"\]: a set has no external form$'):
        encoded((1, {"k": {2}}), {"argument 1": 1, "argument 2": {"k": {2}}})


@pytest.mark.parametrize("name", ["X", "_", "_x", "Key1", "Ärger"[1:].upper()])
def test_variables_of_erlang(name: str) -> None:
    check_bindings({name: 1}, ERLANG, "Erlang")


@pytest.mark.parametrize(
    ("name", "pattern"), [("x", ERLANG), ("X-1", ERLANG), ("", ERLANG), ("X", ELIXIR), ("1", ELIXIR)]
)
def test_no_variables(name: str, pattern: Any) -> None:
    with pytest.raises(ValueError, match="is no variable of it"):
        check_bindings({name: 1}, pattern, "it")


def test_answers() -> None:
    assert value_of(Answer("ok", encode((Atom("ok"), 1)))) == (Atom("ok"), 1)
    assert value_of(Answer("ok", encode(BitString(b"\x80", 1)))) == BitString(b"\x80", 1)


def test_an_answer_with_an_exception() -> None:
    location = [(Atom("file"), charlist("m.erl")), (Atom("line"), 7)]
    stack = [(Atom("m"), Atom("f"), 2, location), (Atom("m"), Atom("g"), [1, 2, 3], [])]
    answer = Answer("raised", encode((Atom("exit"), Atom("why"), b"the text\n", stack)))
    with pytest.raises(ErlangError) as caught:
        value_of(answer)
    assert (caught.value.kind, caught.value.reason, str(caught.value)) == ("exit", Atom("why"), "the text")
    assert list(map(str, caught.value.stack)) == ["m:f/2 (m.erl, line 7)", "m:g/3"]


# --- which process evaluates ---


def test_one_shell_for_calls_in_turn() -> None:
    shells = Shells()
    first = shells.take()
    shells.give_back(first)
    assert shells.take() == first


def test_more_shells_at_the_same_time() -> None:
    """The first that is idle is taken, so that a call in turn has the first."""
    shells = Shells()
    first, second = shells.take(), shells.take()
    assert first != second
    shells.give_back(first)
    assert shells.take() == first


def test_threads_have_their_own() -> None:
    shells = Shells()
    taken = [shells.take()]
    shells.give_back(taken[0])
    thread = threading.Thread(target=lambda: taken.append(shells.take()))
    thread.start()
    thread.join()
    assert taken[0] != taken[1]


# --- requests ---


class Loop:
    """Runs at once what it is to run soon."""

    def call_soon_threadsafe(self, work: Any, *arguments: Any) -> None:
        work(*arguments)


class Session:
    """Of a node that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.link = self
        self.on_agent: Any = None

    def agent(self, payload: bytes) -> None:
        self.asked.append(decode(payload))

    def answer(self, number: int, tag: str, term: object) -> None:
        self.on_agent(encode((number, Atom(tag), encode(term))))


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def requests(session: Session) -> Requests:
    made = Requests(Loop(), lambda: None, lambda _: None, lambda _: ["  its socket: of the test"])  # type: ignore[arg-type]
    made.begin(session)  # type: ignore[arg-type]
    return made


def test_answers_find_their_requests(requests: Requests, session: Session) -> None:
    one, two = requests.ask("run", 1), requests.ask("run", 2)
    session.answer(two.number, "ok", 2)
    session.answer(one.number, "ok", 1)
    assert [value_of(request.answer.result(0)) for request in (one, two)] == [1, 2]


def test_an_answer_that_nobody_waits_for(requests: Requests, session: Session) -> None:
    """After `cancel`, which ends the process, and for a number that never was."""
    request = requests.ask("run")
    requests.cancel(request)
    session.answer(request.number, "ok", 1)
    session.answer(999, "started", 1)
    assert session.asked[-1] == (Atom("cancel"), request.number)
    assert request.answer.cancelled()


def test_a_node_that_is_lost(requests: Requests) -> None:
    """Those that wait get the error, and those that come later."""
    request = requests.ask("spawn")
    requests.fail(RuntimeError("gone"), lost=True)
    for future in (request.answer, request.started):
        with pytest.raises(RuntimeError, match="gone"):
            future.result(0)
    with pytest.raises(RuntimeError, match="gone"):
        requests.ask("run")


def test_what_took_too_long(requests: Requests, session: Session) -> None:
    request = requests.ask("run")
    session.answer(request.number, "timeout", (Atom("pid"), b"<0.1.0> waits in\n    f/1\n"))
    with pytest.raises(ErlangTimeoutError, match=r"(?s)waits in.*f/1\n  its socket: of the test$"):
        value_of(request.answer.result(0))


def test_a_node_that_does_not_answer() -> None:
    left: list[int] = []
    with pytest.raises(ErlangTimeoutError, match="the node does not answer"):
        wait(Future[Answer](), value_of, 0.01, on_leave=lambda: left.append(1))
    assert left == [1]
