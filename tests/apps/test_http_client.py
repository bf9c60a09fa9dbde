"""OTP's HTTP client, unmodified, and each fault of docs/faults.md: what the client sees.

The server is in memory. Where the event can be made on the loopback interface, the same client sees the same
there, on OTP's own sockets.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import pytest
import web
from http_client import CLIENT, CUT_OFF, GONE, GOT_ALL, PATIENCE, TIMEOUT, assert_seen, no_connection, seen
from web import ANSWER, Relay, cut, forget, full, in_pieces, late, nobody, silence

from inetpy import Atom, Network
from inetpy.network import (
    Fault,
    bandwidth,
    blackhole,
    down,
    eagain,
    error,
    half_open,
    latency,
    limit,
    nth,
    nxdomain,
    refuse,
    reset,
    resolve_timeout,
    short_read,
    short_write,
    slice,  # noqa: A004
    slow_close,
)
from inetpy.network.faults import CALLS, FAULTS
from inetpy.testing import Node, charlist

pytest_plugins = ["http_fixtures"]


class Row(NamedTuple):
    """http, https: what the client sees with the fault; a set where it is a race also in reality.

    real: the event, as that of a relay or as a port; or why there is none here.
    """

    fault: Fault
    http: object
    https: object
    real: web.Event | web.Port | str
    path: str = "/"
    fires: bool = True

    def __str__(self) -> str:
        return str(self.fault)


RESET_BEFORE = (no_connection("econnreset"),)  # a race: connecting has not ended yet

ROUTES = "The event needs routes of its own: tests/network/test_real_events.py makes it."
NOT_CALLED = "A client does not do this."
UNSEEN = "The client does not see it."

ROWS = [
    Row(latency(100), GOT_ALL, GOT_ALL, late(0.1)),
    Row(bandwidth(200_000), GOT_ALL, GOT_ALL, in_pieces(2_000, 0.01)),
    Row(slice(1_000), GOT_ALL, GOT_ALL, in_pieces(1_000)),
    Row(limit(5_000), CUT_OFF, GONE, cut(5_000, web.close)),
    Row(limit(5_000, then="reset"), CUT_OFF, GONE, cut(5_000, web.reset)),
    Row(limit(5_000, then="blackhole"), TIMEOUT, TIMEOUT, cut(5_000, silence)),
    Row(reset(), {*RESET_BEFORE, Atom("closed"), GONE}, {*RESET_BEFORE, no_connection("closed")}, web.reset),
    Row(reset(after_bytes=10), GONE, no_connection("closed"), cut(10, web.reset)),
    Row(reset(after_bytes=5_000), CUT_OFF, GONE, cut(5_000, web.reset)),
    Row(slow_close(100), GOT_ALL, GOT_ALL, web.close_late(0.1), path="/until-close"),
    Row(blackhole(), no_connection("timeout"), no_connection("timeout"), full),
    Row(half_open(), GONE, no_connection("closed"), "See test_half_open."),
    Row(down(), no_connection("econnrefused"), no_connection("econnrefused"), nobody),
    Row(refuse(), no_connection("econnrefused"), no_connection("econnrefused"), nobody),
    Row(error("connect", "eacces"), no_connection("eacces"), no_connection("eacces"), ROUTES),
    Row(error("resolve", "try_again"), no_connection("try_again"), no_connection("try_again"), ROUTES),
    Row(error("any", "emfile"), no_connection("emfile"), no_connection("emfile"), ROUTES),
    Row(error("send", "epipe"), Atom("closed"), no_connection("closed"), "The write is a race."),
    Row(error("recv", "econnreset"), GONE, no_connection("closed"), cut(10, web.reset)),
    Row(error("setopt", "eperm"), GOT_ALL, GOT_ALL, UNSEEN, fires=False),
    Row(error("accept", "emfile"), GOT_ALL, GOT_ALL, NOT_CALLED, fires=False),
    Row(error("bind", "eaddrinuse"), GOT_ALL, GOT_ALL, NOT_CALLED, fires=False),
    Row(error("listen", "eaddrinuse"), GOT_ALL, GOT_ALL, NOT_CALLED, fires=False),
    Row(short_read(100), GOT_ALL, GOT_ALL, in_pieces(100)),
    Row(short_write(10), GOT_ALL, GOT_ALL, UNSEEN),
    Row(eagain(2), GOT_ALL, GOT_ALL, UNSEEN),
    Row(nxdomain(), no_connection("nxdomain"), no_connection("nxdomain"), ROUTES),
    Row(resolve_timeout(), no_connection("timeout"), no_connection("timeout"), ROUTES),
]  # fmt: skip
REAL = [row for row in ROWS if not isinstance(row.real, str)]
BY_SCHEME = pytest.mark.parametrize("scheme", ["http", "https"])


def test_each_word_has_a_row() -> None:
    """A new word, or a new call that can fail, needs a row here or in test_http_names.py."""
    from test_http_names import ALL as OF_NAMES

    assert {fault.word for fault in [*(row.fault for row in ROWS), *OF_NAMES]} == set(FAULTS)
    assert {row.fault.arguments["call"] for row in ROWS if row.fault.word == "error"} == {*CALLS, "any"}


@pytest.fixture
def client(erlang: Node, network: Network) -> Node:
    """A client of web.test, over HTTP and over TLS."""

    async def handler(conn: Any) -> None:
        await web.serve(conn.read_until, conn.write)

    network.server("web.test", 80)(handler)
    network.server("web.test", 443, tls=True)(handler)
    erlang.compile(CLIENT)
    return erlang


@BY_SCHEME
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_fault(row: Row, scheme: str, client: Node, network: Network) -> None:
    with network.fault(row.fault, host="web.test") as rule:
        assert_seen(seen(client, f"{scheme}://web.test{row.path}"), getattr(row, scheme))
    assert bool(rule.fired) == row.fires or row.fault.word == "error"
    assert seen(client, f"{scheme}://web.test{row.path}") == GOT_ALL  # the rule has gone


# --- in reality ---------------------------------------------------------------


@BY_SCHEME
@pytest.mark.parametrize("row", REAL, ids=str)
def test_real_event(row: Row, scheme: str, stock: Node, relay: Relay) -> None:
    """The same on OTP's own sockets, when it happens."""
    assert not isinstance(row.real, str)
    if isinstance(row.real, web.Port):
        with row.real.opened() as port:
            assert_seen(seen(stock, f"{scheme}://127.0.0.1:{port}{row.path}"), getattr(row, scheme))
        return
    relay.events[:] = [row.real]
    port = relay.plain if scheme == "http" else relay.secure
    assert_seen(seen(stock, f"{scheme}://127.0.0.1:{port}{row.path}"), getattr(row, scheme))
    assert relay.events == []


