"""Says so when inetpy was installed without its compiled core: pip hides what the build says."""

from __future__ import annotations

import os

from inetpy import core

if core.compiled is None and not os.environ.get("INETPY_PURE"):
    print("inetpy: the compiled core was NOT built; the codec is pure Python, and ten times slower.")
    print("        Install gcc and python3-dev, then run: rm -f .venv/.tools && make build")
