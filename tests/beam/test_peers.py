"""inetpy compared with erlpack and erlang-py, on terms that OTP 25 writes.

A codec can do a term if it reads the emulator's bytes, writes the value again, and the emulator
reads the result as the same term. docs/terms.md has the table.
"""

from __future__ import annotations

from collections.abc import Callable

import erlang
import erlpack
import pytest

from conftest import TOP, Oracle
from inetpy.codec.etf import decode, encode

# name, the term in Erlang
TERMS = [
    ("small integer", "7"),
    ("integer", "-100000"),
    ("big integer", "1 bsl 100"),
    ("float", "1.5"),
    ("atom", "ok"),
    ("atom in UTF-8", "'λ'"),
    ("binary", "<<1, 2, 255>>"),
    ("charlist", '"chars"'),
    ("bitstring", "<<5:3>>"),
    ("tuple", "{1, {2, 3}}"),
    ("large tuple", "list_to_tuple(lists:seq(1, 300))"),
    ("list", "[a, [], [b]]"),
    ("improper list", "[a | b]"),
    ("map", "#{a => 1, <<98>> => 2}"),
    ("map with 1 and 1.0", "#{1 => a, 1.0 => b}"),
    ("map with a list as key", "#{[a, b] => 1}"),
    ("pid", "self()"),
    ("reference", "make_ref()"),
    ("port", "hd(erlang:ports())"),
    ("export", "fun lists:map/2"),
    ("closure", "fun(X) -> X end"),
]

CODECS: dict[str, tuple[Callable[[bytes], object], Callable[[object], bytes]]] = {
    "inetpy": (decode, encode),
    "erlpack": (erlpack.unpack, erlpack.pack),
    "erlang-py": (erlang.binary_to_term, erlang.term_to_binary),
}


@pytest.fixture(scope="module")
def written(oracle: Oracle) -> dict[str, bytes]:
    """Each term as the emulator writes it."""
    return {name: oracle.evaluate(text) for name, text in TERMS}


def reads(oracle: Oracle, codec: str, data: bytes) -> bool:
    read, write = CODECS[codec]
    try:
        back = write(read(data))
    except Exception:
        return False
    return oracle.read(bytes(back)) == oracle.read(data)


def test_table_of_peers(oracle: Oracle, written: dict[str, bytes]) -> None:
    """The table in docs/terms.md is up to date."""
    lines = ["| term | " + " | ".join(CODECS) + " |", "|---|" + "---|" * len(CODECS)]
    for name, _ in TERMS:
        marks = ["yes" if reads(oracle, codec, written[name]) else "no" for codec in CODECS]
        lines.append(f"| {name} | " + " | ".join(marks) + " |")
    table = "\n".join(lines)
    assert table in (TOP / "docs" / "terms.md").read_text(), f"\n{table}"


def test_ours_reads_all(oracle: Oracle, written: dict[str, bytes]) -> None:
    """inetpy can do all of the terms."""
    assert [name for name, data in written.items() if not reads(oracle, "inetpy", data)] == []
