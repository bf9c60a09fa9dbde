"""`inetpy run --schedule TRACE`: the faults of a recorded run, again, whatever the seed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Rules of all kinds that may or may not happen: of connections, bytes, datagrams, calls and names.
RULES = """
network.names({f"name{n}.example": "127.0.0.1" for n in range(20)})
network.fault(loss(0.3), proto="udp", direction="recv")
network.fault(duplicate(0.3), proto="udp", direction="recv")
network.fault(corrupt(0.3), proto="udp", direction="recv")
network.fault(reorder(0.2, gap=2), proto="udp", direction="recv")
network.fault(truncate(20), proto="udp", direction="recv", when=probability(0.2))
network.fault(reset(after_bytes=3), proto="tcp", role="client", when=probability(0.4))
network.fault(error("connect", "ehostunreach"), role="client", when=probability(0.3))
network.fault(short_write(2), role="client", when=probability(0.5))
network.fault(slice(3, variation=2), role="accepted", when=probability(0.5))
network.fault(nxdomain(), host="name*.example", when=probability(0.4))
"""
# Traffic, and what the program sees of it. How many bytes come in one read is a matter of chance.
PROGRAM = r"""
    {ok, L} = gen_tcp:listen(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]), {ok, P} = inet:port(L),
    Conversation = fun(_) ->
        case gen_tcp:connect({127, 0, 0, 1}, P, [binary, {active, false}]) of
            {ok, C} ->
                {ok, A} = gen_tcp:accept(L), Sent = gen_tcp:send(C, "0123456789"),
                Got = (fun Read(Sizes) -> Left = 10 - lists:sum(Sizes), case gen_tcp:recv(A, 0) of
                    {ok, D} when byte_size(D) >= Left -> lists:sum([byte_size(D) | Sizes]);
                    {ok, D} -> Read([byte_size(D) | Sizes]);
                    E -> {E, lists:sum(Sizes)}
                end end)([]),
                ok = gen_tcp:close(C), ok = gen_tcp:close(A), {Sent, Got};
            Error -> Error
        end
    end,
    Datagrams = fun(_) ->
        {ok, R} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]), {ok, Q} = inet:port(R),
        {ok, S} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}]),
        [ok = gen_udp:send(S, {127, 0, 0, 1}, Q, <<N, 0:240>>) || N <- lists:seq(1, 30)],
        Seen = (fun Read(All) -> case gen_udp:recv(R, 0, 300) of
            {ok, {_, _, D}} -> Read([D | All]);
            {error, timeout} -> lists:reverse(All)
        end end)([]),
        ok = gen_udp:close(R), ok = gen_udp:close(S), Seen
    end,
    io:format("streams ~w~n", [lists:map(Conversation, lists:seq(1, 20))]),
    io:format("datagrams ~w~n", [lists:map(Datagrams, [1, 2])]),
    Names = ["name" ++ integer_to_list(N) ++ ".example" || N <- lists:seq(0, 19)],
    io:format("names ~w~n", [[element(2, gen_tcp:connect(Name, 1, [])) || Name <- Names]]),
    halt(0).
"""


def run(folder: Path, *arguments: str, program: str = PROGRAM) -> list[str]:
    """What the program prints."""
    done = subprocess.run(
        [sys.executable, "-m", "inetpy", "run", *arguments, "--", "erl", "-noshell", "-eval", program],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, cwd=folder,
        env=os.environ | {"ERL_CRASH_DUMP": os.devnull},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def faults(path: Path) -> list[tuple[Any, ...]]:
    """Those of a trace: the rule, where it acted, and behind how many bytes or datagrams."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [
        (line["rule"], line["call"], line.get("socket"), line["offset"])
        for line in lines if line["event"] == "fault"
    ]  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A folder with a run of seed 1, and what was printed."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "net.py").write_text(RULES)
    printed = run(folder, "--network", "net.py", "--seed", "1", "--trace", "run.jsonl")
    words = {rule.split("(")[0] for rule, *_ in faults(folder / "run.jsonl")}
    assert words == {
        "loss", "duplicate", "corrupt", "reorder", "truncate", "reset", "error", "short_write", "slice",
        "nxdomain",
    }  # fmt: skip
    return folder, printed


