"""Writes docs/options.md from the table of options: python scripts/options_page.py."""

from __future__ import annotations

from pathlib import Path

from inetpy import options

PAGE = Path(__file__).parent.parent / "docs" / "options.md"

HEAD = """# Socket options

This page is written by `scripts/options_page.py` from the table in `bridge/inetpy/options/table.py`;
a test compares the two. The options behave as those of `inet_drv`, except where a note says
otherwise. *Since* is the first edition of OTP whose documentation has the option (17: that one or
an earlier one). Options of a later edition than the node's work on inetpy sockets too.

| option | connect | listen | open (UDP) | setopts | getopts | inherited | since | note |
|---|---|---|---|---|---|---|---|---|
"""

TAIL = """
Besides: `list` and `binary` are short for `mode`; `ip`, `ifaddr`, `port`, `inet`, `inet6`,
`local`, `tcp_module`, `udp_module`, and for listen `backlog`, are for opening. `{fd, N}` opens a
socket of the node's descriptor N.
"""


def page() -> str:
    """The page as it should be."""
    rows = sorted(options.OPTIONS.values(), key=lambda row: row.name)
    return HEAD + "".join(map(_line, rows)) + TAIL


def _line(row: options.Option) -> str:
    marks = ["yes" if place in row.places else "" for place in options.PLACES]
    cells = [f"`{row.name}`", *marks, "yes" if row.inherited else "", str(row.since), row.note]
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
