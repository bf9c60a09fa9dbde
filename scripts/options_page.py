"""Writes docs/options.md from the tables of options: python scripts/options_page.py."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from inetpy import options
from inetpy.options.plain import PLAIN_OPTIONS, PlainOption
from inetpy.options.table import ROWS, system_options
from inetpy.sockets.plain.settings import OWN, Own

PAGE = Path(__file__).parent.parent / "docs" / "options.md"

HEAD = """# Socket options

    1> inet:setopts(S, [{recbuf, 100000}]).
    ok
    2> inetpy_socket:setopt(S2, {socket, rcvbuf}, 100000).
    ok

Both set one option of the system. `bridge/inetpy/options/plain.py` has one row for each option of the
system, with its number and its type, under the name that `socket` has for it. A row of `inet` in
`bridge/inetpy/options/table.py` names that row, if its work is done by the system. This page is written
from both tables by `scripts/options_page.py`; a test compares the page and the tables.

"""

INET = """## Options of `inet`, `gen_tcp` and `gen_udp`

The options behave as those of `inet_drv`, except where a note says otherwise. *Since* is the first
edition of OTP whose documentation has the option (17: that one or an earlier one). Options of a later
edition than the node's work on inetpy sockets too. *System* is the name of the same option in `socket`.

"""

INET_TAIL = """
Besides: `list` and `binary` are short for `mode`; `ip`, `ifaddr`, `port`, `inet`, `inet6`,
`local`, `tcp_module`, `udp_module`, and for listen `backlog`, are for opening. `{fd, N}` opens a
socket of the node's descriptor N.

"""

SYSTEM = """## Options of `socket`

Of level `otp`, which are the socket's own:

"""

PLAIN = """
Of the system. *Sockets* says which ones have the option on Linux. *Since* is the first edition of OTP whose
`socket` has the option, if that is not the first edition with `socket`. `supports/0,1,2` and
`is_supported/1,2,3` answer from these rows.

"""

MISSING = """
`socket` has names for more options, which it does not have on Linux. `supports` says `false` of them, and
`getopt` and `setopt` answer `{error, {invalid, {socket_option, Option}}}`:

"""

COLUMNS = ("option", "number", "`inet`", "values", "get", "set", "sockets", "since")


def page() -> str:
    """The page as it should be."""
    inet = sorted(options.OPTIONS.values(), key=lambda row: row.name)
    there = [row for row in PLAIN_OPTIONS.values() if row.values is not None]
    return "".join((
        HEAD,
        INET,
        _table(("option", "system", *options.PLACES, "inherited", "since", "note"), map(_inet, inet)),
        INET_TAIL,
        SYSTEM,
        _table(("option", "values", "get", "set"), map(_own, OWN.items())),
        PLAIN,
        _table(COLUMNS, map(_plain, there)),
        MISSING,
        _table(("level", "options"), _missing()),
    )).replace("| open |", "| open (UDP) |", 1)  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n".replace("|  |", "| |") for cells in lines)


def _mark(value: object) -> str:
    return "yes" if value else ""


def _name(row: PlainOption) -> str:
    return f"`{{{row.level}, {row.name}}}`"


def _inet(row: options.Option) -> Sequence[str]:
    marks = [_mark(place in row.places) for place in options.PLACES]
    system = ", ".join(map(_name, system_options(row)))
    return f"`{row.name}`", system, *marks, _mark(row.inherited), str(row.since), row.note


def _own(item: tuple[str, Own]) -> Sequence[str]:
    name, own = item
    return f"`{{otp, {name}}}`", own.form, "yes", _mark(own.set)


_INET_NAMES: Mapping[PlainOption, Sequence[str]] = {
    option: sorted({f"`{row.name}`" for row in ROWS if option in system_options(row)})
    for option in PLAIN_OPTIONS.values()
}


def _plain(row: PlainOption) -> Sequence[str]:
    values = row.values
    assert values is not None
    inet = ", ".join(_INET_NAMES[row])
    can = _mark(values.build), _mark(values.parse)
    return _name(row), str(row.number), inet, values.form, *can, _sockets(row), _since(row)


def _sockets(row: PlainOption) -> str:
    """The domains and types that have the option."""
    domains, types = row.where
    if not domains:
        return "none: Linux refuses it"
    parts = [", ".join(domains) if len(domains) < 3 else "", ", ".join(types) if len(types) < 4 else ""]
    return ": ".join(part for part in parts if part) or "all"


def _since(row: PlainOption) -> str:
    since = str(row.since) if row.since > 22 else ""
    return since if row.until is None else f"{since} until {row.until}".strip()


def _missing() -> Iterable[Sequence[str]]:
    for level in dict.fromkeys(row.level for row in PLAIN_OPTIONS.values()):
        names = [
            f"`{row.name}`" for row in PLAIN_OPTIONS.values() if row.level == level and row.values is None
        ]
        if names:
            yield f"`{level}`", ", ".join(names)


if __name__ == "__main__":
    PAGE.write_text(page())
