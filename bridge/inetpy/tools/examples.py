"""The examples in `--help` of each verb: (command, what it is for)."""

from __future__ import annotations

import argparse
from typing import Any

__all__ = ["EXAMPLES", "examples"]

EXAMPLES = {
    "bridge": [('erl -pa "$(inetpy ebin)" -eval "inetpy:start()"', "a node starts the bridge itself")],
    "ebin": [
        ('erl -pa "$(inetpy ebin)"', "a node that can start inetpy"),
        ('iex -pa "$(inetpy ebin)"', "the same with Elixir"),
    ],
    "run": [
        ("inetpy run -- erl", "a shell whose sockets are Python's"),
        ("inetpy run --stats -- rebar3 ct", "a test run, and then what went through"),
        ("inetpy run --json -- mix test > stats.json", "the same for programs"),
        ("inetpy run --trace run.pcapng -- rebar3 ct", "record all calls and bytes, for Wireshark"),
        ("inetpy run --network net.py --seed 7 -- rebar3 ct", "on the network that a file describes"),
    ],
    "serve": [
        ("inetpy serve unix:/run/inetpy/bridge", "nodes of this host"),
        (
            "inetpy serve 'unix:/run/inetpy/bridge?mode=660&group=app'",
            "and of containers",
        ),
        ("inetpy serve tcp:127.0.0.1:7000 --token-file token", "nodes that have the token"),
        ("inetpy serve 'tls:0.0.0.0:7000?cert=a.pem&key=a.key&ca=nodes.pem'", "nodes with a certificate"),
        ("INETPY_BRIDGE=unix:/run/inetpy/bridge inetpy run -- erl", "one of them"),
    ],
    "env": [
        ('eval "$(inetpy env)"', "this shell, and all nodes that it starts"),
        ("inetpy env --format dotenv >> $GITHUB_ENV", "the later steps of a CI job"),
        ("inetpy env --format dotenv > inetpy.env", "for docker run --env-file inetpy.env"),
    ],
    "trace": [
        ("inetpy trace run.jsonl", "a time line of what was recorded"),
        ("inetpy trace run.pcapng --label 'db.*' --problems", "what went wrong with a database"),
        ("inetpy trace run.jsonl --html run.html", "a page to look through"),
        ("inetpy trace --live", "calls and bytes of the node that runs, as lines of JSON"),
        ("inetpy trace --live --pcapng | tshark -r -", "the same as packets"),
    ],
    "faults": [
        ("inetpy faults list", "the rules of the nodes that run"),
        ("inetpy faults add 'latency(200, jitter=50)' --host 'db.*' --port 5432", "a slow database"),
        ("inetpy faults add 'error(\"connect\", \"ehostunreach\")' --when 'nth(2)' --for-ms 1000", "once"),
        ("inetpy faults remove -1", "the rule with this key in the list"),
        ("inetpy faults reset", "all rules"),
    ],
    "crosscheck": [
        ("inetpy crosscheck", "the corpus on inet and inetpy"),
        ("inetpy crosscheck --backends socket,inetpy,node", "on all backends"),
        ("inetpy crosscheck --html page.html udp multicast", "some groups, and a page to look through"),
        ("inetpy crosscheck --scenario mine.erl", "your own scenarios"),
        ("inetpy crosscheck --random 200 --seed 7", "random sequences, shrunk where they differ"),
        ("inetpy crosscheck --api socket", "the corpus of the module `socket` on it and inetpy_socket"),
    ],
    "doctor": [
        ("inetpy doctor", "when something does not work"),
        ("inetpy doctor --json", "the same for programs"),
        ("inetpy doctor --release _build/prod/rel/my_app", "a release, too"),
    ],
    "bench": [
        ("inetpy bench", "a table of ratios; takes some minutes"),
        ("inetpy bench --rounds 1 --json", "a quick one, for programs"),
        ("inetpy bench --rows 'active once'", "some of the rows"),
        ("inetpy bench --output bench.json --plot bench.png", "to keep, and as a picture"),
    ],
}


def examples(*verbs: str) -> dict[str, Any]:
    """Arguments for a parser whose help ends with the examples of these verbs."""
    pairs = [pair for verb in verbs for pair in EXAMPLES[verb]]
    width = max(len(command) for command, _ in pairs)
    lines = [f"  {command:<{width}}  {purpose}" for command, purpose in pairs]
    return {
        "formatter_class": argparse.RawDescriptionHelpFormatter,
        "epilog": "\n".join(["examples:", *lines]),
    }
