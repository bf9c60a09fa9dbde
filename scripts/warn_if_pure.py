"""Warns if inetpy was installed without its compiled codec: pip hides the warning of setup.py."""

from __future__ import annotations

import os

from inetpy.codec import implementation

if implementation.compiled is None and not os.environ.get("INETPY_PURE"):
    print("inetpy: the compiled codec was NOT built; the codec is pure Python, and ten times slower.")
    print("        Install gcc and python3-dev, then run: rm -f .venv/.tools && make build")
