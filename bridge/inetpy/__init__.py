"""inetpy: a Python backend for the network calls of an Erlang node."""

__version__ = "0.1.0"
