"""`make bench-codec`: our codec beside erlpack and erlang-py.

Microseconds for one decode and one encode, the best of several runs. A dash: the
codec cannot do that term.
"""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable
from functools import partial

import erlang
import erlpack
from rich.console import Console
from rich.table import Table

from inetpy.etf import decode, encode
from inetpy.terms import Atom, Charlist, Pid, Ref

NODE = b"w\x0dnonode@nohost"
PID = Pid(b"X" + NODE + b"\0\0\0\x55" + bytes(8))
REF = Ref(b"Z\0\3" + NODE + bytes(16))
OPTIONS = [
    Atom("binary"),
    (Atom("active"), Atom("false")),
    (Atom("packet"), 4),
    (Atom("nodelay"), Atom("true")),
]

TERMS: dict[str, object] = {
    "request": (Atom("recv"), 12, REF, (PID, 5000)),
    "options": OPTIONS,
    "map": {Atom("family"): Atom("inet"), Atom("port"): 80, b"key": [1.5, 70000]},
    "64 KB binary": bytes(65536),
    "charlist of 1000": Charlist(bytes(1000)),
    "1000 integers": list(range(1000, 2000)),
}

CODECS: dict[str, tuple[Callable[[bytes], object], Callable[[object], bytes]]] = {
    "inetpy": (decode, encode),
    "erlpack": (erlpack.unpack, erlpack.pack),
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


def main() -> int:
    table = Table(title="µs to decode / to encode", title_justify="left")
    table.add_column("term")
    for name in CODECS:
        table.add_column(name, justify="right")
    for title, term in TERMS.items():
        data = encode(term)
        cells = []
        for read, write in CODECS.values():
            decoding = measure(partial(read, data))
            encoding = None
            if decoding is not None:
                native = read(data)
                encoding = measure(partial(write, native))
            cells.append(" / ".join("-" if time is None else f"{time:.1f}" for time in (decoding, encoding)))
        table.add_row(title, *cells)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
