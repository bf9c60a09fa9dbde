"""Mutated frames for a real bridge process: `make fuzz` sends a million, tests/test_fuzz.py 20,000.

The driver plays the node. It writes valid requests of every operation, changed at random as terms
and as bytes, and reads all that comes back. At the end all sockets are closed, and it checks that

- every request that was a request has been answered,
- descriptors and memory are what they were,
- the process is idle, and still works.

    python tests/fuzz_bridge.py --frames 1000000 --seed 7
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import fuzz_plain
from frames import parts
from inetpy.codec.etf import EtfError, decode, encode
from inetpy.codec.terms import Atom, Charlist, Pid, Port, Ref
from inetpy.links.output import UNIT
from inetpy.wire.framing import FrameReader
from inetpy.wire.messages import LIMITS
from inetpy.wire.requests import SESSION, SOCKET

NODE = b"w\x0dnonode@nohost"
BRIDGE = Pid(b"X" + NODE + bytes(12))
OUT = Port(b"Y" + NODE + b"\0\0\0\5" + bytes(4))
OWNERS = [Pid(b"X" + NODE + bytes((0, 0, 0, 9)) + bytes((0, 0, 0, n)) + bytes(4)) for n in range(8)]
HOME = b"Z\0\3" + NODE + bytes(4)  # what references of the node begin with
EARLY = ("once", "close", "connected")
TCP, UDP, INET = Atom("inetpy_tcp"), Atom("inetpy_udp"), Atom("inet")
LOOPBACK = (127, 0, 0, 1)
BURST = 200  # frames between two looks at what came back
PATIENCE = 30.0  # seconds for the last answers
MAX_GROWTH = 64 * 1024  # kB of memory

VALUES: list[object] = [
    0, 1, -1, 5, 255, 256, 65535, 65536, 1 << 31, -(1 << 31), 1 << 40, 1 << 100, 1 << 20_000, 1.5, b"", b"x",
    b"y" * 2000, [], Charlist(b"abc"), [Atom("active")], (), (1, 2), (Atom("ok"), 3), {}, {Atom("a"): 1},
    Atom("true"), Atom("false"), Atom("infinity"), Atom("undefined"), Atom(""), OWNERS[0], OUT, BRIDGE,
    LOOPBACK, (0,) * 8, (Atom("local"), b"/tmp/x"),
    {Atom("family"): INET, Atom("addr"): LOOPBACK, Atom("port"): 0},
]  # fmt: skip
OPTIONS: list[object] = [
    Atom("binary"), Atom("list"), (Atom("active"), Atom("once")), (Atom("active"), Atom("true")),
    (Atom("active"), Atom("false")), (Atom("active"), 3), (Atom("packet"), 1), (Atom("packet"), Atom("line")),
    (Atom("packet"), Atom("http")), (Atom("buffer"), 10), (Atom("recbuf"), 5000), (Atom("header"), 2),
    (Atom("linger"), (Atom("true"), 0)), (Atom("send_timeout"), 5), (Atom("nodelay"), Atom("true")),
    (Atom("raw"), 6, 1, b"\1\0\0\0"), (Atom("priority"), 3), (Atom("high_watermark"), 10),
    (Atom("delay_send"), Atom("true")), (Atom("deliver"), Atom("port")),
    (Atom("exit_on_close"), Atom("false")),
]  # fmt: skip
NAMES = [Atom(name) for name in ("active", "packet", "buffer", "mode", "recbuf", "linger", "nonsense")]
COUNTERS = [Atom(name) for name in ("recv_oct", "send_pend", "send_cnt", "nonsense")]


def is_closed_by_chance(frame: bytes) -> bool:
    """Frames that are meant for the bridge as a whole, and that nobody but a node may write."""
    return b"renamed" in frame


@dataclass
class Node:
    """The driver's end of one bridge."""

    dice: random.Random
    process: subprocess.Popen[bytes]
    pending: dict[bytes, object] = field(default_factory=dict)
    idents: list[int] = field(default_factory=list)
    plain: set[int] = field(default_factory=set)  # those of the module `socket`
    ports: list[int] = field(default_factory=lambda: [1])
    asked: int = 0
    answered: int = 0
    heard: int = 0  # frames; a large one counts for several
    living: list[Pid] = field(default_factory=lambda: list(OWNERS))
    missed: list[Pid] = field(default_factory=list)  # watched processes that are not there
    bugs: list[str] = field(default_factory=list)  # tracebacks that were logged

    # --- frames ---

    def new_ref(self) -> Ref:
        self.asked += 1
        return Ref(HOME + self.asked.to_bytes(12, "big"))

    def fresh_ref(self) -> Ref:
        """The reference of a socket, or of one that waits."""
        return Ref(HOME + self.dice.randrange(1 << 95, 1 << 96).to_bytes(12, "big"))

    def ident(self) -> int:
        if self.idents and self.dice.random() < 0.97:
            return self.dice.choice(self.idents[-40:])
        return self.dice.choice([0, 1, 999_999, -1])

    def options(self) -> list[object]:
        return self.dice.sample(OPTIONS, self.dice.randrange(4))

    def arguments(self, op: str, opening: bool) -> object:
        """Those that a node would send."""
        dice, owner = self.dice, self.dice.choice(OWNERS)
        if opening:
            passive = [Atom("binary"), (Atom("active"), Atom("false")), *self.options()]
            return {
                "connect": (TCP, INET, owner, LOOPBACK, dice.choice(self.ports[-9:]), passive, [], 200),
                "connect_name": (TCP, owner, b"localhost", dice.choice(self.ports[-9:]), passive, [], 200),
                "fault": (Atom(dice.choice(("add", "remove", "fired", "events"))), self.rule()),
                "fdopen": (TCP, Atom("tcp"), INET, owner, 999, passive),
                "inet": (Atom(dice.choice(("ntoa", "parse_address", "gethostname"))), [LOOPBACK], 100),
                "listen": (TCP, INET, owner, 0, passive, []),
                "open": (UDP, INET, owner, 0, passive),
                "piece": bytes(10),
            }.get(op, [])
        return {
            "accept": (owner, dice.choice((0, 5, 50))),
            "connect": (LOOPBACK, dice.choice(self.ports[-9:])),
            "controlling_process": (owner, dice.choice(OWNERS)),
            "getopts": dice.sample(NAMES, 2),
            "getstat": dice.sample(COUNTERS, 2),
            "recv": (dice.choice((0, 1, 100)), dice.choice((0, 5, 50))),
            "send": bytes(dice.choice((0, 5, 20_000))),
            "send_large": (dice.choice((5, 30_000)), owner, bytes(5)),
            "sendfile": (owner, 999, 0, 0),
            "sendto": ((LOOPBACK, dice.choice(self.ports[-9:])), [], bytes(50)),
            "setopts": self.options(),
            "shutdown": Atom(dice.choice(("read", "write", "read_write"))),
            "take_over": (owner, dice.randrange(4), dice.randrange(5)),
            "unrecv": b"back",
        }.get(op, [])

    def rule(self) -> object:
        """A rule that holds for no socket here, or the key of one."""
        dice = self.dice
        when: dict[object, object] = {Atom("when"): (Atom("nth"), 2)} if dice.random() < 0.3 else {}
        what = (Atom("latency"), {Atom("ms"): 5})  # a change may make it one for all sockets
        whom = {Atom("port"): 1, Atom("owner"): dice.choice(OWNERS)}
        key = dice.randrange(50)
        return (key, whom, what, when) if dice.random() < 0.6 else key

    def request(self) -> tuple[object, ...]:
        opening = self.dice.random() < (0.3 if len(self.idents) < 60 else 0.03)
        ident = 0 if opening else self.ident()
        if (self.dice.random() < 0.5) if opening else (ident in self.plain) == (self.dice.random() < 0.98):
            op = self.dice.choice(sorted(fuzz_plain.PLAIN_SESSION if opening else fuzz_plain.PLAIN))
            arguments = fuzz_plain.arguments(self.dice, op, OWNERS, self.ports, self.fresh_ref)
        else:
            op = self.dice.choice(sorted(SESSION if opening else SOCKET))
            arguments = self.arguments(op, opening)
        if self.dice.random() < 0.05:
            arguments = (Atom("context"), (Atom("undefined"), [self.dice.choice(OWNERS)]), arguments)
        return (Atom(op), ident, self.new_ref(), arguments)

    def other(self) -> tuple[object, ...]:
        return self.dice.choice(
            [
                (Atom("down"), self.dice.choice(OWNERS)),
                (Atom("ack"), 1),
                (Atom("ping"), 5),
                (Atom("lineage"), 1, [(OWNERS[0], [OWNERS[0]])]),
                (Atom("early"), self.ident(), self.dice.choice((b"data", *map(Atom, EARLY)))),
                (Atom("early"), self.ident(), ((LOOPBACK, self.dice.choice(self.ports)), b"data")),
            ]
        )

    def mutated(self, term: Any) -> Any:
        """The term with one part put in place of another."""
        dice = self.dice
        if isinstance(term, tuple) and term and dice.random() < 0.9:
            at = dice.randrange(len(term))
            return (*term[:at], self.mutated(term[at]), *term[at + 1 :])
        if isinstance(term, list) and term and dice.random() < 0.8:
            at = dice.randrange(len(term))
            return [*term[:at], self.mutated(term[at]), *term[at + 1 :]]
        if dice.random() < 0.02:
            return nested(dice.choice((10, 200, 5000)))
        return dice.choice(VALUES)

    def frame(self) -> bytes:
        """A frame: as it should be, changed as a term, or changed as bytes."""
        term = self.request() if self.dice.random() < 0.98 else self.other()
        way = self.dice.random()
        if way < 0.5 and len(term) == 4:
            term = (*term[:3], self.mutated(term[3]))
        elif way < 0.55:
            term = self.mutated(term)
        data = bytearray(encode(term))
        if way > 0.8:
            for _ in range(self.dice.randrange(1, 4)):
                data[self.dice.randrange(len(data))] = self.dice.randrange(256)
        return bytes(data)

    # --- the pipes ---

    def write(self, frame: bytes) -> None:
        if is_closed_by_chance(frame):
            return
        try:
            term: Any = decode(frame, LIMITS)
        except EtfError:
            term = None
        match term:
            case (Atom(), int(), Ref() as ref, _) if not ref.raw.startswith(HOME):
                return  # of another node: this one's new name
            case (Atom(), int(), Ref() as ref, _) if term[0] != Atom("piece"):
                self.pending[ref.raw] = term
            case (Atom(name="ack"), int() as count) if count != 1:
                return  # more than was said
            case (Atom(name="down"), Pid() as pid):
                self.forget_acceptor(pid)
        assert self.process.stdin is not None
        self.process.stdin.write(len(frame).to_bytes(4, "big") + frame)

    def tell_missed(self) -> None:
        """As a monitor of a process that is not there does."""
        missed, self.missed = self.missed, []
        self.say(*((Atom("down"), pid) for pid in missed))

    def forget_acceptor(self, pid: Pid) -> None:
        """A process that has ended gets no answer to its accept."""
        for ref, term in list(self.pending.items()):
            match term:
                case (Atom(name="accept"), _, _, (owner, _) | (_, _, (owner, _))) if owner == pid:
                    self.pending.pop(ref, None)

    def say(self, *terms: object) -> None:
        for term in terms:
            self.write(encode(term))
        assert self.process.stdin is not None
        self.process.stdin.flush()

    def listen(self) -> None:
        """Reads all that the bridge says, in a thread."""
        frames = FrameReader()
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 1 << 17):
            frames.feed(data)
            while (frame := frames.next_frame()) is not None:
                self.heard += 1 + len(frame) // UNIT
                for part in parts(decode(bytes(frame))):
                    self.hear(part)

    def hear(self, term: Any) -> None:
        if type(term) is tuple and len(term) == 4 and type(term[0]) is int:
            term = term[2:]  # the change of a mode came with it
        match term:
            case (Ref() as ref, reply):
                self.pending.pop(ref.raw, None)
                self.answered += 1
                match reply:
                    case (Atom(name="ok"), (_, int() as port)) if 0 < port < 65536:
                        self.ports.append(port)
                    case (Atom(name="ok"), dict() as address) if address.get(Atom("port")):
                        self.ports.append(address[Atom("port")])
            case (Atom(name="select"), _, _, _, Ref() as ref, _):
                self.pending.pop(ref.raw, None)
                self.answered += 1
            case (Atom(name="log"), _, text) if b"Traceback" in text:
                self.bugs.append(text.decode())
            case (Atom(name="watch"), Pid() as pid) if pid not in self.living:
                self.missed.append(pid)
            case (Atom(name="open"), int() as ident, _, kind, *_):
                if ident not in self.idents:  # it may come again, when a socket is to be listed
                    self.idents.append(ident)
                if kind in (Atom("plain"), Atom("unlisted")):
                    self.plain.add(ident)
            case (Atom(name="closed"), int() as ident) if ident in self.idents:
                self.idents.remove(ident)
                self.plain.discard(ident)

    def has_heard_more(self, before: int) -> bool:
        return self.heard > before

    # --- the end ---

    def wait(self, what: str | Callable[[], str], until: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not until():
            if time.monotonic() > end:
                raise AssertionError(what() if callable(what) else what)
            if self.process.poll() is not None:
                raise AssertionError(f"the bridge has ended with {self.process.returncode}")
            time.sleep(0.01)


def nested(depth: int) -> object:
    term: object = []
    for _ in range(depth):
        term = [term]
    return term


@dataclass(frozen=True)
class Size:
    """What the bridge takes."""

    descriptors: int
    memory: int  # kB

    @classmethod
    def of(cls, pid: int) -> Size:
        status = Path(f"/proc/{pid}/status").read_text()
        memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return cls(len(os.listdir(f"/proc/{pid}/fd")), int(memory.split()[1]))


def _links(pid: int) -> list[str]:
    return [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]


def ticks(pid: int) -> int:
    """Clock ticks of processor time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def fuzz(frames: int, seed: int, show: bool = False) -> str:
    """Sends so many frames. Returns a line of figures; raises AssertionError with the seed."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "inetpy", "bridge"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=folder,  # paths of sockets, changed by chance
            env=os.environ | {"INETPY_LOG_LEVEL": "ERROR"},
        )
        try:
            return _fuzz(Node(random.Random(seed), process), frames, show)
        except AssertionError as error:
            errors.seek(0)
            said = errors.read()[-2000:].decode(errors="replace")
            raise AssertionError(f"seed {seed}: {error}\n{said}") from None
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass


