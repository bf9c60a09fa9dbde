"""Shared by the tests: paths, the emulator as an oracle, and nodes."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from in_memory import Bench
from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom
from seeds import EXAMPLES, IS_REPEATABLE

TOP = Path(__file__).parent.parent
EBIN = TOP / "erl" / "ebin"
TEST_EBIN = TOP / "erl" / "test" / "ebin"

settings.register_profile(
    "inetpy",
    deadline=None,  # the machine may be slow
    max_examples=EXAMPLES,
    derandomize=IS_REPEATABLE,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("inetpy")


def erl(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    """Starts an emulator with the beams of inetpy and of the tests on its code path."""
    command = ["erl", "-noinput", "-pa", str(EBIN), "-pa", str(TEST_EBIN), *arguments]
    return subprocess.Popen(command, **options)  # type: ignore[call-overload, no-any-return]


class Oracle:
    """The emulator behind erl/test/etf_oracle.erl."""

    def __init__(self) -> None:
        self._erl = erl("-run", "etf_oracle", "main", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        release = decode(self.evaluate("list_to_integer(erlang:system_info(otp_release))"))
        assert isinstance(release, int)
        self.release = release

    def ask(self, request: bytes) -> bytes:
        assert self._erl.stdin is not None
        assert self._erl.stdout is not None
        self._erl.stdin.write(len(request).to_bytes(4, "big") + request)
        self._erl.stdin.flush()
        size = int.from_bytes(self._erl.stdout.read(4), "big")
        return self._erl.stdout.read(size)

    def random_term(self, size: int, seed: int) -> tuple[bytes, bytes]:
        """(the bytes of a random term as this emulator writes them, as OTP 26 does)."""
        answer = self.ask(b"R" + bytes((size,)) + seed.to_bytes(4, "big"))
        split = 4 + int.from_bytes(answer[:4], "big")
        return answer[4:split], answer[split:]

    def read(self, data: bytes) -> bytes | None:
        """`data` as the emulator reads and writes it again; None for a badarg."""
        answer = self.ask(b"D" + data)
        return answer[5:] if answer[:1] == b"+" else None

    def inet(self, calls: list[tuple[str, list[object]]]) -> list[object]:
        """The results of functions of inet, or the reasons of their failures."""
        term = [(Atom(function), arguments) for function, arguments in calls]
        answer = decode(self.ask(b"I" + encode(term)))
        assert isinstance(answer, list)
        return answer

    def evaluate(self, expression: str) -> bytes:
        """The value of an Erlang expression in the External Term Format."""
        return self.ask(b"V" + expression.encode())

    def used(self, data: bytes) -> int:
        return int.from_bytes(self.ask(b"D" + data)[1:5], "big")

    def close(self) -> None:
        assert self._erl.stdin is not None
        self._erl.stdin.close()
        self._erl.wait(20)
        assert self._erl.stdout is not None
        self._erl.stdout.close()


@pytest.fixture(scope="session")
def oracle() -> Iterator[Oracle]:
    instance = Oracle()
    yield instance
    instance.close()


@pytest.fixture(autouse=True)
def balanced() -> Iterator[None]:
    """After a test in memory all sockets end, and no caller, no watched process and no feeder is left."""
    Bench.made.clear()
    yield
    for bench in Bench.made:
        bench.finish()
    Bench.made.clear()


@pytest.fixture
def only_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No descriptor is opened, no thread started, and nobody sleeps."""

    def forbidden(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a test in memory has left the memory")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(threading.Thread, "start", forbidden)
    monkeypatch.setattr(time, "sleep", forbidden)
    descriptors, threads = os.listdir("/proc/self/fd"), threading.enumerate()
    yield
    assert os.listdir("/proc/self/fd") == descriptors
    assert threading.enumerate() == threads


@pytest.fixture
def bench(only_memory: None) -> Bench:
    """A session on a host in memory."""
    return Bench()
