"""What setting an option means where it is more than an assignment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .option import OptionError, Target

if TYPE_CHECKING:
    from .settings import Settings

__all__ = [
    "enlarge_buffer", "enlarge_datagram_buffer", "get_active", "ignore", "remember_priority", "set_active",
    "set_buffer", "set_high_message_limit", "set_high_watermark", "set_low_message_limit",
    "set_low_watermark", "set_read_packets",
]  # fmt: skip

MAX_DATAGRAM = 1 << 16  # no datagram is larger


def ignore(_settings: Settings, _value: object) -> None:
    """Without effect in OTP too, on this system."""


# --- the active mode ----------------------------------------------------------


def set_active(target: Target, value: tuple[int, int]) -> None:
    target.set_active(*value)


def get_active(target: Target) -> tuple[int, int]:
    return target.active, target.active_count


# --- the receive buffer -------------------------------------------------------


def set_buffer(settings: Settings, value: int) -> None:
    settings.buffer = max(value, 1)
    settings.buffer_set = True


def enlarge_buffer(settings: Settings, recbuf: int) -> None:
    """After `recbuf`: a kernel buffer larger than ours enlarges ours, until `buffer` was set."""
    if not settings.buffer_set:
        settings.buffer = max(settings.buffer, recbuf)


def enlarge_datagram_buffer(settings: Settings, recbuf: int) -> None:
    """The same on datagram sockets: a large kernel buffer makes ours that of one datagram."""
    if recbuf <= MAX_DATAGRAM:
        enlarge_buffer(settings, recbuf)
    elif not settings.buffer_set:
        settings.buffer = MAX_DATAGRAM


def set_read_packets(settings: Settings, value: int) -> None:
    if value == 0:
        raise OptionError("read_packets is less than 1")
    settings.read_packets = value


# --- watermarks: the low one is never above the high one ----------------------


def set_high_watermark(settings: Settings, value: int) -> None:
    settings.high_watermark = max(value, 0)
    settings.low_watermark = min(settings.low_watermark, settings.high_watermark)


def set_low_watermark(settings: Settings, value: int) -> None:
    settings.low_watermark = max(value, 0)
    settings.high_watermark = max(settings.high_watermark, settings.low_watermark)


def set_high_message_limit(settings: Settings, value: int) -> None:
    settings.high_msgq_watermark = _message_limit(value)
    settings.low_msgq_watermark = min(settings.low_msgq_watermark, settings.high_msgq_watermark)


def set_low_message_limit(settings: Settings, value: int) -> None:
    settings.low_msgq_watermark = _message_limit(value)
    settings.high_msgq_watermark = max(settings.high_msgq_watermark, settings.low_msgq_watermark)


def _message_limit(value: int) -> int:
    """A limit of the emulator's queue of messages to a port: 64 bits without a sign."""
    limit = value % (1 << 64)
    if limit in (0, (1 << 64) - 1):
        raise OptionError("no limit of a queue of messages")
    return limit


# --- what others have to know -------------------------------------------------


def remember_priority(settings: Settings, _value: int) -> None:
    """Linux does not hand the priority on to accepted sockets: we do."""
    settings.priority_set = True
