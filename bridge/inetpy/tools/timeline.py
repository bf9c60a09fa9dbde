"""`inetpy trace FILE`: a trace as a time line in the terminal.

    0.001052  ●      #1 db.example:5432  connect db.example:5432 → ok #Socket<1>
    0.001801  ▶      #1 db.example:5432  send 6 B at 0  "users\\n"
    0.002107  │ ●    #2 cache:11211      connect cache:11211 → error econnrefused
    0.002544  ◀ │    #1 db.example:5432  recv 13 B at 0  "row of users\\n"

Each socket that is open has a column.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from .lanes import ENDS, Item, Lane, Lanes, text_of_bytes

__all__ = ["MOST_LINES", "show"]

MOST_LINES = 1000  # where nobody has said how many
MOST_COLUMNS = 12  # of sockets that are open at the same time; more share the last one
MOST_DATA = 200  # bytes of each item
MOST_LABEL = 36  # characters

_SIGNS = {"call": "●", "send": "▶", "recv": "◀", "socket": "○", "fault": "▲"}
_STYLES = {"call": "", "send": "cyan", "recv": "green", "socket": "dim", "fault": "yellow"}


class Columns:
    """Which column a lane has while its socket is open."""

    def __init__(self, items: list[Item], lanes: list[Lane]) -> None:
        self._lanes = lanes
        self._last = {item.lane: number for number, item in enumerate(items)}
        self._of: dict[int, int] = {}  # by lane
        self._number = 0

    def line(self, item: Item) -> str:
        """The columns of the next item, each as one sign and a blank."""
        column = self._of.get(item.lane)
        if column is None:
            taken = set(self._of.values())
            free = next(number for number in range(len(taken) + 1) if number not in taken)
            column = self._of[item.lane] = min(free, MOST_COLUMNS - 1)
        sign = "✖" if item.is_error else _SIGNS[item.kind]
        width = max(self._of.values()) + 1
        open_ones = set(self._of.values())
        signs = ["│" if number in open_ones else " " for number in range(width)]
        signs[column] = sign
        is_end = item.kind == "socket" and item.what.split(" ")[0] in ENDS
        is_last = self._last[item.lane] == self._number
        if is_end or is_last or self._lanes[item.lane].number is None:
            del self._of[item.lane]
        self._number += 1
        return " ".join(signs)


def show(lanes: Lanes, most: int, console: Console | None = None) -> None:
    """Prints the items, `most` of them; 0 is all. In a terminal that is too small for them, with a pager."""
    console = console or Console(highlight=False)
    for note in lanes.notes:
        console.print(Text(f"note: {printable(note)}", style="yellow"))
    if not lanes.items:
        console.print("nothing to show: the trace is empty, or the filters let nothing through")
        return
    shown = lanes.items[:most] if most else lanes.items
    lines = list(_lines(shown, lanes.lanes))
    if len(shown) < len(lanes.items):
        left = len(lanes.items) - len(shown)
        note = f"… {left:,} more: --lines 0 shows all; --socket, --label, --owner, --op and --problems less"
        lines.append(Text(note, style="bold"))
    if console.is_terminal and len(lines) > console.height:
        with console.pager(styles=True):
            _print(console, lines)
    else:
        _print(console, lines)


def _print(console: Console, lines: list[Text]) -> None:
    for line in lines:
        if console.is_terminal:
            console.print(line, no_wrap=True, overflow="ellipsis")
        else:
            console.print(line, soft_wrap=True)


def _lines(items: list[Item], lanes: list[Lane]) -> Iterator[Text]:
    begin = items[0].start
    columns = Columns(items, lanes)
    drawn = [columns.line(item) for item in items]
    width = max(map(len, drawn))
    titles = [_cut(lane.title, MOST_LABEL) for lane in lanes]
    widest = max(len(titles[item.lane]) for item in items)
    for item, signs in zip(items, drawn, strict=True):
        line = Text(f"{_time(item, begin)}  ", style="dim")
        style = "bold red" if item.is_error else _STYLES[item.kind] or "default"
        line.append(f"{signs:<{width}}  ", style=style)
        line.append(f"{titles[item.lane]:<{widest}}  ", style="blue")
        line.append(printable(item.what), style=style)
        if item.data:
            line.append(f"  {text_of_bytes(item.data, MOST_DATA)}", style="default")
        if item.kind == "call" and item.start is not None and item.end is not None:
            line.append(f"  {(item.end - item.start) / 1e6:.2f} ms", style="dim")
        if item.faults and item.kind != "fault":
            line.append(f"  ▲ {printable(', '.join(item.faults))}", style="yellow")
        yield line


def _time(item: Item, begin: int | None) -> str:
    """Seconds since the first item."""
    return " " * 11 if item.start is None or begin is None else f"{(item.start - begin) / 1e9:11.6f}"


def printable(text: str) -> str:
    """A trace may have anything in it: nothing of it controls the terminal."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _cut(text: str, most: int) -> str:
    text = printable(text)
    return text if len(text) <= most else f"{text[: most - 1]}…"
