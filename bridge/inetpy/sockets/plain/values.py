"""Arguments that are numbers, as C has them."""

from __future__ import annotations

from typing import Any

from ...codec.terms import Atom, Charlist, ImproperList

__all__ = [
    "Fails",
    "NoClause",
    "OutOfRange",
    "WrongType",
    "c_int",
    "elements",
    "parse_integer",
    "parse_size",
]


class WrongType(Exception):  # noqa: N818
    """An argument of another type: the call fails with badarg."""


class OutOfRange(Exception):  # noqa: N818
    """A number that C has no room for: the call answers `{invalid, {integer_range, N}}`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.term = (Atom("invalid"), (Atom("integer_range"), number))


class Fails(Exception):  # noqa: N818
    """The call fails with this reason."""

    def __init__(self, term: Any) -> None:
        super().__init__(term)
        self.term = term


class NoClause(Exception):  # noqa: N818
    """OTP fails with `{case_clause, term}`, or with `if_clause` where the term is None."""

    def __init__(self, term: Any) -> None:
        super().__init__(term)
        self.term = term


def c_int(number: int) -> int:
    """OTP has no clause for a number that is no int of C."""
    if not -(1 << 31) <= number < 1 << 31:
        raise NoClause((Atom("integer_range"), number))
    return number


def elements(term: Any) -> tuple[list[Any], Any]:
    """The elements of a list, and what stands in the place of its end: None for a proper list."""
    if isinstance(term, (list, Charlist)):
        return list(term), None
    if isinstance(term, ImproperList):
        return list(term.items), term.tail
    return [], term


def parse_integer(term: Any) -> int:
    """An int of C."""
    if type(term) is not int:
        raise WrongType(term)
    if not -(1 << 31) <= term < 1 << 31:
        raise OutOfRange(term)
    return term


def parse_size(term: Any) -> int:
    """A size_t of C."""
    if type(term) is not int:
        raise WrongType(term)
    if not 0 <= term < 1 << 64:
        raise OutOfRange(term)
    return term
