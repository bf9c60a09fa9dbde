"""Counters of a plain socket, by the names of info/1."""

from __future__ import annotations

__all__ = ["COUNTERS", "SENDFILE_COUNTERS", "ZERO", "Counters"]

COUNTERS = (
    "read_byte", "read_fails", "read_pkg", "read_pkg_max", "read_tries", "read_waits",
    "write_byte", "write_fails", "write_pkg", "write_pkg_max", "write_tries", "write_waits",
    "acc_success", "acc_fails", "acc_tries", "acc_waits",
)  # fmt: skip

ZERO = dict.fromkeys(COUNTERS, 0)

# A socket has these when its first file is sent. `sendfile` are calls of the system, `tries` files.
SENDFILE_COUNTERS = (
    "sendfile", "sendfile_byte", "sendfile_fails", "sendfile_max", "sendfile_pkg", "sendfile_pkg_max",
    "sendfile_tries", "sendfile_waits",
)  # fmt: skip


class Counters(dict[str, int]):
    """By the names of info/1. `recv_oct` and `send_oct` are what sockets of `inet` call the bytes.

    package: the bytes of a write that has not been complete yet. As in OTP they count when it is.
    """

    package = 0

    def note_part(self, size: int) -> None:
        """A write of which only these bytes went out. The caller waits."""
        self["write_tries"] += 1
        self["write_waits"] += 1
        self.package += size

    def note_written(self, size: int) -> None:
        """The last bytes of a write."""
        self["write_tries"] += 1
        self["write_pkg"] += 1
        self["write_byte"] += size
        self["write_pkg_max"] = max(self["write_pkg_max"], self.package + size)
        self.package = 0

    @property
    def recv_oct(self) -> int:
        return self["read_byte"]

    @property
    def send_oct(self) -> int:
        return self["write_byte"] + self.get("sendfile_byte", 0)
