"""The fast paths: what is done for speed alone. INETPY_FAST=0 turns all of them off.

paths  the paths and their thresholds
duct   a pipe of our own, through which bytes go from a socket to the node
"""

from __future__ import annotations

from .duct import Duct
from .paths import BEGINNING, LARGE, FastPaths

__all__ = ["BEGINNING", "LARGE", "Duct", "FastPaths"]