def _fuzz(node: Node, frames: int, show: bool) -> str:
    pid = node.process.pid
    node.say((Atom("hello"), 1, [(Atom("otp_release"), 25)], BRIDGE, OUT))
    reader = threading.Thread(target=node.listen, daemon=True)
    reader.start()
    node.wait("no greeting", lambda: node.heard)
    works(node)
    before = Size.of(pid)
    started = time.monotonic()
    for sent in range(0, frames, BURST):
        acknowledged = node.heard
        for _ in range(min(BURST, frames - sent)):
            node.write(node.frame())
        node.say((Atom("ping"), 5))
        node.wait("it answers no more", partial(node.has_heard_more, acknowledged))
        node.say((Atom("ack"), node.heard - acknowledged))
        node.tell_missed()
        if show and sent % (100 * BURST) == 0:
            print(f"\r{sent:,} of {frames:,} frames, {len(node.idents)} sockets", end="", file=sys.stderr)
    rate = frames / (time.monotonic() - started)
    # all processes end, and with them their sockets; what has another owner is closed
    node.living.clear()
    node.say(*((Atom("down"), owner) for owner in OWNERS))
    node.wait("no pong", lambda: node.heard)
    deadline = time.monotonic() + PATIENCE
    while node.idents and time.monotonic() < deadline:
        for ident in list(node.idents):
            if ident in node.plain:
                node.say((Atom("socket_close"), ident, node.new_ref(), []))
                continue
            node.say((Atom("setopts"), ident, node.new_ref(), [(Atom("linger"), (Atom("true"), 0))]))
            node.say((Atom("close"), ident, node.new_ref(), []))
        node.tell_missed()
        time.sleep(0.05)
    assert not node.idents, f"{len(node.idents)} sockets do not close"
    assert not node.bugs, f"{len(node.bugs)} tracebacks, among them:\n" + "\n".join(
        {bug.splitlines()[-1]: bug for bug in node.bugs}.values()
    )
    node.wait(lambda: _list(node.pending), lambda: not node.pending)
    node.tell_missed()
    node.living.extend(OWNERS)
    node.say((Atom("fault"), 0, node.new_ref(), (Atom("reset"), [])))
    works(node)
    node.wait(
        lambda: f"{Size.of(pid).descriptors} descriptors, {before.descriptors} before: {_links(pid)}",
        lambda: Size.of(pid).descriptors <= before.descriptors,
    )
    grown = Size.of(pid).memory - before.memory
    assert grown < MAX_GROWTH, f"memory has grown by {grown} kB"
    idle = ticks(pid)
    time.sleep(0.5)
    used = ticks(pid) - idle
    assert used <= 10, f"{used} ticks of processor time in half a second of idleness"
    return (
        f"{frames:,} frames, {node.asked:,} requests, {node.answered:,} answers, {rate:,.0f} frames/s, "
        f"memory +{grown} kB, descriptors {Size.of(pid).descriptors}"
    )


