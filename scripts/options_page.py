"""Writes docs/options.md from the table of options: python scripts/options_page.py."""

from __future__ import annotations

from pathlib import Path

from inetpy import options

PAGE = Path(__file__).parent.parent / "docs" / "options.md"

HEAD = """# Socket options

Made from the table in `bridge/inetpy/options.py` by `scripts/options_page.py`; a test
holds it to be true. All behave as those of `inet_drv`, except where a note
says otherwise. *Since* is the edition of OTP whose documentation has the option first
(17: or before): those of a later edition than the node's work on its inetpy sockets too.

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
    # Accepted sockets get `active` by a rule of its own, see Listener.
    inherited = "yes" if row.inherited or row.name == "active" else ""
    cells = [f"`{row.name}`", *marks, inherited, str(row.since), row.note]
    return "| " + " | ".join(cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
