"""`make bench-codec`: the codec, compiled and pure, compared with other codecs.

The table has microseconds for one decode and one encode, the best of several runs. A dash: the codec
cannot do the term. A codec that cannot read atoms in UTF-8 gets atoms in the older form.
"""

from __future__ import annotations

import re
import sys
import timeit
from collections.abc import Callable
from functools import partial

import earl
import erlang
import erlastic
import erlpack
from rich.console import Console
from rich.table import Table

from inetpy.codec import implementation
from inetpy.codec.etf import PURE, Limits, decode, encode
from inetpy.codec.terms import Atom, Charlist, Pid, Ref
from inetpy.wire.messages import build_binary_head

NODE = b"w\x0dnonode@nohost"
PID = Pid(b"X" + NODE + b"\0\0\0\x55" + bytes(8))
REF = Ref(b"Z\0\3" + NODE + bytes(16))
OPTIONS = [
    Atom("binary"),
    (Atom("active"), Atom("false")),
    (Atom("packet"), 4),
    (Atom("nodelay"), Atom("true")),
]

HUGE = Limits(elements=20_000_000)

TERMS: dict[str, object] = {
    "request": (Atom("recv"), 12, REF, (PID, 5000)),
    "options": OPTIONS,
    "map": {Atom("family"): Atom("inet"), Atom("port"): 80, b"key": [1.5, 70000]},
    "64 KB binary": bytes(65536),
    "charlist of 1000": Charlist(bytes(1000)),
    "1000 integers": list(range(1000, 2000)),
    "getifaddrs": [
        (
            Charlist(b"eth%d" % number),
            [
                (Atom("flags"), [Atom("up"), Atom("broadcast"), Atom("running"), Atom("multicast")]),
                (Atom("addr"), (10, 0, number, 1)),
                (Atom("netmask"), (255, 255, 255, 0)),
                (Atom("broadaddr"), (10, 0, number, 255)),
                (Atom("addr"), (0xFE80, 0, 0, 0, 0x204, 0xACFF, 0xFE17, number)),
                (Atom("netmask"), (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0, 0, 0, 0)),
                (Atom("hwaddr"), Charlist(b"\2\0\0\0\0%c" % number)),
            ],
        )
        for number in range(4)
    ],
}

CODECS: dict[str, tuple[Callable[[bytes], object], Callable[[object], bytes]]] = {
    "inetpy": (decode, encode),
    "pure": PURE[:2],
    "erlpack": (erlpack.unpack, erlpack.pack),
    "earl-etf": (earl.unpack, earl.pack),
    "erlastic": (erlastic.decode, erlastic.encode),
    "erlang-py": (erlang.binary_to_term, erlang.term_to_binary),
}


def measure(call: Callable[[], object]) -> float | None:
    try:
        call()
    except Exception:
        return None
    timer = timeit.Timer(call)
    count, _ = timer.autorange()
    return min(timer.repeat(5, max(1, count // 4))) / max(1, count // 4) * 1e6


def older(data: bytes) -> bytes:
    """The same data with atoms in the form that OTP 25 writes."""
    return re.sub(rb"w(.)(?=[a-z])", rb"d\0\1", data)


def flatness() -> str:
    """Nanoseconds for each byte of lists of small tuples, from a kilobyte to 64 MB."""
    lines = []
    for exponent in range(10, 27, 4):
        term = [(Atom("ok"), number % 250, b"12345678") for number in range((1 << exponent) // 22)]
        data = encode(term)
        reading, writing = measure(partial(decode, data, HUGE)), measure(partial(encode, term))
        assert reading is not None
        assert writing is not None
        size = f"{len(data) / 1024:.0f} KB" if exponent < 20 else f"{len(data) / (1 << 20):.0f} MB"
        lines.append(f"{size}: {1e3 * reading / len(data):.2f} / {1e3 * writing / len(data):.2f}")
    return "ns for a byte of lists of tuples: " + "; ".join(lines)


def main() -> int:
    table = Table(title="µs to decode / to encode", title_justify="left")
    table.add_column("term", no_wrap=True)
    for name in CODECS:
        table.add_column(name, justify="right", no_wrap=True)
    for title, term in TERMS.items():
        data = encode(term)
        cells = []
        for read, write in CODECS.values():
            decoding = measure(partial(read, data)) or measure(partial(read, data := older(data)))
            encoding = None
            if decoding is not None:
                native = read(data)
                encoding = measure(partial(write, native))
            cells.append(" / ".join("-" if time is None else f"{time:.2f}" for time in (decoding, encoding)))
        table.add_row(title, *cells)
        if isinstance(term, bytes):
            # As the bridge does it: decode a view of the frame; encode only the head of the binary, and
            # write head and bytes with one writev(2). The other codecs have no equivalent.
            viewed = measure(partial(decode, memoryview(data)))
            headed = measure(partial(build_binary_head, len(term)))
            table.add_row("  uncopied", f"{viewed:.2f} / {headed:.2f}", *["-"] * (len(CODECS) - 1))
    Console(width=max(120, Console().width)).print(table)
    print("compiled" if implementation.compiled else "inetpy is pure here", flatness(), sep="; ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
