"""What `inetpy crosscheck` has seen, as pages: a table in Markdown, and HTML to look through."""

from __future__ import annotations

import html

from .rows import Row, by_group, count_skipped, is_equal, reference, short

__all__ = ["markdown", "page"]


def markdown(release: str, rows: list[Row], others: list[str]) -> str:
    """The table as a page of documentation: docs/crosscheck-results.md. `release`: of OTP."""
    stock = reference(rows[0])
    api = "" if stock == "inet" else f"--api {stock} "
    lines = [
        "# What the cross-check says",
        "",
        f"Made by `inetpy crosscheck {api}--backends {','.join(others)} --markdown FILE` on OTP {release}:",
        f"how many scenarios of each group behave differently from `{stock}`.",
        "",
        f"| group | scenarios | {' | '.join(others)} | skipped |",
        f"|---|--:|{'--:|' * len(others)}--:|",
    ]
    for group, members in [*by_group(rows), ("**all**", rows)]:
        numbers = [
            *(sum(not is_equal(row, name) for row in members) for name in others),
            count_skipped(members),
        ]
        cells = " | ".join(str(number or "") for number in numbers)
        lines.append(f"| {short(group)} | {len(members)} | {cells} |")
    return "\n".join(lines) + "\n"


# --- the page ------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>inetpy crosscheck</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
h1 {{ font-size: 1.4rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #e4e4e4 }}
td.n {{ text-align: right; font-variant-numeric: tabular-nums }}
.bar {{ background: #d9534f; height: .7rem; border-radius: .35rem; overflow: hidden; min-width: 8rem }}
.bar i {{ display: block; height: 100%; background: #3c9d5f }}
input {{ font: inherit; padding: .3rem .6rem; width: 20rem; margin: 1rem 0 .5rem }}
label {{ margin-left: 1rem }}
details {{ border: 1px solid #e4e4e4; border-radius: .4rem; margin: .3rem 0; padding: .3rem .8rem }}
details.equal summary::before {{ content: "\\2713 "; color: #3c9d5f }}
details.differs summary::before {{ content: "\\2717 "; color: #d9534f }}
details.skipped summary::before {{ content: "\\2013 "; color: #999 }}
summary {{ cursor: pointer }}
summary b {{ font-weight: 600 }}
pre {{ background: #f6f6f6; padding: .5rem; overflow-x: auto; white-space: pre-wrap; margin: .2rem 0 .6rem }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #ddd; background: #181818 }}
  th, td, details {{ border-color: #383838 }}
  pre {{ background: #242424 }}
}}
</style>
<h1>{others} beside {reference}</h1>
<p>{count:,} scenarios; {summary}.</p>
<table>
<tr><th>group<th>scenarios{heads}<th>skipped<th></tr>
{groups}
</table>
<input id="filter" placeholder="filter by name or words" autofocus>
<label><input id="only" type="checkbox" style="width: auto" {checked}> differences only</label>
<div id="rows">
{rows}
</div>
<script>
const filter = document.getElementById("filter"), only = document.getElementById("only");
function show() {{
  const words = filter.value.toLowerCase();
  for (const row of document.querySelectorAll("details"))
    row.hidden = (only.checked && row.className != "differs") || !row.dataset.text.includes(words);
}}
filter.oninput = only.onchange = show;
show();
</script>
</html>
"""


def page(rows: list[Row], others: list[str]) -> str:
    """A self-contained HTML page: a bar for each group, a filter, and the scenarios to unfold."""
    different = {name: sum(not is_equal(row, name) for row in rows) for name in others}
    summary = ", ".join(f"{name} differs in {count:,}" for name, count in different.items())
    return _PAGE.format(
        others=html.escape(", ".join(others)),
        reference=reference(rows[0]),
        count=len(rows),
        summary=summary,
        heads="".join(f"<th>{html.escape(name)} differs" for name in others),
        groups="\n".join(_group_line(group, members, others) for group, members in by_group(rows)),
        rows="\n".join(_scenario(row, others) for row in rows),
        checked="checked" if any(different.values()) else "",
    )


def _group_line(group: str, members: list[Row], others: list[str]) -> str:
    counts = [sum(not is_equal(row, name) for row in members) for name in others]
    same = sum(not row["fault"] and all(is_equal(row, name) for name in others) for row in members)
    cells = "".join(f'<td class="n">{count or ""}' for count in [*counts, count_skipped(members)])
    bar = f'<div class="bar"><i style="width: {100 * same / len(members):.1f}%"></i></div>'
    name = html.escape(group.removeprefix("xc_"))
    return f'<tr><td>{name}<td class="n">{len(members)}{cells}<td>{bar}</tr>'


def _scenario(row: Row, others: list[str]) -> str:
    name, statement = f"{row['group'].removeprefix('xc_')}: {row['name']}", row["statement"]
    seen = row["observations"]
    equal = not row["fault"] and all(is_equal(row, other) for other in others)
    visible = {reference(row): seen[reference(row)]} if equal else seen
    body = "".join(f"<p>Documented: {html.escape(text)}</p>" for text in row["documented"])
    if row["fault"]:
        body += f"<p>The scenario itself fails: {html.escape(row['fault'])}</p>"
    body += "".join(
        f"{html.escape(backend)}<pre>{html.escape(text)}</pre>" for backend, text in visible.items()
    )
    words = html.escape(f"{name} {statement}".lower(), quote=True)
    state = "differs" if not equal else "skipped" if row["skipped"] else "equal"
    summary = f"<summary><b>{html.escape(name)}</b> {html.escape(statement)}</summary>"
    return f'<details class="{state}" data-text="{words}">{summary}{body}</details>'
