"""Compiled or pure: `compiled` is the compiled codec, or None.

The compiled codec is built when inetpy is installed, if there is a C compiler. INETPY_PURE=1
disables it. Both implementations behave the same: see _compiled.pyx.
"""

from __future__ import annotations

import os
from types import ModuleType

__all__ = ["compiled"]


def _load() -> ModuleType | None:
    if os.environ.get("INETPY_PURE"):
        return None
    try:
        from . import _compiled
    except ImportError:
        return None
    return _compiled


compiled = _load()