def test_another_seed_has_other_faults(recorded: tuple[Path, list[str]]) -> None:
    """Otherwise the tests below would say nothing."""
    folder, printed = recorded
    others = run(folder, "--network", "net.py", "--seed", "2")
    assert all(line != other for line, other in zip(printed, others, strict=True))


def test_the_same_faults(recorded: tuple[Path, list[str]]) -> None:
    """At the same places; and the repetition can be repeated."""
    folder, printed = recorded
    options = ("--network", "net.py", "--seed", "2", "--trace")
    assert run(folder, *options, "again.jsonl", "--schedule", "run.jsonl") == printed
    assert faults(folder / "again.jsonl") == faults(folder / "run.jsonl")
    assert run(folder, *options, "third.pcapng", "--schedule", "again.jsonl") == printed
    assert run(folder, "--network", "net.py", "--schedule", "third.pcapng") == printed


def test_without_the_file(recorded: tuple[Path, list[str]]) -> None:
    """Its rules are in the trace. What else it describes is not."""
    folder, printed = recorded
    assert run(folder, "--schedule", "run.jsonl")[:2] == printed[:2]


def test_rules_alone_are_a_schedule(recorded: tuple[Path, list[str]]) -> None:
    folder, printed = recorded
    lines = (folder / "run.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["event"] in ("rule", "chance")]
    (folder / "schedule.jsonl").write_text("\n".join(kept) + "\n")
    assert run(folder, "--network", "net.py", "--schedule", "schedule.jsonl") == printed


OF_PROGRAM = r"""
    {ok, R} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}, {active, false}]), {ok, Q} = inet:port(R),
    Whom = #{proto => udp, direction => recv, owner => self()},
    {ok, Rule} = inetpy_fault:add(Whom, {loss, #{p => 0.5}}, #{}),
    {ok, S} = gen_udp:open(0, [binary, {ip, {127, 0, 0, 1}}]),
    [ok = gen_udp:send(S, {127, 0, 0, 1}, Q, <<N>>) || N <- lists:seq(1, 40)],
    Seen = (fun Read(All) -> case gen_udp:recv(R, 0, 300) of
        {ok, {_, _, <<N>>}} -> Read([N | All]);
        {error, timeout} -> lists:reverse(All)
    end end)([]),
    true = 40 - length(Seen) =:= inetpy_fault:fired(Rule), io:format("~w~n", [Seen]), halt(0).
"""


def test_rules_of_the_program(tmp_path: Path) -> None:
    """The program adds them itself, also for its own pid."""
    printed = run(tmp_path, "--seed", "1", "--trace", "run.jsonl", program=OF_PROGRAM)
    assert run(tmp_path, "--seed", "2", program=OF_PROGRAM) != printed
    assert run(tmp_path, "--seed", "2", "--schedule", "run.jsonl", program=OF_PROGRAM) == printed


OF_NO_FAULT = json.dumps(
    {
        "event": "rule", "number": 1, "rule": "x", "by": "file", "seed": "",
        "facts": {"word": "x", "arguments": {}, "when": None, "for_ms": None, "whom": {}},
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("no trace", "no event of a trace"),
        ('{"time": 1, "event": "fault", "rule": "loss(p=1)"}', "there is no rule in this trace"),
        ('{"event": "chance", "number": 1, "rule": "loss", "place": [1, "recv", 1]}', "the beginning of the"),
        (OF_NO_FAULT, "there is no fault 'x'"),
    ],
)
def test_what_is_no_schedule(tmp_path: Path, text: str | None, why: str) -> None:
    """Said before the program starts."""
    path = tmp_path / "run.jsonl"
    if text is not None:
        path.write_text(f"{text}\n")
    command = [sys.executable, "-m", "inetpy", "run", "--schedule", str(path), "--", "false"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert why in done.stderr
