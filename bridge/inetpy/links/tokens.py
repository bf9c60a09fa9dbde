"""The tokens that nodes show: a secret that the server and its nodes have, 16 bytes or more of text.

A token comes in the variable INETPY_TOKEN or in a file, and never in the arguments of a command, which all
users of a host can read.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

__all__ = ["TokenError", "admit", "read_tokens"]

SHORTEST = 16  # bytes
HOW = "`openssl rand -hex 32 > FILE` makes a good one"


class TokenError(Exception):
    """A token that cannot be used, in one sentence."""


def read_tokens(file: Path | None, environ: Mapping[bytes, bytes]) -> list[bytes]:
    """Those of a file, one in each line: a new one can be there beside the old. And that of INETPY_TOKEN.

    Raises TokenError.
    """
    tokens = []
    if file is not None:
        try:
            tokens = [line.strip() for line in file.read_bytes().splitlines() if line.strip()]
        except OSError as error:
            raise TokenError(f"{file} cannot be read: {error.strerror}") from None
        if not tokens:
            raise TokenError(f"{file} has no token in it; {HOW}")
    if given := environ.get(b"INETPY_TOKEN", b"").strip():
        tokens.append(given)
    if any(len(token) < SHORTEST for token in tokens):
        raise TokenError(f"a token has {SHORTEST} bytes or more; {HOW}")
    return tokens


def admit(tokens: Sequence[bytes], label: str = "") -> Callable[[bytes], str | None]:
    """The label for a node that has one of these tokens, and None for another. Without tokens for all."""

    def decide(given: bytes) -> str | None:
        fitting = [hmac.compare_digest(given, token) for token in tokens]  # all: the time tells nothing
        return label if any(fitting) or not tokens else None

    return decide
