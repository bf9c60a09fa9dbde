"""OTP's gen_tcp and gen_udp with `{inet_backend, socket}` on a node whose module `socket` is ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossed import assert_equal, observed_group
from evaluated import evaluated

# Scenarios of gen_tcp: connect, listen, accept, active modes, packet modes, the end of connections.
GROUPS = ["xc_connect", "xc_accept", "xc_listen", "xc_local", "xc_active", "xc_packet", "xc_recv"]
# OTP 28 reads a long line byte by byte, so whether the scenario ends is a matter of speed.
SLOW = ["line_default_buffer"]


@pytest.mark.parametrize("group", GROUPS)
def test_group(group: str, tmp_path: Path) -> None:
    """OTP's gen_tcp_socket does the same on Python's sockets as on its own."""
    rows = observed_group(tmp_path, "socket,on_socket", group)
    assert_equal([row for row in rows if row["name"] not in SLOW])


def test_sockets_are_of_python() -> None:
    """gen_tcp and gen_udp are OTP's own, their sockets Python's. What is open goes on after uninstall/0."""
    lines = evaluated("""
        ok = inetpy:install(#{inet => false, socket => true}),
        B = {inet_backend, socket},
        {ok, L} = gen_tcp:listen(0, [B, binary, {active, false}]),
        {ok, Port} = inet:port(L),
        Options = [B, binary, {active, false}],
        {ok, {'$inet', gen_tcp_socket, {_, Plain}} = C} = gen_tcp:connect("localhost", Port, Options),
        {ok, S} = gen_tcp:accept(L, 5000),
        {ok, {'$inet', gen_udp_socket, _} = U} = gen_udp:open(0, [B, binary]),
        IsOurs = lists:member(Plain, inetpy:which_sockets()),
        io:format("~w~n", [{IsOurs, inetpy_stock_socket:which_sockets()}]),
        {ok, Stock} = gen_tcp:listen(0, []),
        io:format("~w~n", [is_port(Stock)]),
        Ref = inet:monitor(C),
        ok = inetpy:uninstall(),
        ok = gen_tcp:send(C, "after"),
        {ok, <<"after">>} = gen_tcp:recv(S, 5, 5000),
        ok = gen_udp:close(U),
        ok = gen_tcp:close(C),
        receive {'DOWN', Ref, socket, Down, closed} -> io:format("~w~n", [Down =:= C]) end,
        {ok, Own} = socket:open(inet, stream),
        Ours = inetpy:which_sockets(),
        io:format("~w~n", [{inetpy_stock_socket:which_sockets() =:= [Own], lists:member(Own, Ours)}]),
        io:format("~w~n", [lists:sort(socket:which_sockets()) =:= lists:sort([Own | Ours])])
    """)
    assert lines[-5:] == ["{true,[]}", "true", "true", "{true,false}", "true"], lines


def test_uninstall_brings_back_otp() -> None:
    """With no socket of Python open, the modules are OTP's again; a process that waits is not disturbed."""
    lines = evaluated("""
        Otp = [{M, M:module_info(md5)} || M <- [socket, gen_tcp_socket, gen_udp_socket]],
        Are = fun() -> [M:module_info(md5) =:= Md5 || {M, Md5} <- Otp] end,
        ok = inetpy:install(#{inet => false, socket => true}),
        io:format("~w~n", [Are()]),
        {ok, S} = socket:open(inet, dgram),
        ok = socket:bind(S, #{family => inet, addr => loopback, port => 0}),
        {ok, Address} = socket:sockname(S),
        Self = self(),
        {Waits, _} = spawn_monitor(fun() -> Self ! here, Self ! {got, socket:recv(S)} end),
        receive here -> ok end,
        Until = fun Until() ->
            case socket:info(S) of #{num_readers := 1} -> ok; _ -> timer:sleep(5), Until() end
        end,
        ok = Until(),
        ok = inetpy:uninstall(),
        io:format("~w~n", [Are()]),
        ok = inetpy:install(#{inet => false, socket => true}),
        ok = socket:sendto(S, <<"x">>, Address),
        receive {got, Got} -> io:format("~w~n", [Got]); {'DOWN', _, _, Waits, Why} -> exit(Why) end,
        ok = socket:close(S),
        ok = inetpy:uninstall(),
        io:format("~w~n", [Are()]),
        ok = inetpy:install(#{socket => true}),
        io:format("~w~n", [Are()]),
        ok = inetpy:uninstall(),
        io:format("~w~n", [Are()])
    """)
    none, all_three = "[false,false,false]", "[true,true,true]"
    assert lines[-6:] == [none, none, "{ok,<<120>>}", all_three, none, all_three], lines
