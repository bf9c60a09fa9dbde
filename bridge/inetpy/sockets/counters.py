"""The counters of inet:getstat/2."""

from __future__ import annotations

__all__ = ["NAMES", "Counters"]

NAMES = (
    "recv_oct", "recv_cnt", "recv_max", "recv_avg", "recv_dvi",
    "send_oct", "send_cnt", "send_max", "send_avg", "send_pend",
)  # fmt: skip


class Counters:
    """Bytes and packets of one socket; `oct` counts bytes, `dvi` is the mean deviation from `avg`.

    send_pend is not counted here: see `Handle.send_pend`.
    """

    __slots__ = (
        "recv_avg", "recv_cnt", "recv_dvi", "recv_max", "recv_oct", "send_cnt", "send_max", "send_oct",
    )  # fmt: skip

    def __init__(self) -> None:
        self.recv_oct = self.recv_cnt = self.recv_max = 0
        self.send_oct = self.send_cnt = self.send_max = 0
        self.recv_avg = self.recv_dvi = 0.0

    @property
    def send_avg(self) -> float:
        return self.send_oct / self.send_cnt if self.send_cnt else 0.0

    def received(self, size: int) -> None:
        """A packet of `size` bytes has come (inet_input_count)."""
        count = self.recv_cnt = self.recv_cnt + 1
        self.recv_oct += size
        if size > self.recv_max:
            self.recv_max = size
        self.recv_avg += (size - self.recv_avg) / count
        self.recv_dvi += (size - self.recv_avg - self.recv_dvi) / count

    def sent(self, size: int) -> None:
        """A packet of `size` bytes goes out (inet_output_count)."""
        self.send_cnt += 1
        self.send_oct += size
        if size > self.send_max:
            self.send_max = size
