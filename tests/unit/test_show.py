"""Terms and errors as text: always one line."""

from __future__ import annotations

import logging
import sys
import time

import pytest
from hypothesis import given, strategies as st

from inetpy.codec.show import LIMIT, shown
from inetpy.codec.terms import Atom, BitString, Charlist, ImproperList, Pid, Unread

deep: object = 1
for _ in range(100_000):
    deep = [deep]
endless: list[object] = []
endless.append(endless)

TERMS = {
    "integer": (-17, "-17"),
    "integer of thousands of digits": (1 << 20_000, "<integer of 20001 bits>"),
    "atom": (Atom("a"), "Atom('a')"),
    "binary": (b"a\n\0", r"b'a\n\x00'"),
    "large binary": (b"x" * (1 << 28), "...<268435456>"),
    "text": ("a\nb", r"'a\nb'"),
    "charlist": (Charlist(b"abc"), "Charlist(b'abc')"),
    "view": (memoryview(b"abc"), "memoryview(b'abc')"),
    "bits": (BitString(b"\xe0", 3), "BitString(b'\\xe0', 3)"),
    "tuple": ((1, Atom("b")), "(1, Atom('b'))"),
    "tuple of one": ((1,), "(1,)"),
    "improper list": (ImproperList([1], 2), "[1 | 2]"),
    "map": ({1: 2}, "{1}"),
    "long list": (list(range(1_000_000)), "[0, 1, 2, 3, 4, 5, ...]"),
    "nested deep": (deep, "[[[[...]]]]"),
    "within itself": (endless, "[[[[...]]]]"),
    "pid": (Pid(b"X"), "<Pid>"),
    "unread": (Unread(b"h\1" * 1_000_000), "<Unread>"),
    "error": (ValueError(1 << 20_000, "text"), "ValueError(<integer of 20001 bits>, 'text')"),
    "error of an error": (KeyError(ValueError((deep,))), "KeyError(ValueError(([[...]],)))"),
    "class": (object(), "<object>"),
}


@pytest.mark.parametrize("name", TERMS)
def test_shown(name: str) -> None:
    """The type and the beginning of a term are shown, and long parts are shortened."""
    value, text = TERMS[name]
    started = time.perf_counter()
    line = shown(value)
    assert time.perf_counter() - started < 0.5
    assert text in line
    assert len(line) <= LIMIT
    assert line.isprintable()


terms = st.recursive(
    st.one_of(
        st.integers(), st.floats(), st.binary(), st.text(), st.text().map(Atom), st.binary().map(Charlist)
    ),
    lambda parts: st.one_of(
        st.lists(parts),
        st.lists(parts).map(tuple),
        st.lists(parts, min_size=1).map(lambda items: ImproperList(items, 0)),
    ),
)


@given(terms)
def test_always_one_line(term: object) -> None:
    """Any term gives one line."""
    line = shown(term)
    assert len(line) <= LIMIT
    assert "\n" not in line


def test_log_record_that_cannot_be_formatted(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad log record is still logged, and raises no error."""
    from inetpy.links.logs import NodeHandler

    notes: list[bytes] = []

    class Link:
        def log(self, _level: str, text: bytes) -> None:
            notes.append(text)

    handler = NodeHandler(Link(), None)  # type: ignore[arg-type]
    for message, value in [
        ("%d", "no number"),
        ("%r", 1 << 20_000),
        ("%s", "\ud800"),
        ("%s", "x" * 1_000_000),
    ]:
        handler.emit(logging.LogRecord("inetpy", logging.ERROR, "", 0, message, (value,), None))
    assert len(notes) == 4
    assert b"cannot be formatted" in notes[0]
    assert sys.get_int_max_str_digits() == 0 or b"cannot be formatted" in notes[1]
    assert max(map(len, notes)) < 10_000
