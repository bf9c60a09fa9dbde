"""What every process of ours begins with."""

from __future__ import annotations

import asyncio
import resource
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..network.engine import Engine

__all__ = ["allow_many_sockets", "new_loop", "trace_to"]


def allow_many_sockets() -> None:
    """As many open files as this user may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def new_loop(uvloop_wanted: bool) -> asyncio.AbstractEventLoop:
    """uvloop's where it is wanted and installed."""
    if uvloop_wanted:
        try:
            import uvloop
        except ImportError:
            pass
        else:
            return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def trace_to(path: str | None, engine: Engine) -> Callable[[], None]:
    """A trace of all sockets in that file, where there is one. The result ends the trace.

    What goes wrong at the end is for the standard error: a node takes no more lines of the log then.
    """
    if path is None:
        return lambda: None
    from ..network import trace

    record = trace.begin_in_file(engine, path)
    if record is None:
        return lambda: None

    def end() -> None:
        before = record.failure
        trace.end(engine, record)
        if record.failure != before:
            print(f"inetpy: the trace ends: {record.failure}", file=sys.stderr)

    return end
