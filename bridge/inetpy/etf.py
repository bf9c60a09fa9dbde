"""The External Term Format by its short name: `inetpy.etf.decode(data, native=True)`. See `inetpy.codec`."""

from .codec import (
    EtfError,
    Limits,
    charlist,
    decode,
    decode_prefix,
    encode,
)

__all__ = ["EtfError", "Limits", "charlist", "decode", "decode_prefix", "encode"]
