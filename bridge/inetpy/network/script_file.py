"""A trace as a schedule: its rules, and where they happened by chance."""

from __future__ import annotations

from os import PathLike

from .rules import Rule
from .scripts import Place, Recorded, Script, Scripts, parse_facts

__all__ = ["read_scripts"]


def read_scripts(path: str | PathLike[str]) -> Scripts:
    """Those of a trace, `.jsonl` or `.pcapng`. Raises ValueError with a sentence, and OSError."""
    from ..trace.read import read_trace

    trace = read_trace(path)
    if not trace.rules:
        raise ValueError(f"{path}: there is no rule in this trace, so there is nothing to repeat")
    for rule in trace.rules:
        try:
            Rule(*parse_facts(rule.facts))
        except KeyError as error:
            raise ValueError(f"{path}: a rule of the trace cannot be: there is no {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: a rule of the trace cannot be: {error}") from None
    return Scripts(
        [
            Recorded(
                rule.facts, rule.by, Script(rule.seed, frozenset(Place(*place) for place in rule.places))
            )
            for rule in trace.rules
        ]
    )
