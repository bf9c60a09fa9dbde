%% Terms that no call expects: deeply nested ones, numbers of thousands of digits, wrong types.
%%
%% Each call of `calls/0` is made with each term of `terms/0` in the place of an argument, an
%% option, or a part of one.
-module(xc_terms).

-export([scenarios/0]).

-define(DEPTH, 20000).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {Name, Statement, fun(B) ->
            [xc:skip("OTP's socket backend logs whole terms, until memory ends") || #{name := socket} <- [B]],
            each_service(Name, fun() -> [{Label, observed(fun() -> Call(B, Term) end)} || {Label, Term} <- terms()] end)
        end}
     || {Name, Statement, Call} <- calls()
    ].

each_service(Name, Fun) ->
    case atom_to_list(Name) of
        "getserv" ++ _ -> xc:with_service(Fun);
        _ -> Fun()
    end.

terms() ->
    [
        {deep_list, nested(fun(T) -> [T] end, [])},
        {deep_tuple, nested(fun(T) -> {T} end, {})},
        {deep_map, nested(fun(T) -> #{T => x} end, x)},
        {deep_pair, nested(fun(T) -> {active, T} end, true)},
        {deep_tail, nested(fun(T) -> [x, T | y] end, [])},
        {shallow_list, nested(fun(T) -> [T] end, [], 99)},
        {shallow_tuple, nested(fun(T) -> {T} end, {}, 99)},
        {large, 1 bsl 20000},
        {negative, -(1 bsl 20000)},
        {large_in_list, [1 bsl 20000]},
        {large_in_tuple, {1 bsl 20000, 1 bsl 20000, 1 bsl 20000, 1 bsl 20000}},
        {improper, [x | y]},
        {map, #{x => y}},
        {float, 1.5},
        {function, fun erlang:self/0},
        {bits, <<1:3>>}
    ].

nested(Fun, Term) -> nested(Fun, Term, ?DEPTH).

nested(_, Term, 0) -> Term;
nested(Fun, Term, N) -> nested(Fun, Fun(Term), N - 1).

%% The result of a call. Terms in the results of the stock driver can be deep too, and are cut for the report.
observed(Call) ->
    case xc:attempt(Call) of
        {ok, Socket} when is_port(Socket); element(1, Socket) =:= '$inet' -> ok = close(Socket), opened;
        {Class, {Reason, _}} when Class =:= error; Class =:= exit -> {Class, small(Reason)};
        {Class, Reason} -> {Class, small(Reason)};
        Result -> small(Result)
    end.

close(Socket) -> inet:close(Socket).

small(Term) ->
    case erts_debug:flat_size(Term) < 100 of
        true -> Term;
        false -> large_term
    end.

calls() ->
    [
        {setopts_list, "The list of setopts.", stream(fun(S, T) -> inet:setopts(S, T) end)},
        {setopts_option, "An option of setopts.", stream(fun(S, T) -> inet:setopts(S, [{nodelay, true}, T]) end)},
        {setopts_name, "The name of an option.", stream(fun(S, T) -> inet:setopts(S, [{T, true}]) end)},
        {setopts_end, "The end of a list of options.", stream(fun(S, T) -> inet:setopts(S, [{nodelay, true} | T]) end)},
        {getopts_list, "The list of getopts.", stream(fun(S, T) -> inet:getopts(S, T) end)},
        {getopts_name, "A name in getopts.", stream(fun(S, T) -> inet:getopts(S, [mode, T]) end)},
        {getopts_end, "The end of a list of names.", stream(fun(S, T) -> inet:getopts(S, [mode | T]) end)},
        {getopts_raw, "The size of a raw option.", stream(fun(S, T) -> inet:getopts(S, [{raw, 6, 1, T}]) end)},
        {getopts_raw_level, "The level of a raw option.", stream(fun(S, T) -> inet:getopts(S, [{raw, T, 1, 4}]) end)},
        {getstat_list, "The list of getstat.", stream(fun(S, T) -> inet:getstat(S, T) end)},
        {getstat_name, "A name in getstat.", stream(fun(S, T) -> inet:getstat(S, [recv_oct, T]) end)},
        {getstat_end, "The end of a list of counters.", stream(fun(S, T) -> inet:getstat(S, [recv_oct | T]) end)},
        {connect_option, "An option of connect.", fun(B, T) -> connect(B, {127, 0, 0, 1}, dead, [T], 1000) end},
        {connect_address, "The address of connect.", fun(B, T) -> connect(B, T, dead, [], 1000) end},
        {connect_port, "The port of connect.", fun(B, T) -> connect(B, {127, 0, 0, 1}, T, [], 1000) end},
        {connect_timeout, "The timeout of connect.", fun(B, T) -> connect(B, {127, 0, 0, 1}, dead, [], T) end},
        {connect_ip, "The address to bind to.", fun(B, T) -> connect(B, {127, 0, 0, 1}, dead, [{ip, T}], 1000) end},
        {connect_from_port, "The port to bind to.", fun(B, T) -> connect(B, {127, 0, 0, 1}, dead, [{port, T}], 1000) end},
        {connect_fd, "A descriptor.", fun(B, T) -> connect(B, {127, 0, 0, 1}, dead, [{fd, T}], 1000) end},
        {listen_port, "The port of listen.", fun(B, T) -> listen(B, T, []) end},
        {listen_option, "An option of listen.", fun(B, T) -> listen(B, 0, [T]) end},
        {listen_ip, "The address to listen at.", fun(B, T) -> listen(B, 0, [{ip, T}]) end},
        {listen_backlog, "The backlog.", fun(B, T) -> listen(B, 0, [{backlog, T}]) end},
        {listen_fd, "A descriptor.", fun(B, T) -> listen(B, 0, [{fd, T}]) end},
        {open_port, "The port of a datagram socket.", fun(B, T) -> open(B, T, []) end},
        {open_option, "An option of a datagram socket.", fun(B, T) -> open(B, 0, [T]) end},
        {open_fd, "A descriptor.", fun(B, T) -> open(B, 0, [{fd, T}]) end},
        {recv_length, "How much to receive.", stream(fun(S, T) -> gen_tcp:recv(S, T, 10) end)},
        {recv_timeout, "How long to receive.", stream(fun(S, T) -> {gen_tcp:recv(S, 0, time(T)), gen_tcp:recv(S, 0, 1)} end)},
        {unrecv, "What to put back.", stream(fun(S, T) -> gen_tcp:unrecv(S, no_bits(T)) end)},
        {shutdown, "Which half to shut down.", stream(fun(S, T) -> gen_tcp:shutdown(S, T) end)},
        {controlling_process, "Who is to own a socket.", stream(fun(S, T) -> gen_tcp:controlling_process(S, T) end)},
        {accept_timeout, "How long to accept.", fun(B, T) -> gen_tcp:accept(xc:listen(B, []), time(T)) end},
        {udp_recv_length, "How much to receive of a datagram.", datagram(fun(S, _, T) -> gen_udp:recv(S, T, 10) end)},
        {udp_recv_timeout, "How long to wait for a datagram.", datagram(fun(S, _, T) -> {gen_udp:recv(S, 0, T), gen_udp:recv(S, 0, 1)} end)},
        {udp_send_address, "Where a datagram is to go.", datagram(fun(S, P, T) -> gen_udp:send(S, T, P, "x") end)},
        {udp_send_port, "And to which port.", datagram(fun(S, _, T) -> gen_udp:send(S, {127, 0, 0, 1}, T, "x") end)},
        {udp_send_destination, "A destination.", datagram(fun(S, _, T) -> gen_udp:send(S, {T, 1}, "x") end)},
        {udp_send_ancillary, "Ancillary data.", datagram(fun(S, P, T) -> gen_udp:send(S, {{127, 0, 0, 1}, P}, T, "x") end)},
        {udp_send_ancillary_value, "A value of them.", datagram(fun(S, P, T) -> gen_udp:send(S, {{127, 0, 0, 1}, P}, [{tos, T}], "x") end)},
        {udp_send_ancillary_end, "The end of their list.", datagram(fun(S, P, T) -> gen_udp:send(S, {{127, 0, 0, 1}, P}, [{tos, 4} | T], "x") end)},
        {udp_connect, "The peer of a datagram socket.", datagram(fun(S, P, T) -> gen_udp:connect(S, T, P) end)},
        {udp_connect_port, "And its port.", datagram(fun(S, _, T) -> gen_udp:connect(S, {127, 0, 0, 1}, T) end)}
    ] ++
        [
            {list_to_atom("set_" ++ atom_to_list(Option)), "The value of an option.",
                stream(fun(S, T) -> {inet:setopts(S, [{Option, value(Option, T)}]), inet:getopts(S, [Option])} end)}
         || Option <- [active, buffer, header, mode, packet, linger, send_timeout, bind_to_device, deliver, packet_size, debug]
        ] ++
        [
            {list_to_atom("udp_" ++ atom_to_list(Option)), "The value of an option of a datagram socket.",
                datagram(fun(S, _, T) -> inet:setopts(S, [{Option, T}]) end)}
         || Option <- [add_membership, multicast_if, read_packets]
        ] ++
        [
            {Name, "An argument of a function of inet.", fun(#{inet := Module}, T) ->
                apply(Module, Function, [case A of term -> T; _ -> A end || A <- Args])
            end}
         || {Name, Function, Args} <- functions()
        ].

%% The driver accepts a buffer of any size, and would allocate 1.2 GB.
value(buffer, T) when is_integer(T) -> T band 16#FFFF;
value(_, T) -> T.

%% With a bitstring, unrecv of the stock driver puts back bytes of uninitialised memory.
no_bits(T) when is_bitstring(T), not is_binary(T) -> x;
no_bits(T) -> T.

%% With a negative timeout, recv and accept wait for ever.
time(T) when is_integer(T), T < 0 -> 1;
time(T) -> T.

%% Without gethostbyname: some of these terms end the resolver of the stock driver, and other scenarios wait for it.
functions() ->
    [{F, F, [term]} || F <- [
        is_ip_address, is_ipv4_address, is_ipv6_address, parse_address, parse_strict_address, parse_ipv4_address,
        parse_ipv4strict_address, parse_ipv6_address, parse_ipv6strict_address, ntoa, ipv4_mapped_ipv6_address,
        gethostbyaddr, getifaddrs
    ]] ++
        [
            {getaddr, getaddr, [term, inet]},
            {getaddr_family, getaddr, ["127.0.0.1", term]},
            {getaddr_timeout, getaddr, ["127.0.0.1", inet, term]},
            {getaddrs, getaddrs, [term, inet6]},
            {gethostbyname_family, gethostbyname, ["127.0.0.1", term]},
            {gethostbyname_timeout, gethostbyname, ["127.0.0.1", inet, term]},
            {gethostbyaddr_timeout, gethostbyaddr, ["127.0.0.1", term]},
            {getservbyname, getservbyname, [term, tcp]},
            {getservbyname_protocol, getservbyname, [http, term]},
            {getservbyport, getservbyport, [term, tcp]},
            {getservbyport_protocol, getservbyport, [80, term]}
        ].

stream(Fun) ->
    fun(B, Term) ->
        {S, _} = xc:pair(B, []),
        Fun(S, Term)
    end.

datagram(Fun) ->
    fun(B, Term) ->
        {S, Port} = xc:udp(B, []),
        Fun(S, Port, Term)
    end.

connect(B, Address, dead, Options, Timeout) ->
    connect(B, Address, xc:dead_port(), Options, Timeout);
connect(B, Address, Port, Options, Timeout) ->
    gen_tcp:connect(Address, Port, xc:options(B, Options), Timeout).

listen(B, Port, Options) -> gen_tcp:listen(Port, xc:options(B, Options)).

open(B, Port, Options) -> gen_udp:open(Port, xc:udp_options(B, Options)).
