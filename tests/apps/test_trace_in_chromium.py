"""The page of `inetpy trace FILE --html`, in a headless Chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, is_installed

from inetpy.cli import main

pytestmark = pytest.mark.skipif(not is_installed(), reason="there is no chromium: apt-get install chromium")

BEGIN = 1_700_000_000_000_000_000  # ns
OWNER = {"pid": "<0.95.0>", "name": "my_server", "application": "my_app"}
# What would act if it became HTML, or JavaScript.
IMAGE = "<img src=x onerror=\"document.title='hacked'\">"
HOSTILE = f"</script><script>document.title='hacked'</script>{IMAGE}<!--\u2028'\"`${{1}}"


def call(
    number: int, op: str, answer: Any, label: str = "db.example:5432", socket: int = 1
) -> dict[str, Any]:
    return {
        "time": BEGIN + number * 1_000_000, "event": "call", "node": "a@b", "socket": socket,
        "kind": "stream", "label": label, "op": op, "peer": ["db.example", 5432], "owner": OWNER, "args": {},
        "answer": answer,
        "start": BEGIN + number * 1_000_000, "end": BEGIN + number * 1_000_000 + 400_000, "faults": [],
    }  # fmt: skip


def sent(number: int, text: str, label: str = "db.example:5432", socket: int = 1) -> dict[str, Any]:
    return {
        "time": BEGIN + number * 1_000_000 + 200_000, "event": "bytes", "node": "a@b", "socket": socket,
        "kind": "stream", "label": label, "direction": "send", "offset": 0, "size": len(text),
        "data": {"text": text}, "call": "send", "faults": [],
    }  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


def page(folder: Path, events: list[dict[str, Any]], name: str = "run.jsonl") -> Path:
    trace, path = folder / name, folder / "run.html"
    trace.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    assert main(["trace", str(trace), "--html", str(path)]) == 0
    return path


def details(browser: Browser) -> str:
    return str(browser.ask("document.getElementById('details').textContent"))


def test_what_is_seen(tmp_path: Path, browser: Browser) -> None:
    """A click on the time line shows the event, with all that is known of it."""
    events = [call(0, "connect", ["ok", "#Socket<1>"]), call(5, "send", "ok"), sent(5, "users\n")]
    browser.open(page(tmp_path, [*events, call(9, "recv", ["error", "closed"])]))
    assert browser.ask("document.title") == "run.jsonl · inetpy trace"
    assert browser.ask("document.querySelectorAll('#rows div').length") == 4
    assert browser.ask("document.querySelectorAll('#rows .error').length") == 1
    box = browser.ask("(box => [box.x, box.y])(document.getElementById('canvas').getBoundingClientRect())")
    x, y = browser.ask("[xOf(items[2][START]), AXIS + LANE_HEIGHT / 2]")
    browser.click(box[0] + x, box[1] + y)
    browser.until("state.chosen >= 0")
    text = details(browser)
    assert "send 6 B at 0" in text
    assert "75 73 65 72 73 0a" in text
    assert "db.example:5432" in text
    assert "<0.95.0> my_server my_app" in text
    assert browser.complaints == []


def test_search_and_keys(tmp_path: Path, browser: Browser) -> None:
    browser.open(page(tmp_path, [sent(number, f"query {number}") for number in range(50)]))
    browser.press("/")
    browser.write("query 4")
    browser.until("found.size === 11")  # 4, and 40 to 49
    browser.press("Enter")
    browser.until("state.chosen === 4")
    browser.press("Enter")
    browser.until("state.chosen === 40")
    assert "query 40" in details(browser)
    browser.press("Escape")
    browser.press("ArrowUp")
    browser.until("state.chosen === 39")
    browser.until("location.hash.includes('event=39')")
    assert browser.complaints == []


def test_zoom(tmp_path: Path, browser: Browser) -> None:
    browser.open(page(tmp_path, [sent(number, "x") for number in range(50)]))
    whole = browser.ask("state.to - state.from")
    at = browser.ask("timeAt(700)")
    browser.turn_wheel(700, 80, -1000)
    browser.until(f"state.to - state.from < {whole / 3}")
    assert browser.ask("timeAt(700)") == pytest.approx(at)
    browser.press("0")
    browser.until(f"state.to - state.from >= {whole}")


def test_an_address_is_a_place_in_the_trace(tmp_path: Path, browser: Browser) -> None:
    path = page(tmp_path, [sent(number, f"query {number}") for number in range(50)])
    browser.open(path, "#event=7&search=query&from=1000&to=9000")
    assert "query 7" in details(browser)
    assert browser.ask("[state.from, state.to, found.size]") == [1000, 9000, 50]


def test_kinds_can_be_hidden(tmp_path: Path, browser: Browser) -> None:
    browser.open(page(tmp_path, [call(1, "send", "ok"), sent(1, "users")]))
    browser.ask("document.querySelector('#kinds input').click()")
    browser.until("document.querySelectorAll('#rows div').length === 1")


def test_hostile_bytes(tmp_path: Path, browser: Browser) -> None:
    """Text of a trace is text on the page: it runs nowhere, and loads nothing."""
    label = f"{HOSTILE}:1"
    events = [call(0, HOSTILE, ["error", HOSTILE], label), sent(1, HOSTILE, label)]
    events[0]["faults"] = [HOSTILE]
    events[0]["owner"] = OWNER | {"name": HOSTILE}
    events[0]["args"] = {HOSTILE: HOSTILE}
    path = page(tmp_path, events, "<img src=x onerror=document.title='hacked'>.jsonl")
    for number in (0, 1):
        browser.open(path, f"?{number}#event={number}&search=script")  # another address is another page
        browser.until("document.querySelectorAll('#rows div').length === 2")
        assert "hacked" in details(browser)
        assert browser.ask("document.title").endswith("inetpy trace")
        assert browser.ask("document.scripts.length") == 2
        assert browser.ask("document.images.length") == 0
    assert browser.ask("items.length") == 2
    assert browser.complaints == []


def test_the_policy_refuses_other_scripts(tmp_path: Path) -> None:
    """If a text became HTML all the same, nothing of it would run."""
    with Browser() as own:
        own.open(page(tmp_path, [sent(0, "x")]))
        own.ask(f"document.getElementById('details').innerHTML = {json.dumps(IMAGE)}")
        own.until("true")
        own.ask("new Promise(done => setTimeout(done, 200))")
        assert own.ask("document.title") == "run.jsonl · inetpy trace"
        assert any("Content Security Policy" in complaint for complaint in own.complaints)


def test_a_hundred_thousand_events(tmp_path: Path, browser: Browser) -> None:
    """Each picture is drawn in less than a second, on a busy machine; the list has the rows that are seen."""
    events = [sent(number, f"query {number}", socket=number % 200 + 1) for number in range(100_000)]
    path = page(tmp_path, events)
    begin = time.monotonic()
    browser.open(path)
    assert time.monotonic() - begin < 30
    assert browser.ask("items.length") == 100_000
    took = browser.ask(
        "(() => { const begin = performance.now(); draw(); list(); return performance.now() - begin })()"
    )
    assert took < 1000
    assert browser.ask("document.querySelectorAll('#rows div').length") < 200
    browser.press("/")
    browser.write("query 99999")
    browser.until("found.size === 1")
    browser.press("Enter")
    browser.until("state.chosen === 99999")
    assert browser.ask("document.querySelector('#rows .chosen').textContent").endswith('"query 99999"')


def test_a_picture(tmp_path: Path, browser: Browser) -> None:
    """Something is drawn."""
    browser.open(page(tmp_path, [call(0, "connect", "ok"), sent(1, "users")]))
    browser.until("document.querySelectorAll('#rows div').length")
    kinds = browser.ask("""[...document.getElementById('canvas').getContext('2d')
        .getImageData(GUTTER, AXIS, 900, LANE_HEIGHT).data].filter((_, index) => index % 4 < 3)""")
    assert len(set(kinds)) > 3
    assert browser.picture().startswith(b"\x89PNG")
