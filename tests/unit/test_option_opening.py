"""The options of connect, listen and open."""

from __future__ import annotations

import pytest

from inetpy import options
from inetpy.codec.terms import Atom, ImproperList

TRUE, FALSE, RAW = Atom("true"), Atom("false"), Atom("raw")
V4 = (127, 0, 0, 1)


def parsed(*terms: object, preset: object = (), place: str = options.CONNECT) -> options.OpenOptions:
    return options.parse_open(list(terms), list(preset), place)  # type: ignore[call-overload]


def names(opening: options.OpenOptions) -> list[str]:
    return [row.name for row, _ in opening.assignments]


def values(opening: options.OpenOptions) -> dict[str, object]:
    return {row.name: value for row, value in opening.assignments}


def test_nothing() -> None:
    """A socket is active unless it is said."""
    opening = parsed()
    assert names(opening) == ["active"]
    assert (opening.address, opening.port, opening.backlog, opening.descriptor) == (None, 0, 5, None)


def test_the_last_wins() -> None:
    """And stands where it came last."""
    opening = parsed((Atom("header"), 1), (Atom("packet_size"), 2), (Atom("header"), 3), Atom("binary"))
    assert names(opening) == ["active", "packet_size", "header", "mode"]
    assert values(opening)["header"] == 3


def test_preset() -> None:
    """Comes before the caller's own; `active` is not taken from it."""
    preset = [(Atom("active"), FALSE), (Atom("active"), 1, 2), (Atom("header"), 1), (Atom("packet_size"), 1)]
    opening = parsed((Atom("header"), 2), preset=preset)
    assert names(opening) == ["active", "packet_size", "header"]
    assert values(opening)["active"] == (1, 0)


def test_repeated() -> None:
    """Raw options and groups stand beside each other, but for the long form of IPv4 and IPv6."""
    raw = [(RAW, 6, 1, b"a"), (RAW, 6, 1, b"b"), (RAW, (6, 1, b"c"))]
    assert names(parsed(*raw)) == ["active", "raw", "raw", "raw"]
    group, six = (224, 0, 0, 1), (0xFF02, 0, 0, 0, 0, 0, 0, 1)
    join = [(Atom("add_membership"), (group, Atom("any"))) for _ in range(2)]
    assert names(parsed(*join, place=options.OPEN)).count("add_membership") == 2
    long = (Atom("add_membership"), (group, Atom("any"), 0))
    assert (
        names(parsed(long, long, (Atom("add_membership"), (six, 1)), place=options.OPEN)).count(
            "add_membership"
        )
        == 1
    )


def test_addresses() -> None:
    """`ip` and `port` after a sockaddr map replace a part of it."""
    sockaddr = {Atom("family"): Atom("inet"), Atom("addr"): Atom("any"), Atom("port"): 1}
    assert parsed((Atom("ip"), V4), (Atom("port"), 5)).address == V4
    opening = parsed((Atom("port"), 9), (Atom("ifaddr"), sockaddr), (Atom("ip"), V4), (Atom("port"), 5))
    assert opening.address == {Atom("family"): Atom("inet"), Atom("addr"): V4, Atom("port"): 5}
    assert opening.port == 9
    assert parsed((Atom("ip"), V4), (Atom("ifaddr"), Atom("any"))).address == Atom("any")


def test_for_the_opening() -> None:
    opening = parsed((Atom("fd"), 7), (Atom("netns"), b"/there"))
    assert (opening.descriptor, opening.netns) == (7, b"/there")
    assert names(opening) == ["active", "netns"]


def test_backlog() -> None:
    """Of listen only."""
    assert parsed((Atom("backlog"), 7), place=options.LISTEN).backlog == 7
    for place in (options.CONNECT, options.OPEN):
        with pytest.raises(options.OptionError):
            parsed((Atom("backlog"), 7), place=place)


@pytest.mark.parametrize(
    ("place", "term"),
    [
        (options.CONNECT, (Atom("broadcast"), TRUE)),
        (options.LISTEN, (Atom("line_delimiter"), 10)),
        (options.OPEN, (Atom("nodelay"), TRUE)),
        (options.CONNECT, (Atom("nopush"), TRUE)),
        (options.CONNECT, Atom("nonsense")),
        (options.CONNECT, (Atom("header"), -1)),
        (options.CONNECT, [Atom("header"), 1]),
    ],
)
def test_refused(place: str, term: object) -> None:
    with pytest.raises(options.OptionError):
        parsed(term, place=place)


def test_no_list() -> None:
    for given, preset in ((Atom("x"), []), ([], Atom("x")), (ImproperList([Atom("binary")], 1), [])):
        with pytest.raises(options.OptionError):
            options.parse_open(given, preset, options.CONNECT)
