"""Contexts of TLS for servers in memory."""

from __future__ import annotations

import functools
import ssl
import subprocess
import tempfile
from os import PathLike, fspath
from pathlib import Path
from typing import TypeAlias

from .addresses import is_ip

__all__ = ["TLS", "client_context", "server_context"]

TLS: TypeAlias = ssl.SSLContext | tuple[str | PathLike[str], str | PathLike[str]] | bool | None

_VALID_DAYS = "3650"


def server_context(tls: TLS, host: str) -> ssl.SSLContext | None:
    """What a server speaks: None for plain bytes.

    tls: a context; the paths of a certificate and its key; or True, for a certificate of `host` that is made
        on the spot by the command `openssl`, and signed by itself. Raises OSError when that cannot be made.
    """
    if tls is None or isinstance(tls, ssl.SSLContext):
        return tls
    if isinstance(tls, bool):
        return _self_signed(host) if tls else None
    certificate, key = tls
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(fspath(certificate), fspath(key))
    return context


def client_context(tls: TLS) -> ssl.SSLContext | None:
    """What a client speaks. With True it takes every certificate; of two paths it sends the certificate."""
    if tls is None or isinstance(tls, ssl.SSLContext):
        return tls
    if tls is False:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if not isinstance(tls, bool):
        certificate, key = tls
        context.load_cert_chain(fspath(certificate), fspath(key))
    return context


@functools.cache
def _self_signed(host: str) -> ssl.SSLContext:
    name = f"IP:{host}" if is_ip(host) else f"DNS:{host}"
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        command = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", str(key), "-out", str(certificate), "-days", _VALID_DAYS, "-subj", "/CN=inetpy",
            "-addext", f"subjectAltName={name}",
        ]  # fmt: skip
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise OSError(f"openssl cannot make a certificate for {host!r}: {made.stderr.strip()}")
        return server_context((certificate, key), host)  # type: ignore[return-value]
