"""The table of options and `Settings` belong together; each kind of sockets has its table."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields

import pytest

from inetpy import options
from inetpy.options.access import Kept, WithoutEffect
from inetpy.options.option import KINDS, PLACES
from inetpy.options.table import DEFAULTS, INHERITED, ROWS
from inetpy.packet import PACKET_TYPES

TABLES = {"stream": options.STREAM, "listener": options.LISTENER, "datagram": options.DATAGRAM}
# Fields that are no options: what setting some has to remember, and what http has seen last.
OWN = {"buffer_set", "priority_set", "controls", "in_headers"}


def test_fields_are_the_kept_options() -> None:
    """A row with `Kept` has a field, a field has a row, and no two rows share one."""
    kept = Counter(row.access.field for row in ROWS if isinstance(row.access, Kept))
    assert set(kept.values()) == {1}
    assert {field.name for field in fields(options.Settings)} == set(kept) | OWN


def test_new() -> None:
    """Defaults are those of the rows; that of `buffer` is the node's."""
    settings = options.Settings.new()
    assert {name: getattr(settings, name) for name in DEFAULTS} == DEFAULTS
    assert options.Settings.new(99).buffer == 99


def _changed(settings: options.Settings, name: str) -> object:
    """Another value than the one that the field has."""
    value = getattr(settings, name)
    if name == "packet":
        return PACKET_TYPES[4]
    return b"/netns" if value is None else not value if isinstance(value, bool) else value + 1


def test_inherited() -> None:
    """An accepted socket has the listener's value of what its row says, and else the default."""
    listener = options.Settings.new()
    for field in fields(listener):
        setattr(listener, field.name, _changed(listener, field.name))
    accepted, new = options.Settings.inherited(listener), options.Settings.new()
    for field in fields(listener):
        source = listener if field.name in INHERITED else new
        assert getattr(accepted, field.name) == getattr(source, field.name), field.name
    assert set(INHERITED) == set(DEFAULTS) - {"debug", "line_delimiter", "netns", "read_packets"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_row(row: options.Option) -> None:
    """It can stand somewhere, on some kind of sockets, and its default is a value that it can show."""
    assert row.places
    assert row.places <= set(PLACES)
    assert row.kinds
    assert row.kinds <= KINDS
    if isinstance(row.access, Kept) and row.name != "netns":
        assert row.values.parse(row.values.build(row.access.default)) == row.access.default


def test_rows_of_a_name() -> None:
    """They are for different kinds of sockets, and the same in what is said of them."""
    for name in options.OPTIONS:
        rows = [row for row in ROWS if row.name == name]
        assert sum(len(row.kinds) for row in rows) == len(frozenset().union(*(row.kinds for row in rows)))
        assert len({(row.values, row.places, row.inherited, row.since, row.note) for row in rows}) == 1


@pytest.mark.parametrize("kind", TABLES)
def test_table_of_a_kind(kind: str) -> None:
    """It knows every name. Rows for other kinds are there without effect."""
    table = TABLES[kind]
    assert list(table) == list(options.OPTIONS)
    for name, row in table.items():
        own = [other for other in ROWS if other.name == name and kind in other.kinds]
        assert [row] == own or (not own and isinstance(row.access, WithoutEffect))


def test_kinds() -> None:
    assert set(TABLES) == KINDS
    without = {
        kind: {name for name, row in table.items() if isinstance(row.access, WithoutEffect)}
        for kind, table in TABLES.items()
    }
    assert without["stream"] == without["listener"] == {"read_packets"}
    assert "send_timeout" in without["datagram"]
