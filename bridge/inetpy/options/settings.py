"""The values of options that are kept in our socket."""

from __future__ import annotations

from dataclasses import dataclass

from ..packet import PacketType
from .table import DEFAULTS, INHERITED

__all__ = ["Settings"]


@dataclass(slots=True, eq=False, repr=False)
class Settings:
    """One field for each row of the table with `Kept`, which says its default too. Below them, our own.

    buffer: bytes of a receive buffer. send_timeout: in ms; None for ever.
    as_list: data is handed out as a list. as_port: messages look like those of a port.

    buffer_set: `buffer` was set, and `recbuf` leaves it alone.
    priority_set: `priority` was set, and an accepted socket gets it from its listener.
    controls: not 0 when datagrams come with control messages.
    in_headers: of packets of http, whether a header comes next (`packet.Settings`).
    """

    as_list: bool
    as_port: bool
    buffer: int
    debug: bool
    delay_send: bool
    exclusiveaddruse: bool
    exit_on_close: bool
    header: int
    high_msgq_watermark: int
    high_watermark: int
    line_delimiter: int
    low_msgq_watermark: int
    low_watermark: int
    netns: bytes | None
    packet: PacketType
    packet_size: int
    read_ahead: bool
    read_packets: int
    send_timeout: int | None
    send_timeout_close: bool
    show_econnreset: bool

    buffer_set: bool = False
    priority_set: bool = False
    controls: int = 0
    in_headers: bool = False

    @classmethod
    def new(cls, default_buffer: int | None = None) -> Settings:
        """Of a new socket. `default_buffer`: of the node's stock driver."""
        settings = cls(**DEFAULTS)
        settings.buffer = default_buffer or settings.buffer
        return settings

    @classmethod
    def inherited(cls, listener: Settings) -> Settings:
        """Of an accepted socket."""
        values = DEFAULTS | {name: getattr(listener, name) for name in INHERITED}
        return cls(**values)
