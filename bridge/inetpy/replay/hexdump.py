"""What differs between what was recorded and what came, to read.

expected  00000000  47 45 54 20 2f 61 0d 0a                          |GET /a..|
                                   ^^
     got  00000000  47 45 54 20 2f 62 0d 0a                          |GET /b..|
                                   ^^
"""

from __future__ import annotations

__all__ = ["first_difference", "show_difference"]

WIDTH = 16  # bytes of a line
BEFORE, AFTER = 1, 2  # lines around the one with the difference


def first_difference(one: bytes, other: bytes) -> int:
    """The number of equal bytes at the beginning."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:
        return shorter
    low, high = 0, shorter  # one[:low] is equal, one[:high] is not
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def show_difference(expected: bytes, got: bytes, at: int, offset: int) -> str:
    """Both as a hexdump around the difference. at: where it is. offset: of the first byte, in its stream."""
    start = max(at - at % WIDTH - BEFORE * WIDTH, 0)
    end = start + (BEFORE + 1 + AFTER) * WIDTH
    return "\n".join(
        line
        for title, data in (("expected", expected), ("got", got))
        for line in _dump(title, data[start:end], offset + start, at - start)
    )


def _dump(title: str, data: bytes, offset: int, at: int) -> list[str]:
    lines = []
    for start in range(0, max(len(data), at + 1), WIDTH):
        row = data[start : start + WIDTH]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        head = f"{title if start == 0 else '':>10}  {offset + start:08x}  "
        lines.append(f"{head}{row.hex(' '):<{3 * WIDTH}} |{text}|")
        if start <= at < start + WIDTH:
            lines.append(" " * (len(head) + 3 * (at - start)) + "^^")
    return lines
