"""Names of protocols, which are names of levels of options too. They are the host's."""

from __future__ import annotations

from ...codec.terms import Atom
from ...session.session import Session

__all__ = ["level_aliases", "level_name", "protocol_name", "protocol_names", "protocol_number"]


def protocol_names(session: Session) -> list[str]:
    return [name for _, names in session.protocols for name in names]


def protocol_number(session: Session, name: str) -> int | None:
    return next((number for number, names in session.protocols if name in names), None)


def protocol_name(session: Session, number: int) -> object:
    """The first name of a protocol, or the number."""
    names = next((names for known, names in session.protocols if known == number), None)
    return Atom(names[0]) if names else number


def level_aliases(session: Session, level: str) -> list[str]:
    """The names of a level of options: those of its protocol; from OTP 28 on only the first."""
    if level == "socket" or not session.before_28:
        return [level]
    return next((names for _, names in session.protocols if level in names), [])


def level_name(session: Session, alias: str) -> str:
    """The name of a level in the tables of options."""
    if not session.before_28:
        return alias
    return next((names[0] for _, names in session.protocols if alias in names), alias)
