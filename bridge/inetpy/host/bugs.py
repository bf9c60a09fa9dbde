"""What happens when our own code raises.

The loop calls methods of objects: sockets, their parts, callers that wait, links. When a method raises,
the bug is logged once with its traceback, the object ends and answers its callers, and all other
objects go on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

__all__ = ["Fallible", "end", "failed", "guard"]

log = logging.getLogger(__name__)


class Fallible(Protocol):
    """An object whose methods are called by the loop."""

    def fail(self, error: Exception) -> None:
        """Ends the object after a bug in one of its methods. All of its callers get an answer."""


def guard(callback: Callable[..., None], *args: object) -> None:
    """Calls a method of a `Fallible`, which ends when the method raises."""
    try:
        callback(*args)
    except Exception as error:  # noqa: BLE001  `failed` logs it
        failed(callback.__self__, error)  # type: ignore[attr-defined]


def failed(culprit: Fallible, error: Exception) -> None:
    """Logs a bug with its traceback, and ends the object that has it."""
    log.error("a bug ends %r", culprit, exc_info=error)
    end(culprit, error)


def end(culprit: Fallible, error: Exception) -> None:
    """Ends an object, whatever else goes wrong on the way."""
    try:
        culprit.fail(error)
    except Exception:
        log.exception("the end of %r failed, too", culprit)