# --- a connection that is kept ------------------------------------------------

KEPT = """
{Status, Size} = http_client:get(Url),
[{Status, Size} | case How of
    keep_alive -> [http_client:get(Url, [{timeout, Patience}]) || _ <- lists:seq(1, 4)];
    pipeline -> http_client:pipelined(lists:duplicate(4, Url), [{timeout, Patience}])
end]
"""


def kept(node: Node, url: str, how: str) -> list[Any]:
    """What one request sees, and then four on the connection that it has left."""
    node.eval("http_client:forget()")
    found: list[Any] = node.eval(KEPT, Url=charlist(url), How=Atom(how), Patience=PATIENCE)
    return found


@pytest.mark.parametrize("how", ["keep_alive", "pipeline"])
@pytest.mark.parametrize("end", ["close", "reset", "blackhole"])
def test_kept_connection(
    end: str, how: str, client: Node, network: Network, stock: Node, relay: Relay
) -> None:
    """The connection ends within the third answer: that request fails, and the others have their answers.

    The client asks again, on other connections, for what was in the pipeline behind it.
    """
    size = len(ANSWER) * 5 // 2
    network.fault(latency(100), host="web.test")  # the client has asked for all of it by then
    with network.fault(limit(size, then=end), host="web.test", when=nth(1)) as rule:
        found = kept(client, "http://web.test/", how)
    assert rule.fired == 1
    assert found[:2] + found[3:] == [GOT_ALL] * 4
    relay.events[:] = [cut(size, {"close": web.close, "reset": web.reset, "blackhole": silence}[end])]
    assert kept(stock, f"http://127.0.0.1:{relay.plain}/", how) == found


GET = "http_client:get(Url, [{timeout, Patience}])"


def test_half_open(client: Node, network: Network) -> None:
    """The peer has forgotten the connection that the client has kept: it hears so when it asks again."""
    client.eval("http_client:forget()")
    ask = partial(client.eval, GET, Url=charlist("http://web.test/"), Patience=PATIENCE)
    assert ask() == GOT_ALL
    network.fault(half_open(), host="web.test", when=nth(1))
    assert [ask(), ask()] == [GONE, GOT_ALL]


def test_really_half_open(stock: Node, relay: Relay) -> None:
    stock.eval("http_client:forget()")
    ask = partial(stock.eval, GET, Url=charlist(f"http://127.0.0.1:{relay.plain}/"), Patience=PATIENCE)
    relay.events[:] = [event := cut(len(ANSWER), forget)]
    assert ask() == GOT_ALL
    while relay.ended.get(timeout=20) is not event:
        pass
    assert [ask(), ask()] == [GONE, GOT_ALL]
