"""HTTP as packets: `{packet, http | httph | http_bin | httph_bin}`.

A packet is a line. A header continues on lines that begin with white space. The terms are those
of `erlang:decode_packet/3`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from ..codec.terms import Atom, Charlist

__all__ = ["http_length", "parse_http"]

Make: TypeAlias = Callable[[bytes], object]  # makes the term of a text: a binary or a charlist

METHODS = {name.encode() for name in ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE")}

# The headers with an atom. The position, from 1, is the second element of http_header.
HEADERS = (
    "Cache-Control", "Connection", "Date", "Pragma", "Transfer-Encoding", "Upgrade", "Via", "Accept",
    "Accept-Charset", "Accept-Encoding", "Accept-Language", "Authorization", "From", "Host",
    "If-Modified-Since", "If-Match", "If-None-Match", "If-Range", "If-Unmodified-Since", "Max-Forwards",
    "Proxy-Authorization", "Range", "Referer", "User-Agent", "Age", "Location", "Proxy-Authenticate",
    "Public", "Retry-After", "Server", "Vary", "Warning", "Www-Authenticate", "Allow", "Content-Base",
    "Content-Encoding", "Content-Language", "Content-Length", "Content-Location", "Content-Md5",
    "Content-Range", "Content-Type", "Etag", "Expires", "Last-Modified", "Accept-Ranges", "Set-Cookie",
    "Set-Cookie2", "X-Forwarded-For", "Cookie", "Keep-Alive", "Proxy-Connection",
)  # fmt: skip

_HEADER_NUMBERS = {name.encode(): number for number, name in enumerate(HEADERS, 1)}
MAX_NAME = 50  # longer names are not capitalised

# Printable ASCII without the separators of RFC 2616.
_TOKEN = rb"[!#$%&'*+\-.0-9A-Z^_`a-z|~]"
_REQUEST = re.compile(rb"(" + _TOKEN + rb"+)[ \t]+([^ \t]+)(?:[ \t]+(?:HTTP/(\d+)\.(\d+).*)?)?\Z", re.DOTALL)
_RESPONSE = re.compile(rb"HTTP/(\d+)\.(\d+)[ \t]+(\d*)([ \t]*)(.*)\Z", re.DOTALL)
_HEADER = re.compile(rb"(" + _TOKEN + rb"*):[ \t]*(.*)\Z", re.DOTALL)
_AUTHORITY = re.compile(rb"([^:]*)(?::(\d*)(.*))?\Z", re.DOTALL)

EOH = Atom("http_eoh")


def http_length(data: bytes | bytearray, packet_size: int, limit: int, in_headers: bool) -> int:
    """The length of the line, or of the header with its continuation lines. See `packet`."""
    have = len(data)
    if data in (b"\n", b"\r\n"):
        return have
    largest = packet_size or limit
    at = 0
    while True:
        end = data.find(b"\n", at)
        if end < 0:
            return -1 if largest and have >= largest else 0
        length = end + 1
        if in_headers:
            if length < have:
                if data[length] in b" \t" and length > 2:
                    at = length
                    continue
            else:
                return -1 if largest and length > largest else 0
        return -1 if largest and length > largest else length


def parse_http(line: bytes, in_headers: bool, binary: bool) -> tuple[object, bool]:
    """(term of the packet, whether a header comes next)."""
    text = line
    if line[-2:-1] == b"\r":
        text = line[:-2]
    elif line[-1:] == b"\n":
        text = line[:-1]
    make = _binary if binary else _charlist
    if in_headers:
        term = _parse_header(text, make)
        return _error(line, make) if term is None else (term, term is not EOH)
    term = _parse_start(text, make)
    return (_error(line, make)[0], False) if term is None else (term, True)


def _binary(text: bytes) -> object:
    return text


def _charlist(text: bytes) -> object:
    return Charlist(text) if text else []


def _error(line: bytes, make: Make) -> tuple[object, bool]:
    return (Atom("http_error"), make(line)), True


def _parse_header(text: bytes, make: Make) -> object:
    if not text:
        return EOH
    match = _HEADER.match(text)
    if match is None:
        return None
    name, value = match.groups()
    # Each part between dashes is capitalised.
    canonical = b"-".join(part.capitalize() for part in name.split(b"-")) if len(name) <= MAX_NAME else name
    number = _HEADER_NUMBERS.get(canonical, 0)
    field = Atom(canonical.decode()) if number else make(canonical)
    return (Atom("http_header"), number, field, make(name), make(value))


def _parse_start(text: bytes, make: Make) -> object:
    if text.startswith(b"HTTP/"):
        return _parse_response(text, make)
    match = _REQUEST.match(text)
    if match is None:
        return None
    method, uri, major, minor = match.groups()
    if major is None:
        version = (0, 9)
        if len(text.rstrip(b" \t")) != match.end(2):
            return None
    else:
        version = (_number(major), _number(minor))
    verb = Atom(method.decode()) if method in METHODS else make(method)
    return (Atom("http_request"), verb, _parse_uri(uri, make), version)


def _parse_response(text: bytes, make: Make) -> object:
    match = _RESPONSE.match(text)
    if match is None:
        return None
    major, minor, status, space, reason = match.groups()
    if not space and reason:
        return None
    return (Atom("http_response"), (_number(major), _number(minor)), _number(status), make(reason))


def _number(digits: bytes) -> int:
    """The number as a C int: its lower 32 bits. They depend on the last 32 digits only."""
    value = int(digits[-32:] or b"0") & 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def _parse_uri(uri: bytes, make: Make) -> object:
    if uri == b"*":
        return Atom("*")
    if len(uri) <= 1 or uri.startswith(b"/"):
        return (Atom("abs_path"), make(uri))
    lowered = uri[:8].lower()
    for scheme in ("http", "https"):
        prefix = scheme.encode() + b"://"
        if lowered.startswith(prefix):
            return _parse_absolute(Atom(scheme), uri[len(prefix) :], make)
    scheme_text, colon, rest = uri.partition(b":")
    if colon:
        return (Atom("scheme"), make(scheme_text), make(rest))
    return make(uri)


def _parse_absolute(scheme: Atom, uri: bytes, make: Make) -> object:
    authority, slash, path = uri.partition(b"/")
    match = _AUTHORITY.match(authority)
    assert match is not None
    host, port, rest = match.groups()
    # A port of zero, or with other characters behind it, is ignored.
    number: object = (_number(port) if port and not rest else 0) or Atom("undefined")
    return (Atom("absoluteURI"), scheme, make(host), number, make(slash + path if slash else b"/"))
