"""Log records go to the logger of the node, in frames."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Protocol

from ..codec.show import shown

__all__ = ["NodeHandler"]

LOG_SIZE = 1 << 13  # characters of a log record

_LEVELS = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
)


class Log(Protocol):
    """What a handler needs of a link."""

    def log(self, level: str, text: bytes) -> None: ...


class NodeHandler(logging.Handler):
    """A handler of `logging`. Records of other threads go through the loop."""

    def __init__(self, link: Log, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._link = link
        self._loop = loop
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        level = next((name for number, name in _LEVELS if record.levelno >= number), "debug")
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001  a log record must not be the end of what it tells of
            text = f"{record.msg} (which cannot be formatted: {shown(error)})"
        data = text[:LOG_SIZE].encode(errors="backslashreplace")
        if threading.get_ident() == self._thread:
            self._link.log(level, data)
        else:
            self._loop.call_soon_threadsafe(self._link.log, level, data)
