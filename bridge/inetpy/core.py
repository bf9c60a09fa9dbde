"""The choice between the compiled core and pure Python.

The core is built when inetpy is installed, where there is a compiler; INETPY_PURE=1 leaves it
aside. Both are the same to everybody else: see _compiled.pyx.
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
