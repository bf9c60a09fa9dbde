"""The protocols that this host has names for: protocols(5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["protocols"]

FILE = Path("/etc/protocols")
LONGEST = 255  # characters of a name, which is an atom in Erlang
# What every host knows, also one without the file.
BUILT_IN = [
    (0, ["ip", "IP"]),
    (1, ["icmp", "ICMP"]),
    (6, ["tcp", "TCP"]),
    (17, ["udp", "UDP"]),
    (41, ["ipv6", "IPv6"]),
]


def protocols() -> list[tuple[int, list[str]]]:
    """The numbers, each with its names; in the order of the file. The first line of a number names it."""
    try:
        text = FILE.read_text("utf-8", "replace")
    except OSError:
        return BUILT_IN
    return list(_lines(text)) or BUILT_IN


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for line in text.splitlines():
        words = [word for word in line.partition("#")[0].split() if len(word) <= LONGEST]
        if len(words) >= 2 and words[1].isdigit():
            yield int(words[1]), [words[0], *words[2:]]
