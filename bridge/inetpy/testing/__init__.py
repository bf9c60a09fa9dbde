"""inetpy in tests: a node of Erlang, and what a test says of it. docs/testing-pytest.md is for users.

node            `Node`: what a test asks
spawned         a process that a test has started
requests        questions to the agent of the node, and its answers
shells          which process of the node evaluates
sources         modules and folders of beams
cassette        what a test recorded once, and replays after
values          terms, and the texts of errors
errors          what is raised
emulator        the process `erl`
half            the Python half: a thread with the loop, the network and the server
plugin          the fixtures of pytest
hooks           what a conftest.py can define
session         what the fixtures share: the node and the network of a run of tests
failure_report  what a failed test shows
schedules       `faults`: a strategy of Hypothesis that draws faults
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..codec.terms import charlist
    from .errors import ErlangError, ErlangTimeoutError, Frame, NodeDownError
    from .node import Node
    from .schedules import faults
    from .spawned import Spawned
    from .values import LogEvent

__all__ = [
    "ErlangError",
    "ErlangTimeoutError",
    "Frame",
    "LogEvent",
    "Node",
    "NodeDownError",
    "Spawned",
    "charlist",
    "faults",
]

# Where the public names are. They are imported when they are asked for: a plugin of pytest is always loaded,
# and not everybody has Hypothesis.
_PLACES = {
    "ErlangError": ".errors",
    "ErlangTimeoutError": ".errors",
    "Frame": ".errors",
    "LogEvent": ".values",
    "Node": ".node",
    "NodeDownError": ".errors",
    "Spawned": ".spawned",
    "charlist": "..codec.terms",
    "faults": ".schedules",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_PLACES[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
