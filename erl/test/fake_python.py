#!/usr/bin/env python3
"""A Python half that says what a test tells it to: for inetpy_failure_SUITE.

The frame `{say, 0, Ref, <<"SAY:", Frame/binary>>}` makes it say Frame. Pings get their answer. At the
end of its input, and at a frame with `LEAVE:`, it leaves.
"""

import sys

HELLO = b"\x83h\x03w\x05helloa\x01j"  # {hello, 1, []}
PONG = b"\x83w\x04pong"


def read() -> bytes:
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    return sys.stdin.buffer.read(size)


def say(frame: bytes) -> None:
    sys.stdout.buffer.write(len(frame).to_bytes(4, "big") + frame)
    sys.stdout.buffer.flush()


read()
say(HELLO)
while (frame := read()) and b"LEAVE:" not in frame:
    _, told, answer = frame.partition(b"SAY:")
    if told:
        say(answer)
    elif b"ping" in frame:
        say(PONG)
