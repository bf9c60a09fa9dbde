"""The table of `inetpy bench` as a picture: how far each ratio is on the good side of its goal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["plot"]

_GOOD, _BAD, _GOAL = "#3c9d5f", "#d9534f", "#333333"


def plot(rows: Sequence[dict[str, Any]], file: Path) -> None:
    """Writes a PNG. `rows`: those of the JSON report. Rows without a ratio are left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    bars = [row for row in rows if row["ratio"] is not None][::-1]
    figure, axes = pyplot.subplots(figsize=(9, 0.42 * len(bars) + 1.2))
    places = range(len(bars))
    colours = [_GOOD if row["reached"] else _BAD for row in bars]
    axes.barh(places, [row["ratio"] for row in bars], color=colours, height=0.6)
    axes.scatter([row["goal"] for row in bars], places, marker="|", s=260, color=_GOAL, zorder=3)
    for place, row in zip(places, bars, strict=True):
        sign = "more is better" if row["faster"] else "less is better"
        beside = max(row["ratio"], row["goal"])
        axes.text(beside, place, f"  {row['ratio']:.2f} ×  ({sign})", va="center", fontsize=8)
    axes.set_yticks(places, [row["title"] for row in bars])
    axes.set_xlabel("ratio to inet_drv, or to what the row says; the strokes are the goals")
    axes.set_xlim(0, 1.35 * max(max(row["ratio"], row["goal"]) for row in bars))
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
