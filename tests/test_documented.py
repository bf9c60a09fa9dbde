"""Each statement of OTP's documentation in erl/test/documented.toml and documented_socket.toml has evidence.

Evidence is a scenario or a case of a suite. It must be run, by `make test` (those of `socket` by
`make test-sockets`), or by `make test-otp28` for options of newer drivers. And the option or function of
the statement must occur in its code (erl/test/inetpy_evidence.erl).
"""

from __future__ import annotations

import json
import subprocess
from fnmatch import fnmatchcase
from functools import cache

import pytest

from conftest import TOP, erl
from inetpy import options
from inetpy.options.plain import PLAIN_OPTIONS
from inetpy.tools import documented
from test_conformance import GROUPS
from test_suites import ELSEWHERE, FAILURES, NETWORK, SUITES

STATEMENTS = {api: documented.load(TOP / "erl" / "test" / documented.FILES[api]) for api in documented.FILES}
SUBJECTS = sorted({(api, statement.subject) for api in STATEMENTS for statement in STATEMENTS[api]})

# Words in the code of a scenario that count as the name of the subject.
WORDS = {
    "ancillary data": ["tos", "tclass", "ttl"],
    "kernel parameters": ["inet_default_connect_options", "inherited", "connect"],
    "line_delimiter": ["line_delimiter", "line"],
    "local addresses": ["local"],
    "mode": ["mode", "list", "binary"],
    "parse_address": ["parse_address", "parse_strict_address", "parse_ipv4_address", "parse_ipv6_address"],
    "the first option": ["inet_backend"],
    # of `socket`
    "boolean options": ["boolean"],
    "level": ["socket", "ip"],
    "msg_flag": ["peek", "msg_flags", "cmsg_cloexec"],
    "pktinfo": ["pktinfo", "recvpktinfo"],
    "sockaddr_dl": ["link"],
    "sockaddr_in": ["inet"],
    "sockaddr_in6": ["inet6"],
    "sockaddr_ll": ["packet"],
    "sockaddr_native": ["family"],
    "sockaddr_un": ["local"],
    "socket term": ["is_reference", "open"],
    "tos": ["tos", "recvtos"],
    "ttl": ["ttl", "recvttl"],
}


@cache
def evidence(api: str) -> dict[str, tuple[bool, set[str]]]:
    """name of a scenario or case -> (whether this release of OTP runs it, the atoms in its code)."""
    with erl("-run", "inetpy_evidence", "main", api, stdout=subprocess.PIPE) as node:
        output, _ = node.communicate(timeout=120)
    return {name: (here, set(atoms)) for name, here, atoms in json.loads(output)}


def named(api: str, pattern: str) -> list[str]:
    return [name for name in evidence(api) if fnmatchcase(name, pattern)]


@pytest.mark.parametrize(("api", "subject"), SUBJECTS)
def test_statements(api: str, subject: str) -> None:
    """A statement has evidence that exists and is about its subject, or a reason to have none."""
    words = {subject, *WORDS.get(subject, ())}
    for statement in (statement for statement in STATEMENTS[api] if statement.subject == subject):
        assert statement.evidence or len(statement.reason) > 10, statement
        for pattern in statement.evidence:
            assert named(api, pattern), (statement, pattern)
        if statement.evidence and not _is_of_absence(statement.text):
            found = [name for pattern in statement.evidence for name in named(api, pattern)]
            assert any(words & evidence(api)[name][1] for name in found), (statement, "none is about it")


def _is_of_absence(text: str) -> bool:
    """Whether the statement is about calls without the option: their code does not name it."""
    return "default" in text or text.startswith("without")


def test_evidence_is_run() -> None:
    """`make test` runs all groups and suites. An older release leaves out only scenarios of newer options."""
    with erl("-eval", 'io:format("~w", [inetpy_xc:groups()]), halt().', stdout=subprocess.PIPE) as node:
        groups, _ = node.communicate(timeout=60)
    assert sorted(groups.decode().strip("[]").split(",")) == GROUPS
    suites = {path.stem for path in (TOP / "erl" / "test").glob("*_SUITE.erl")}
    assert suites == {*SUITES, *FAILURES, *NETWORK, *ELSEWHERE}
    newer = {row.name for row in options.OPTIONS.values() if row.since >= 28}
    for name, (here, atoms) in evidence("inet").items():
        assert here or atoms & newer, name


def test_evidence_of_sockets_is_run() -> None:
    """`make test-sockets` runs all groups that there are; all are in inetpy_xc:groups(socket)."""
    with erl("-eval", 'io:format("~w", [inetpy_xc:groups(socket)]), halt().', stdout=subprocess.PIPE) as node:
        groups, _ = node.communicate(timeout=60)
    assert set(groups.decode().strip("[]").split(",")) == {
        path.stem for path in (TOP / "erl" / "test").glob("xs_*.erl")
    }


def test_code_is_read() -> None:
    """Atoms count if they occur in called functions, in values kept by a fun, or in `xc`."""
    _, of_option = evidence("inet")["sockopts.keepidle_set"]
    assert {"keepidle", "setopts", "getopts"} <= of_option
    assert "keepcnt" not in of_option
    _, of_case = evidence("inet")["inetpy_tcp_SUITE:keepalive_without_answer"]
    assert "keepalive" in of_case
    assert not {"move", "call_ext", "func_info"} & (of_option | of_case)


def test_every_option() -> None:
    assert set(options.OPTIONS) <= {statement.subject for statement in STATEMENTS["inet"]}


def test_every_option_of_sockets() -> None:
    """Each option of `socket` that OTP 26 has is evidence of a statement about its level."""
    for row in PLAIN_OPTIONS.values():
        scenario = f"options.{row.level}_{row.name}"
        patterns = [
            pattern
            for statement in STATEMENTS["socket"]
            if statement.subject == row.level
            for pattern in statement.evidence
        ]
        assert any(fnmatchcase(scenario, pattern) for pattern in patterns), scenario


def test_statement_of_scenario() -> None:
    """A statement with the full name of a scenario precedes statements with a pattern."""
    statements = STATEMENTS["inet"]
    named = documented.of_scenario(statements, "xc_udp", "header")
    assert [statement.subject for statement in named] == ["header"]
    assert [each.subject for each in documented.of_scenario(statements, "xc_sockopts", "tos_set")] == ["tos"]
    assert documented.of_scenario(statements, "xc_udp", "no_such_scenario") == []
    sockets = documented.of_scenario(STATEMENTS["socket"], "xs_options", "ip_ttl")
    assert {each.subject for each in sockets} == {"ip", "level"}
