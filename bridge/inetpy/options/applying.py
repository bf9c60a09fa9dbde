"""Lists of options: what they set, and what getopts answers.

From `prim_inet:setopts/2` and inet_drv:
- setopts and getopts answer einval for an option that is unknown, of a wrong type, or at the wrong
  place. Nothing is changed then.
- A list is applied from its end to its beginning, until a setting fails.
- The system's refusal of an option is not reported, unless its row says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from ..codec.terms import Atom, ImproperList
from .option import GET, SET, Option, OptionError, SocketClosed, Target
from .raw import parse_raw_request, read_raw

__all__ = ["Assignment", "apply", "elements", "get", "parse_setting", "parse_settings", "split"]

Assignment: TypeAlias = tuple[Option, object]


def elements(terms: object) -> Iterable[object]:
    """The elements of a list. Raises OptionError for what is none.

    Behind the elements of a list that does not end in `[]`, ValueError: there the stock functions fail.
    """
    if isinstance(terms, list):
        return terms
    if isinstance(terms, ImproperList):
        return _improper(terms)
    raise OptionError("not a list")


def _improper(terms: ImproperList) -> Iterator[object]:
    yield from terms.items
    raise ValueError("an improper list")


# --- setopts ------------------------------------------------------------------


def parse_settings(table: Mapping[str, Option], terms: object) -> list[Assignment]:
    """The rows and values of a list for setopts. Raises OptionError, or as `elements`."""
    return [parse_setting(table, *split(term), SET) for term in elements(terms)]


def split(term: object) -> tuple[str, Any]:
    """The name of an option in a list, and the term of its value. Raises OptionError."""
    if isinstance(term, tuple) and term and isinstance(term[0], Atom):
        if len(term) == 2:
            return term[0].name, term[1]
        if term[0].name == "raw":
            return "raw", term[1:]
    elif isinstance(term, Atom) and term.name in ("list", "binary"):
        return "mode", term
    raise OptionError("not an option")


def parse_setting(table: Mapping[str, Option], name: str, term: object, place: str) -> Assignment:
    """The row and value of one option. Raises OptionError."""
    row = table.get(name)
    if row is None or place not in row.places:
        raise OptionError(f"unknown option: {name}")
    try:
        return row, row.values.parse(term)
    except (KeyError, OverflowError, TypeError, ValueError):
        raise OptionError(f"bad value for {name}") from None


def apply(target: Target, assignments: Sequence[Assignment]) -> None:
    """Sets them, the last first. Raises OptionError where one fails."""
    for row, value in reversed(assignments):
        try:
            row.access.set(target, value)
        except OSError:
            continue  # the system refuses, and that is not reported
        except SocketClosed:
            return


# --- getopts ------------------------------------------------------------------


def get(target: Target, names: object) -> list[object]:
    """What getopts answers: an option that the system refuses is left out."""
    readers = [_reader(target, name) for name in elements(names)]
    answer = []
    for reader in readers:
        try:
            answer.append(reader())
        except OSError:
            continue
    return answer


def _reader(target: Target, name: object) -> Callable[[], object]:
    """What reads an option. Raises OptionError for a name that is none."""
    if isinstance(name, tuple):
        return _raw_reader(target, name)
    row = target.table.get(name.name) if isinstance(name, Atom) else None
    if row is None or GET not in row.places or row.name == "raw":
        raise OptionError("unknown option")
    return lambda: (name, row.values.build(row.access.get(target)))


def _raw_reader(target: Target, term: tuple[object, ...]) -> Callable[[], object]:
    name, value = split(term)
    if name != "raw" or not isinstance(value, tuple) or len(value) != 3:
        raise OptionError("no name of an option")
    return partial(read_raw, target, *parse_raw_request(*value))
