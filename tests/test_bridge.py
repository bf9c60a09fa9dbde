"""The port program on its own: what goes in and out of its two pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import pytest

from inetpy.codec.etf import decode, encode
from inetpy.codec.terms import Atom, Pid, Ref
from inetpy.host.protocols import protocols
from inetpy.wire.vocabulary import ATOMS

BRIDGE = Pid(b"Xw\3a@b" + bytes(12))
REF = Ref(b"Z\0\1w\3a@b" + bytes(8))


class Bridge:
    """A bridge process, and our end of it."""

    def __init__(self, command: list[str], environment: dict[str, str] | None = None) -> None:
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=os.environ | (environment or {}),
        )

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(len(data).to_bytes(4, "big") + data)
        self.process.stdin.flush()

    def say(self, *terms: object) -> None:
        for term in terms:
            self.write(encode(term))

    def hear(self) -> object:
        assert self.process.stdout is not None
        size = int.from_bytes(self.process.stdout.read(4), "big")
        return decode(self.process.stdout.read(size))

    def answer(self) -> object:
        """The next answer to REF; notes are passed over."""
        while True:
            match self.hear():
                case (Ref() as ref, reply) if ref == REF:
                    return reply
                case (int(), int(), Ref() as ref, reply) if ref == REF:
                    return reply

    def greet(self) -> None:
        self.say((Atom("hello"), 1, [], BRIDGE, BRIDGE))
        names = {name for _, names in protocols() for name in names}
        atoms = sorted(name.encode() for name in {*ATOMS, *names})
        assert self.hear() == (Atom("hello"), 1, [(Atom("atoms"), atoms)])

    def end(self) -> tuple[int, str]:
        """Closes the pipe, and waits: (exit status, what was on the standard error)."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        status = self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()
        with self.errors as file:
            file.seek(0)
            return status, file.read().decode()


COMMAND = [sys.executable, "-m", "inetpy", "bridge"]


@pytest.fixture(params=["asyncio", "uvloop"])
def bridge(request: pytest.FixtureRequest) -> Iterator[Bridge]:
    instance = Bridge(COMMAND, {"INETPY_LOOP": request.param})
    yield instance
    if instance.process.poll() is None:
        instance.end()


def test_greets_and_ends(bridge: Bridge) -> None:
    """The first frame each way is a greeting; the end of input is the end, without a word."""
    bridge.greet()
    assert bridge.end() == (0, "")


def test_ends_without_a_greeting(bridge: Bridge) -> None:
    """Also before anything was said."""
    assert bridge.end() == (0, "")


@pytest.mark.parametrize(
    ("first", "text"),
    [
        ((Atom("hello"), 2, [], BRIDGE, BRIDGE), "speaks protocol 2, this inetpy 1"),
        ((Atom("connect"), 0, REF, []), "no greeting"),
        (17, "no greeting"),
    ],
)
def test_wrong_greeting(bridge: Bridge, first: object, text: str) -> None:
    """What is no greeting, or one of another version, ends the bridge with a reason."""
    bridge.say(first)
    assert bridge.process.wait(10) == 3
    status, errors = bridge.end()
    assert status == 3
    assert text in errors


def test_frame_over_the_limit(bridge: Bridge) -> None:
    """A stream that cannot be followed ends the bridge with a reason."""
    bridge.greet()
    assert bridge.process.stdin is not None
    bridge.process.stdin.write(b"\xff\xff\xff\xff")
    bridge.process.stdin.flush()
    assert bridge.process.wait(10) == 3
    assert "over the limit" in bridge.end()[1]


def test_unknown_operation(bridge: Bridge) -> None:
    """An answer, and the bridge goes on."""
    bridge.greet()
    for _ in range(3):
        bridge.say((Atom("fly"), 0, REF, []))
        assert bridge.answer() == (Atom("error"), (Atom("inetpy"), Atom("unknown_op"), b"fly"))


def test_malformed_frames_are_logged(bridge: Bridge) -> None:
    """They come to the logger, the first and then every tenth power."""
    bridge.greet()
    for _ in range(50):
        bridge.write(b"no term")
    bridge.say((Atom("fly"), 0, REF, []))
    logged = []
    while True:
        match bridge.hear():
            case (Atom(name="log"), Atom(name="error"), bytes() as text):
                logged.append(text)
            case (Ref(), _):
                break
    assert [b"(%d so far)" % count in text for count, text in zip((1, 10), logged, strict=True)] == [
        True,
        True,
    ]


PRINTING = """
import os, sys
from inetpy.links import stdio
from inetpy.operations.dispatch import Dispatcher
handle = Dispatcher.handle_frame
def noisy(self, frame):
    print("print", flush=True)
    os.write(1, b"write to 1")
    os.system("echo a child")
    sys.stdout.write("x" * 100000)
    handle(self, frame)
Dispatcher.handle_frame = noisy
stdio.run()
"""


def test_print_harms_nothing() -> None:
    """What Python, a library or a child writes to its standard output goes elsewhere."""
    bridge = Bridge([sys.executable, "-c", PRINTING])
    bridge.greet()
    for _ in range(5):
        bridge.say((Atom("fly"), 0, REF, []))
        assert bridge.answer() == (Atom("error"), (Atom("inetpy"), Atom("unknown_op"), b"fly"))
    _, errors = bridge.end()
    assert errors.count("write to 1") == errors.count("a child") == 5


STUCK = """
from inetpy.links import stdio
from inetpy.operations.dispatch import Dispatcher
def stuck(self, frame):
    while True:
        pass
Dispatcher.handle_frame = stuck
stdio.run()
"""


def test_ends_when_it_is_stuck() -> None:
    """The end of input ends it within a second, whatever it is doing."""
    bridge = Bridge([sys.executable, "-c", STUCK])
    bridge.greet()
    bridge.say((Atom("fly"), 0, REF, []))
    time.sleep(0.2)
    closed = time.monotonic()
    status, _ = bridge.end()
    assert status == 0
    assert time.monotonic() - closed < 1.5  # half a second for a machine that is slow


BROKEN = """
from inetpy.links import stdio
from inetpy.operations import dispatch
def broken(session, ref, request):
    raise RuntimeError("a bug")
dispatch.OPERATIONS["listen"] = broken
stdio.run()
"""


def test_a_bug_in_a_handler_is_answered_and_logged() -> None:
    """Its caller gets {error, {inetpy, exception, Text}}, the logger the traceback."""
    bridge = Bridge([sys.executable, "-c", BROKEN])
    bridge.greet()
    bridge.say((Atom("listen"), 0, REF, (Atom("inetpy_tcp"), Atom("inet"), BRIDGE, 0, [], [])))
    logged = bridge.hear()
    assert isinstance(logged, tuple)
    assert logged[:2] == (Atom("log"), Atom("error"))
    assert b"Traceback" in logged[2]
    text = b"listen: RuntimeError('a bug')"
    assert bridge.answer() == (Atom("error"), (Atom("inetpy"), Atom("exception"), text))
    bridge.end()


def test_output_that_nobody_reads() -> None:
    """Answers wait without end, and nothing is lost when they are read at last."""
    bridge = Bridge(COMMAND)
    bridge.greet()
    count = 60_000
    request = encode((Atom("fly"), 0, REF, []))
    framed = len(request).to_bytes(4, "big") + request
    assert bridge.process.stdin is not None
    for _ in range(count // 1000):
        bridge.process.stdin.write(framed * 1000)
    bridge.process.stdin.flush()
    for _ in range(count):
        assert bridge.answer() is not None
    assert bridge.end() == (0, "")
