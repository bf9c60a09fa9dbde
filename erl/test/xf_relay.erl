%% Relays that do to bytes and datagrams what networks do to them.
%%
%% A way is {Direction, What}, seen from the side that connects to the relay: `recv` is what comes to it. For streams:
%%
%%     {delay, Ms}          each byte is so much later
%%     {rate, Bytes}        so many bytes per second
%%     {slice, Size, Ms}    pieces of that size, with a pause between them
%%     {hold_end, Ms}       the end comes later
%%
%% For datagrams, counted from 1: `{lose, N}`, `{twice, N}`, `{flip, N}`, `{cut, N, Size}`, `{behind, N, Gap}`,
%% `{delay, Ms}`, `{rate, Bytes}`.
-module(xf_relay).

-export([stream/4, datagrams/3]).

%% Listens on Port, and relays each connection to the port Behind. Calls Connected when it has both.
-spec stream([{recv | send, term()}], inet:port_number(), inet:port_number(), fun(() -> term())) -> pid().
stream(Ways, Port, Behind, Connected) ->
    started(fun(Ready) ->
        {ok, L} = gen_tcp:listen(Port, [{ip, {127, 0, 0, 1}} | options()]),
        Ready(),
        connections(L, Ways, Behind, Connected)
    end).

started(Fun) ->
    Self = self(),
    Pid = spawn_link(fun() -> Fun(fun() -> Self ! {self(), ready} end) end),
    receive {Pid, ready} -> Pid end.

options() -> [binary, {active, false}, {nodelay, true}, {reuseaddr, true}, {show_econnreset, true}].

connections(L, Ways, Behind, Connected) ->
    {ok, Front} = gen_tcp:accept(L),
    {ok, Back} = gen_tcp:connect({127, 0, 0, 1}, Behind, options()),
    pump(Back, Front, [Way || {recv, Way} <- Ways]),
    pump(Front, Back, [Way || {send, Way} <- Ways]),
    Connected(),
    connections(L, Ways, Behind, Connected).

%% One process reads and says when a piece is due, one writes.
pump(From, To, Ways) ->
    Writer = spawn_link(fun() -> write(To) end),
    spawn_link(fun() -> read(From, Writer, Ways) end).

read(From, Writer, Ways) ->
    Now = now_ms(),
    case gen_tcp:recv(From, 0) of
        {ok, Data} ->
            Writer ! {due(max(Now, now_ms()), Ways), Ways, Data},
            read(From, Writer, Ways);
        {error, econnreset} ->
            Writer ! {due(now_ms(), Ways), Ways, reset};
        {error, _} ->
            Writer ! {due(now_ms(), Ways) + lists:sum([Ms || {hold_end, Ms} <- Ways]), Ways, the_end}
    end.

due(Now, Ways) -> Now + lists:sum([Ms || {delay, Ms} <- Ways]).

now_ms() -> erlang:monotonic_time(millisecond).

write(To) ->
    receive
        {Due, Ways, What} ->
            timer:sleep(max(0, Due - now_ms())),
            written(What, Ways, To)
    end.

written(the_end, _, To) ->
    gen_tcp:shutdown(To, write);
written(reset, _, To) ->
    xc:reset(To);
written(Data, Ways, To) ->
    {Size, Pause} = piece(Ways),
    write_pieces(Data, Size, Pause, To),
    write(To).

piece([{slice, Size, Ms} | _]) -> {Size, Ms};
piece([{rate, Rate} | _]) -> {Rate div 50, 20};
piece([_ | Ways]) -> piece(Ways);
piece([]) -> {1 bsl 30, 0}.

write_pieces(Data, Size, Pause, To) when byte_size(Data) > Size ->
    <<Piece:Size/binary, Rest/binary>> = Data,
    _ = gen_tcp:send(To, Piece),
    timer:sleep(Pause),
    write_pieces(Rest, Size, Pause, To);
write_pieces(Data, _, Pause, To) ->
    _ = gen_tcp:send(To, Data),
    timer:sleep(Pause).

%% --- datagrams ----------------------------------------------------------------

%% Takes datagrams on Port, and relays them to the port Behind; and what comes from there to the one who sent last.
-spec datagrams([{recv | send, term()}], inet:port_number(), inet:port_number()) -> pid().
datagrams(Ways, Port, Behind) ->
    started(fun(Ready) ->
        Options = [binary, {active, true}, {ip, {127, 0, 0, 1}}, {recbuf, 1 bsl 20}],
        {ok, Front} = gen_udp:open(Port, Options),
        {ok, Back} = gen_udp:open(0, Options),
        Ready(),
        relayed(#{
            Front => {Back, [Way || {send, Way} <- Ways], 1, []},
            Back => {Front, [Way || {recv, Way} <- Ways], 1, []}
        }, #{Back => {{127, 0, 0, 1}, Behind}})
    end).

%% Directions: of a socket, where its datagrams leave, its ways, the number of the next, and those held back.
relayed(Directions, To) ->
    receive
        {udp, From, Address, Port, Data} ->
            #{From := {Out, Ways, N, Held}} = Directions,
            Known = case To of #{From := _} -> To; #{} -> To#{From => {Address, Port}} end,
            {Due, Still} = lists:partition(fun({At, _}) -> At =< N end, Held),
            {Now, Later} = passed(Ways, N, Data),
            _ = [forward(Out, Known, Ways, Piece) || Piece <- Now ++ [Piece || {_, Piece} <- Due]],
            relayed(Directions#{From := {Out, Ways, N + 1, Still ++ Later}}, Known);
        {forward, Out, Piece} ->
            forward(Out, To, [], Piece),
            relayed(Directions, To)
    end.

%% {what leaves now, what leaves behind the datagram of a number}
passed([{lose, N} | _], N, _) -> {[], []};
passed([{twice, N} | _], N, Data) -> {[Data, Data], []};
passed([{flip, N} | _], N, Data) ->
    <<Before:50/binary, Byte, After/binary>> = Data,
    {[<<Before/binary, (Byte bxor 4), After/binary>>], []};
passed([{cut, N, Size} | _], N, Data) -> {[binary:part(Data, 0, Size)], []};
passed([{behind, N, Gap} | _], N, Data) -> {[], [{N + Gap, Data}]};
passed([_ | Ways], N, Data) -> passed(Ways, N, Data);
passed([], _, Data) -> {[Data], []}.

forward(Out, To, [{delay, Ms} | _], Piece) ->
    erlang:send_after(Ms, self(), {forward, Out, Piece}),
    To;
forward(Out, To, [{rate, Rate} | _], Piece) ->
    timer:sleep(byte_size(Piece) * 1000 div Rate),
    forward(Out, To, [], Piece);
forward(Out, To, _, Piece) ->
    #{Out := {Address, Port}} = To,
    gen_udp:send(Out, Address, Port, Piece).
