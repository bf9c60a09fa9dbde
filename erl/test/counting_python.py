#!/usr/bin/env python3
"""inetpy that counts the bytes it splices and reads: for tests/test_large.py.

counting_python.py FILE; the counts are in the file from the first of them on.
"""

import json
import sys
from pathlib import Path

from inetpy.syscalls import Syscalls
from inetpy.transports import stdio


class Counting(Syscalls):
    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts = {"spliced": 0, "read": 0}

    def splice(self, *arguments):
        moved = super().splice(*arguments)
        self._add("spliced", moved)
        return moved

    def recv(self, *arguments):
        data = super().recv(*arguments)
        self._add("read", len(data))
        return data

    def _add(self, what: str, amount: int) -> None:
        self._counts[what] += amount
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(self._counts))
        new.rename(self._file)  # whoever reads the file finds it whole


sys.exit(stdio.run(syscalls=Counting(Path(sys.argv[1]))))
