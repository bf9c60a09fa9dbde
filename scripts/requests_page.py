"""Writes docs/requests.md from the tables of requests: python scripts/requests_page.py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

from inetpy.wire.plain_requests import PLAIN, PLAIN_SESSION
from inetpy.wire.requests import SESSION, SOCKET, Operation

PAGE = Path(__file__).parent.parent / "docs" / "requests.md"

HEAD = """# Requests

Made from the tables in `bridge/inetpy/wire/requests.py` by `scripts/requests_page.py`; a test
holds it to be true.

`{Op, SocketId, Ref, Args}` asks for an operation, and the answer goes to the alias `Ref`. An operation
has one name: in Erlang it is the second argument of `inetpy_request:call/3` or the first of
`inetpy_request:open/2`, on the wire it is `Op`, and in Python a method `op_...` or a function.

`Args` is a tuple of the fields below; the field itself where there is one; `[]` where there is none. For
example `{recv, 7, Ref, {0, {5000, 1234}}}` is a recv on socket 7 of any length, which is given up 5,000 ms
after the node's time 1,234.

Arguments of another shape are answered `{error, {inetpy, bad_request, Text}}`, an operation that a
socket does not know `{error, {inetpy, unknown_op, Text}}`. A field of the type `term()` comes from the
user; the operation refuses it as inet_drv would.
"""


PLAIN_HEAD = """
The operations of `inetpy_socket` are in `bridge/inetpy/wire/plain_requests.py`. SocketId is negative for
a socket that is closed: its arguments are checked all the same.
"""


def page() -> str:
    """The page as it should be."""
    return (
        HEAD
        + "".join(_section("Of the session (SocketId 0)", SESSION))
        + "".join(_section("Of a socket", SOCKET))
        + PLAIN_HEAD
        + "".join(_section("Of the session, for `inetpy_socket`", PLAIN_SESSION))
        + "".join(_section("Of a plain socket", PLAIN))
    )


def _section(title: str, table: Mapping[str, Operation]) -> Iterator[str]:
    yield f"\n## {title}\n\n| operation | fields | what for |\n|---|---|---|\n"
    for name, operation in table.items():
        fields = ", ".join(
            f"{field.capitalize()} :: {shape.text}"
            for field, shape in zip(operation.record.fields, operation.shapes, strict=True)
        )
        cell = f"`{fields}`".replace("|", "\\|") if fields else ""
        text = " ".join(inspect.cleandoc(operation.record.__doc__).split())
        yield f"| `{name}` | {cell} | {text} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
