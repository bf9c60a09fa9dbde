"""inetpy: a Python backend for the network calls of an Erlang node."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .codec.terms import Atom
    from .network.network import Network

__all__ = ["Atom", "Network"]

__version__ = "0.1.0"

# Where the public names are. They are imported when they are asked for, so that no command starts
# with more than it needs.
_PLACES = {"Atom": "codec.terms", "Network": "network.network"}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
