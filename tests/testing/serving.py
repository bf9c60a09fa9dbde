"""A server of nodes in a process of its own, nodes that evaluate what they are told, and certificates."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from conftest import EBIN, TEST_EBIN

__all__ = ["AGAIN", "ECHO", "PAIR", "PING", "TOKEN", "Authority", "Erlang", "Serve", "error_of", "until"]

PATIENCE = 30.0  # seconds

TOKEN = "0123456789abcdef0123456789abcdef"

PAIR = """
    {ok, L} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]), {ok, P} = inet:port(L),
    {ok, C} = gen_tcp:connect("127.0.0.1", P, [binary, {active, false}]), {ok, S} = gen_tcp:accept(L), paired
"""
AGAIN = re.sub(r"\b([LPCS])\b", r"\1again", PAIR)  # with other variables
ECHO = 'ok = gen_tcp:send(C, <<"ping">>), gen_tcp:recv(S, 4, 5000)'
PING = '{ok,<<"ping">>}'

# Each line that comes in is an expression whose value is printed in a line.
SHELL = """
    Loop = fun(Loop, Bindings) ->
        case io:get_line("") of
            eof ->
                halt();
            Line ->
                {ok, Tokens, _} = erl_scan:string(Line),
                {ok, Expressions} = erl_parse:parse_exprs(Tokens),
                {Value, After} =
                    try erl_eval:exprs(Expressions, Bindings) of
                        {value, V, B} -> {V, B}
                    catch
                        Class:Reason -> {{Class, Reason}, Bindings}
                    end,
                io:format("> ~0tp~n", [Value]),
                Loop(Loop, After)
        end
    end,
    Loop(Loop, []).
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class _Process:
    """A process of which all lines are kept."""

    def __init__(self, command: list[str], **environ: str) -> None:
        others = {name: value for name, value in os.environ.items() if not name.startswith("INETPY_")}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=others | environ,
        )
        self.lines: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()

    @property
    def log(self) -> str:
        return "\n".join(self.lines)

    def line(self, wanted: str, start: int = 0) -> int:
        """Waits for a line with this text; its number."""

        def found() -> int | None:
            there = [at for at, line in enumerate(self.lines) if at >= start and wanted in line]
            return there[0] if there else None

        with self._more:
            assert self._more.wait_for(lambda: found() is not None, PATIENCE), (
                f"{wanted!r} not in\n{self.log}"
            )
            at = found()
        assert at is not None
        return at

    def end(self, number: int = signal.SIGKILL) -> int:
        """The exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return status


class Serve(_Process):
    """`inetpy serve`. `url`: where it serves, with its port."""

    def __init__(self, url: str, *arguments: str, **environ: str) -> None:
        given = {"INETPY_CONTROL": "0"} | environ
        super().__init__([sys.executable, "-P", "-m", "inetpy", "serve", url, *arguments], **given)
        at = self.line("inetpy serve: ")
        self.url = self.lines[at].removeprefix("inetpy serve: ")

    def __enter__(self) -> Serve:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()


class Erlang(_Process):
    """A node that has not started inetpy yet."""

    def __init__(self, bridge: str = "", *flags: str, **environ: str) -> None:
        command = ["erl", "-noshell", "-pa", str(EBIN), "-pa", str(TEST_EBIN), *flags, "-eval", SHELL]
        given = {"ERL_CRASH_DUMP": os.devnull, "INETPY_PYTHON": sys.executable} | environ
        super().__init__(command, **given, **({"INETPY_BRIDGE": bridge} if bridge else {}))

    def __enter__(self) -> Erlang:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.end()

    def eval(self, expression: str) -> str:
        """The value, as text."""
        assert self.process.stdin is not None
        start = len(self.lines)
        self.process.stdin.write(" ".join(f"{expression}.".split("\n")) + "\n")
        self.process.stdin.flush()
        return self.lines[self.line("> ", start)].partition("> ")[2]

    def start(self) -> Erlang:
        """On Python sockets."""
        assert self.eval("inetpy:install()") == "ok", self.log
        return self


class Authority:
    """Signs certificates. `certificate`: its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._openssl(
            "req",
            "-x509",
            "-nodes",
            "-keyout",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "30",
            "-subj",
            "/CN=authority",
        )

    def sign(self, name: str, alternative: str) -> tuple[Path, Path]:
        """A certificate and its key."""
        self._openssl(
            "req", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        (self._folder / "names").write_text(f"subjectAltName={alternative}\n")
        self._openssl(
            "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{name}.pem", "-days", "30", "-extfile", "names",
        )  # fmt: skip
        return self._folder / f"{name}.pem", self._folder / f"{name}.key"

    def _openssl(self, command: str, *arguments: str) -> None:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1") if command == "req" else ()
        subprocess.run(
            ["openssl", command, *curve, *arguments],
            cwd=self._folder,
            check=True,
            capture_output=True,
            timeout=60,
        )


def error_of(node: Erlang) -> str:
    """Of a call that opens a socket."""
    return node.eval("element(2, gen_tcp:listen(0, inetpy:tcp_options([])))")
