"""OTP's HTTP client with OTP's own resolver: faults of datagrams, on the way to the server of names.

As in test_http_client.py the same happens on OTP's own sockets, when it really happens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import name_server
import pytest
import web
from http_client import CLIENT, GOT_ALL, no_connection, seen
from name_server import RealNames, cut, lost, twice
from web import Relay

from inetpy import Network
from inetpy.network import (
    Fault,
    When,
    blackhole,
    corrupt,
    duplicate,
    eagain,
    error,
    first,
    latency,
    loss,
    refuse,
    reorder,
    truncate,
)
from inetpy.testing import Node

pytest_plugins = ["http_fixtures"]

SERVER = "10.9.9.53"
WEB = "10.9.9.80"
PATIENCE = 10_000  # ms; the resolver gives up after 900
UNKNOWN = no_connection("nxdomain")
NOT_UNDERSTOOD = no_connection("eoptions")  # so gen_tcp tells httpc of an answer that is no DNS


class Row(NamedTuple):
    """What happens to answers, what the client sees then, and how often the server is asked.

    real: the events of the server of names; the last one is for all further queries.
    """

    fault: Fault
    when: When | None
    sees: object
    queries: int
    real: list[name_server.Event]

    def __str__(self) -> str:
        return f"{self.fault} {self.when or 'always'}"


def well(answer: bytes) -> list[bytes]:
    return [answer]


ROWS = [
    Row(loss(1), first(1), GOT_ALL, 2, [lost, well]),
    Row(loss(1), None, UNKNOWN, 4, [lost]),
    Row(duplicate(1), None, GOT_ALL, 1, [twice]),
    Row(reorder(1), first(1), GOT_ALL, 2, [name_server.Overtaken()]),
    Row(truncate(30), first(1), GOT_ALL, 2, [cut(30), well]),
    Row(truncate(30), None, NOT_UNDERSTOOD, 2, [cut(30)]),
    Row(truncate(0), None, NOT_UNDERSTOOD, 2, [cut(0)]),
    Row(latency(50), None, GOT_ALL, 1, [well]),
]

WRONG_BIT = corrupt(1)
NOBODY = [blackhole(), refuse(), error("send", "enetunreach"), error("recv", "econnrefused"), eagain(1)]
ALL = [*(row.fault for row in ROWS), WRONG_BIT, *NOBODY]


@pytest.fixture
def client(erlang: Node, network: Network) -> Node:
    """A client of its own, whose resolver asks the server of names; `erlang` has another resolver."""

    async def handler(conn: Any) -> None:
        await web.serve(conn.read_until, conn.write)

    network.server(WEB, 80)(handler)
    node = erlang.peer("client")
    node.compile(CLIENT)
    ask_for_names(node, SERVER, 53)
    return node


def ask_for_names(node: Node, server: str, port: int) -> None:
    node.eval(
        """
        ok = inet_db:set_resolv_conf(""),
        ok = inet_db:set_lookup([dns]),
        ok = inet_db:set_cache_size(0),
        ok = inet_db:set_timeout(300),
        ok = inet_db:set_retry(2),
        [inet_db:del_ns(Ip, Old) || {Ip, Old} <- inet_db:res_option(nameservers)],
        {ok, Address} = inet:parse_address(binary_to_list(Server)),
        ok = inet_db:add_ns(Address, Port)
        """,
        Server=server,
        Port=port,
    )


@pytest.fixture
def queries(network: Network) -> list[bytes]:
    """What the server of names is asked."""
    asked: list[bytes] = []

    @network.datagrams(SERVER, 53)
    async def server(query: bytes, _sender: object, reply: Callable[[bytes], None]) -> None:
        asked.append(query)
        reply(name_server.answer(query, WEB))

    return asked


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fault(row: Row, client: Node, network: Network, queries: list[bytes]) -> None:
    with network.fault(row.fault, when=row.when, peer=SERVER, direction="recv") as rule:
        assert seen(client, "http://www.test/", PATIENCE) == row.sees
    assert rule.fired
    assert len(queries) == row.queries


def test_wrong_bit(client: Node, network: Network, queries: list[bytes]) -> None:
    """A query with a wrong bit: the client asks again, or knows no such name."""
    with network.fault(WRONG_BIT, when=first(1), peer=SERVER, direction="send") as rule:
        found = seen(client, "http://www.test/", PATIENCE)
    assert found in (GOT_ALL, UNKNOWN)
    assert rule.fired == 1
    seen(client, "http://www.test/", PATIENCE)
    wrong, right = queries[0], queries[-1]
    assert sum((a ^ b).bit_count() for a, b in zip(wrong[2:], right[2:], strict=True)) <= 1


@pytest.mark.parametrize("fault", NOBODY, ids=str)
def test_nobody_answers(fault: Fault, client: Node, network: Network, queries: list[bytes]) -> None:
    with network.fault(fault, peer=SERVER):
        assert seen(client, "http://www.test/", PATIENCE) == UNKNOWN
    with network.fault(fault, when=first(1), peer=SERVER):
        assert seen(client, "http://www.test/", PATIENCE) == GOT_ALL  # the second query is answered


# --- in reality ---------------------------------------------------------------


@pytest.fixture(scope="module")
def real(stock: Node) -> Iterator[RealNames]:
    server = RealNames()
    ask_for_names(stock, "127.0.0.1", server.port)
    yield server
    server.end()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_real_event(row: Row, stock: Node, real: RealNames, relay: Relay) -> None:
    real.events[:] = row.real
    assert seen(stock, f"http://www.test:{relay.plain}/", PATIENCE) == row.sees


def test_real_name(stock: Node, real: RealNames, relay: Relay) -> None:
    """What a client sees of `nxdomain` is what it sees of a server of names that says so."""
    real.events[:] = [name_server.unknown]
    assert seen(stock, f"http://www.test:{relay.plain}/", PATIENCE) == UNKNOWN
