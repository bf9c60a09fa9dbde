"""The second half of `make demo`: a bug in a client library that only a bad network shows.

The client (store_client.erl) fetches 20 values from a store that is in memory: on a good network, and on
one where some connections break. The same seed breaks the same connections in each run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

__all__ = ["run"]

DEMO = Path(__file__).parent
CLIENT = DEMO / "store_client.erl"
SEED = 7
RIGHT = "right"
TIMEOUT = 60  # seconds


def run(console: Console) -> bool:
    """Prints what it does. True if all went as it should."""
    console.print()
    console.print("A client library fetches 20 values from a store that Python has in memory.", style="bold")
    with tempfile.TemporaryDirectory(prefix="inetpy-demo-") as folder:
        subprocess.run(["erlc", "-o", folder, str(CLIENT)], check=True)  # noqa: S607
        console.print("On a good network:")
        good = _fetch(folder, "good_network.py", console)
        console.print("On a network where one connection in four is reset after 1000 bytes:")
        bad = _fetch(folder, "bad_network.py", console)
    wrong = [key for key, verdict in bad if verdict.startswith("wrong")]
    if [verdict for _, verdict in good] != [RIGHT] * 20 or not wrong:
        console.print("This is not what should have happened.", style="red")
        return False
    _explain(wrong[0], dict(bad)[wrong[0]].split()[1], console)
    return True


def _fetch(folder: str, network: str, console: Console) -> list[tuple[str, str]]:
    """The values, each with what the client's test says of it."""
    file = _short(DEMO / network)
    program = ["erl", "-noshell", "-pa", folder, "-run", "store_client", "main"]
    command = ["run", "--network", file, "--seed", str(SEED), "--", *program]
    console.print(
        f"  $ inetpy run --network {file} --seed {SEED} -- erl ... -run store_client main", highlight=False
    )
    done = subprocess.run(
        [sys.executable, "-m", "inetpy", *command],
        check=True,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    for line in done.stderr.splitlines():
        console.print(f"  {line}", highlight=False)
    results = [
        (key, verdict) for key, _, verdict in (line.partition(" ") for line in done.stdout.splitlines())
    ]
    words = {key: verdict.split()[0] for key, verdict in results}
    shown = " ".join(key if word == RIGHT else f"[red]{key}:{word}[/]" for key, word in words.items())
    right = list(words.values()).count(RIGHT)
    console.print(f"  values {shown}: {right} of {len(words)} right", highlight=False)
    return results


def _explain(key: str, offset: str, console: Console) -> None:
    console.print(
        f"Value {key} is wrong from byte {offset} on, and the client said {{ok, Value}}. The connection "
        "broke in the middle of the answer, and the client tried again. It kept the part that it had read, "
        f"and put the whole new answer behind it. Look at {_short(CLIENT)}:",
    )
    lines = CLIENT.read_text().splitlines()
    bug = next(number for number, line in enumerate(lines) if "The bug:" in line)
    console.print(
        Syntax(
            "\n".join(lines[bug : bug + 2]),
            "erlang",
            line_numbers=True,
            start_line=bug + 1,
            word_wrap=True,
            background_color="default",
        )
    )
    console.print(f"--seed {SEED} breaks the same connections each time, so the bug can be looked for.")


def _short(path: Path) -> str:
    """From here, where that is shorter."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


if __name__ == "__main__":
    sys.exit(not run(Console()))