def _list(pending: dict[bytes, object]) -> str:
    shown = "\n".join(f"{term!r:.300}" for term in list(pending.values())[:20])
    return f"{len(pending)} requests have no answer:\n{shown}"


def works(node: Node) -> None:
    """A connection that carries bytes."""
    passive = [Atom("binary"), (Atom("active"), Atom("false"))]
    known = len(node.ports)
    node.say((Atom("listen"), 0, node.new_ref(), (TCP, INET, OWNERS[0], 0, passive, [])))
    node.wait("no listener", lambda: node.idents)
    listener = node.idents[-1]
    node.say((Atom("sockname"), listener, node.new_ref(), []))
    node.wait("no port", lambda: len(node.ports) > known)
    node.say(
        (
            Atom("connect"),
            0,
            node.new_ref(),
            (TCP, INET, OWNERS[0], LOOPBACK, node.ports[-1], passive, [], 5000),
        )
    )
    node.say((Atom("accept"), listener, node.new_ref(), (OWNERS[0], 5000)))
    node.wait("no connection", lambda: len(node.idents) >= 3)
    node.say((Atom("down"), OWNERS[0]))
    node.wait("the sockets stay", lambda: not node.idents and not node.pending)


def main() -> None:
    parser = argparse.ArgumentParser(description="Sends mutated frames to a bridge, and checks what is left.")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    try:
        print("\n" + fuzz(arguments.frames, arguments.seed, show=True))
    except AssertionError as error:
        sys.exit(f"\n{error}")


if __name__ == "__main__":
    main()
