"""Other editions of OTP, and Elixir."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from project import Project

from conftest import TOP
from inetpy import Atom
from inetpy.testing import ErlangError, ErlangTimeoutError, Node, charlist

pytest_plugins = ["of_project"]

OTP_28 = TOP / "_build" / "otp28" / "bin" / "erl"

of_elixir = pytest.mark.skipif(shutil.which("elixir") is None, reason="there is no Elixir")
of_otp_28 = pytest.mark.skipif(not OTP_28.exists(), reason="scripts/otp28.sh makes OTP 28 from a package")


@pytest.fixture(scope="module")
def newest() -> Iterator[Node]:
    with Node(erl=OTP_28) as node:
        yield node


@of_otp_28
class TestOtp28:
    def test_release(self, newest: Node) -> None:
        assert str(newest.eval("erlang:system_info(otp_release)")) == "28"

    def test_sockets_are_of_python(self, newest: Node) -> None:
        newest.network.static("server.test", 80, b"hello")
        ask = '{ok, S} = gen_tcp:connect("server.test", 80, [binary, {active, false}]), gen_tcp:recv(S, 5)'
        assert newest.eval(ask) == (Atom("ok"), b"hello")

    def test_errors(self, newest: Node) -> None:
        with pytest.raises(ErlangError, match="syntax error before") as syntax:
            newest.eval("{ok, }")
        assert syntax.value.kind == "syntax"
        with pytest.raises(ErlangError) as caught:
            newest.eval("1 = 2")
        assert caught.value.reason == (Atom("badmatch"), 2)
        with pytest.raises(ErlangTimeoutError, match="in the operation accept of a socket"):
            newest.eval("{ok, L} = gen_tcp:listen(0, []), gen_tcp:accept(L)", timeout=0.3)

    def test_code(self, erlang: Node, newest: Node) -> None:
        """A beam of OTP 25 runs. The small OTP 28 of scripts/otp28.sh cannot make one."""
        erlang.compile("-module(mine).\n-export([f/0]).\nf() -> ok.\n")
        with pytest.raises(ErlangError, match="this Erlang has no application compiler"):
            newest.compile("-module(mine).\n-export([f/0]).\nf() -> ok.\n")
        tokens = "{ok, T, _} = erl_scan:string(X), {ok, F} = erl_parse:parse_form(T), F"
        forms = [
            erlang.eval(tokens, X=charlist(x)) for x in ("-module(mine).", "-export([f/0]).", "f() -> ok.")
        ]
        beam = erlang.eval("{ok, mine, Beam} = compile:forms(Forms), Beam", Forms=forms)
        newest.eval('{module, mine} = code:load_binary(mine, "mine.beam", Beam)', Beam=beam)
        assert newest.call("mine", "f") == Atom("ok")
        newest.eval("register(mine, spawn(fun() -> receive none -> ok end end))")
        newest.reset()
        with pytest.raises(ErlangError, match="undefined function"):
            newest.call("mine", "f")
        assert newest.eval("whereis(mine)") == Atom("undefined")

    def test_option_of_pytest(self, project: Project) -> None:
        project.write(
            "test_it.py",
            "def test_it(erlang):\n    assert str(erlang.eval('erlang:system_info(otp_release)')) == '28'\n",
        )
        assert project.run("--inetpy-erl", str(OTP_28)).outcomes() == {"passed": 1}


@of_elixir
class TestElixir:
    def test_value(self, erlang: Node) -> None:
        assert erlang.elixir("Enum.sum(list)", list=[1, 2]) == 3
        assert erlang.elixir('"a" <> b', b="é") == "aé".encode()

    def test_the_same_process(self, erlang: Node) -> None:
        assert erlang.elixir("self()") == erlang.eval("self()")

    def test_after_a_reset(self, erlang: Node) -> None:
        """Elixir stays, and what was written in it goes."""
        erlang.elixir("defmodule Mine do\n  def f, do: 7\nend")
        assert erlang.elixir("Mine.f()") == 7
        erlang.reset()
        assert erlang.elixir("1 + 1") == 2
        with pytest.raises(ErlangError, match=r"Mine.f/0 is undefined"):
            erlang.elixir("Mine.f()")

    def test_errors(self, erlang: Node) -> None:
        with pytest.raises(ErlangError, match=r"\*\* \(RuntimeError\) oops") as caught:
            erlang.elixir('raise "oops"')
        assert caught.value.kind == "error"
        with pytest.raises(ErlangError, match=r"SyntaxError|TokenMissingError"):
            erlang.elixir("{1, ")
        with pytest.raises(ValueError, match="no variable of Elixir"):
            erlang.elixir("1", Upper=1)


def test_without_elixir(erlang: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(erlang, "_has_elixir", False)
    with pytest.raises(FileNotFoundError, match="there is no elixir on the PATH"):
        erlang.elixir("1")
