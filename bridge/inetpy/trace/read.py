"""Reads the file of a trace.

    trace = read_trace("run.jsonl")         or run.pcapng; also a pcapng of tshark, dumpcap, Wireshark
    trace.sockets, trace.records, trace.notes

The format is told by the first bytes, and not by the name.
"""

from __future__ import annotations

from os import PathLike, fspath

from .records import ReadTrace

__all__ = ["TraceFileError", "read_trace"]

_PCAPNG = b"\x0a\x0d\x0d\x0a"
_PCAP = {b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1"}


class TraceFileError(ValueError):
    """A file is no trace, or broken in its middle. The text has the file, the place, and what to do."""


def read_trace(path: str | PathLike[str]) -> ReadTrace:
    """A file that was cut short is read up to there: see `ReadTrace.notes`.

    Raises TraceFileError, and OSError where the file cannot be read.
    """
    name = fspath(path)
    with open(name, "rb") as file:
        data = file.read()
    trace = ReadTrace(name)
    try:
        if data[:4] in _PCAP:
            raise ValueError("this is a pcap of the old format: editcap -F pcapng makes a pcapng of it")
        if data[:4] == _PCAPNG:
            from .read_pcapng import read_capture

            read_capture(data, trace)
        else:
            from .read_jsonl import read_lines

            read_lines(data, trace)
    except ValueError as error:
        raise TraceFileError(f"{name}: {error}") from None
    return trace
