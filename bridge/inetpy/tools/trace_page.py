"""`inetpy trace FILE --html OUT`: a trace as one page, which needs no server and no network.

What a trace has may come from an attacker. So the page gets it as JSON, in which no `<` is left, its script
makes text of it and never HTML, and its policy lets no other script run and nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from pathlib import Path
from typing import Any

from ..host.files import replaced_file
from .lanes import Item, Lanes
from .timeline import printable

__all__ = ["MOST_DATA", "write_page"]

MOST_DATA = 4096  # bytes of each item that the page has
MOST_FACT = 4096  # characters
_HERE = Path(__file__).parent


def write_page(lanes: Lanes, name: str, path: Path) -> None:
    """name: that of the trace. path: of the page; one that is there is replaced. Raises OSError."""
    script = (_HERE / "trace_page.js").read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "NAME": html.escape(printable(name)),
        "DIGEST": digest,
        "DATA": _json(_data(lanes)),
        "SCRIPT": script,
    }
    page = (_HERE / "trace_page.html").read_text()
    with replaced_file(str(path)) as file:
        for piece in page.split("@@"):
            file.write(parts.get(piece, piece).encode())


def _json(data: Any) -> str:
    """JSON that ends no element of HTML, and begins none."""
    return json.dumps(data, separators=(",", ":"), default=str).replace("<", "\\u003c")


def _data(lanes: Lanes) -> dict[str, Any]:
    times = [item.start for item in lanes.items if item.start is not None]
    begin = min(times, default=0)
    return {
        "begin": begin,
        "timed": len(times) == len(lanes.items),
        "notes": lanes.notes,
        "lanes": [[lane.title, lane.kind, lane.node, lane.owner] for lane in lanes.lanes],
        "items": [_item(item, begin) for item in lanes.items],
    }


def _item(item: Item, begin: int) -> list[Any]:
    """[kind, start and end in µs, lane, what, is it an error, faults, size, data as base64, facts]."""
    start, end = ((time - begin) / 1000 if time is not None else None for time in (item.start, item.end))
    data, size = None, None
    if item.data is not None:
        data, size = base64.b64encode(item.data[:MOST_DATA]).decode(), len(item.data)
    facts = [[name, _fact(value)] for name, value in item.facts.items() if value not in (None, "", "none")]
    return [item.kind, start, end, item.lane, item.what, int(item.is_error), item.faults, size, data, facts]


def _fact(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_FACT else f"{text[:MOST_FACT]}…"
