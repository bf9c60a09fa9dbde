%% Flags and control messages, each by a table: flags both ways, control messages to send, and those that come.
-module(xs_control).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {name([flag, Name]), "A flag in all functions that take flags, on sockets of several kinds", fun(B) -> flagged(B, Flag) end}
     || {Name, Flag} <- flags()
    ] ++
        [
            {name([send, Level, Type]), "A control message with all kinds of values, on sockets of several kinds", fun(B) -> sent(B, Level, Type) end}
         || {Level, Type} <- to_send()
        ] ++
        [
            {name([recv, Level, Option]), "What comes with a message when the option is set", fun(B) -> received(B, {Level, Option}) end}
         || {Level, Option} <- to_receive()
        ] ++ others().

name(Words) -> list_to_atom(lists:concat(lists:join("_", Words))).

%% --- flags -----------------------------------------------------------------------------

%% The names of the documents, and a number.
flags() ->
    [{F, [F]} || F <- [cmsg_cloexec, confirm, ctrunc, dontroute, eor, errqueue, more, nosignal, oob, peek, trunc]] ++
        [{number, [16#40]}, {two, [peek, dontroute]}, {twice, [peek, peek]}, {mixed, [peek, 16#40]}, {all, [confirm, dontroute, eor, nosignal]}].

flagged(#{api := M} = B, Flags) ->
    [
        begin
            {A, P} = pair(Kind, B),
            Sent = [
                {F, xs:attempt(Call)}
             || {F, Call} <- [
                    {send, fun() -> M:send(A, "abc", Flags, 0) end}, {sendmsg, fun() -> M:sendmsg(A, #{iov => [<<"def">>]}, Flags, 0) end},
                    {sendto, fun() -> M:sendto(A, "ghi", address_of(M, A), Flags, 0) end}
                ]
            ],
            Size = case Flags of [trunc] -> 100; _ -> 2 end,
            %% What waits for more, or is urgent, goes out now.
            _ = M:send(A, "jkl"),
            Received = [
                {F, xs:attempt(Call)}
             || {F, Call} <- [
                    {recv, fun() -> whole(Flags, M:recv(P, Size, Flags, 50)) end}, {recvfrom, fun() -> whole(Flags, from(M:recvfrom(P, Size, Flags, 50))) end},
                    {recvmsg, fun() -> whole(Flags, from(M:recvmsg(P, Size, 0, Flags, 50))) end},
                    {recvmsg_all, fun() -> whole(Flags, from(M:recvmsg(P, 100, 0, Flags, 50))) end}, {recv_all, fun() -> whole(Flags, M:recv(P, 0, Flags, 50)) end}
                ]
            ],
            {Kind, Sent, Received}
        end
     || Kind <- kinds()
    ].

%% With `trunc` a datagram has its whole size: OTP 28 ends where the buffer is smaller. And data of a stream is what was in
%% memory before.
whole([trunc], {ok, {Source, Data}}) -> {ok, {Source, byte_size(Data)}};
whole([trunc], {ok, #{iov := IOV} = Msg}) -> {ok, Msg#{iov := iolist_size(IOV)}};
whole([trunc], {ok, Data}) -> {ok, byte_size(Data)};
whole([trunc], {error, {timeout, Data}}) -> {error, {timeout, byte_size(Data)}};
whole(_, Other) -> Other.

kinds() -> [{inet, stream}, {inet, dgram}, {inet6, dgram}, {local, stream}, {local, dgram}, {local, seqpacket}].

pair({inet, stream}, B) -> xs:pair(B);
pair({local, dgram}, B) -> xs:local_udp_pair(B);
pair({local, Type}, B) -> xs:local_pair(B, Type);
pair({Domain, dgram}, #{api := M}) ->
    [{A, AddressA}, {P, AddressP}] = [
        begin
            {ok, S} = M:open(Domain, dgram),
            ok = M:bind(S, loopback),
            {ok, Address} = M:sockname(S),
            {S, Address}
        end
     || _ <- [1, 2]
    ],
    ok = M:connect(A, AddressP),
    ok = M:connect(P, AddressA),
    {A, P}.

address_of(M, S) ->
    {ok, Peer} = M:peername(S),
    Peer.

%% An address without what differs by chance.
from({ok, {Source, Data}}) -> {ok, {address(Source), Data}};
from({ok, #{addr := Source} = Msg}) -> {ok, Msg#{addr := address(Source)}};
from(Other) -> Other.

address(#{port := _} = Source) -> Source#{port := port};
address(#{path := <<0, _/binary>>} = Source) -> Source#{path := abstract};
address(Other) -> Other.

%% --- control messages to send ------------------------------------------------------------

to_send() ->
    [
        {socket, timestamp}, {socket, rights}, {socket, credentials}, {ip, tos}, {ip, ttl}, {ip, pktinfo}, {ip, recvtos}, {ip, recvttl}, {ip, origdstaddr},
        {ip, recverr}, {ip, hoplimit}, {ipv6, tclass}, {ipv6, hoplimit}, {ipv6, pktinfo}, {ipv6, recverr}, {tcp, nodelay}, {udp, cork}, {socket, nonsense}
    ].

sent(#{api := M} = B, Level, Type) ->
    Messages = [#{level => Level, type => Type, value => V} || V <- values()] ++ [#{level => Level, type => Type, data => D} || D <- data(Level, Type)],
    [
        begin
            {A, P} = pair(Kind, B),
            _ = [M:setopt(P, Option, true) || Option <- [{ip, recvtos}, {ip, recvttl}, {ipv6, recvtclass}, {ipv6, recvhoplimit}]],
            {Kind, [
                begin
                    Sent = xs:attempt(fun() -> M:sendmsg(A, #{iov => [<<"abc">>], ctrl => [Control]}, 0) end),
                    {Control, Sent, [without_descriptor(from(M:recvmsg(P, 100, 0, 1000))) || ok <- [Sent]]}
                end
             || Control <- Messages
            ]}
        end
     || Kind <- [{inet, dgram}, {inet6, dgram}, {local, stream}]
    ].

values() -> [0, 1, 7, 64, 255, 256, -1, -2, 1 bsl 31, x, true, lowdelay, throughput, reliability, mincost, "abc", <<7>>, <<7:32/native>>, 1.5, #{sec => 1, usec => 2}, #{ifindex => 1}, []].

%% A descriptor that is none, and no descriptors at all. Others differ by chance.
data(socket, rights) -> [<<-1:32>>, <<>>, <<1>>, 1 bsl 20, x];
data(socket, credentials) -> [<<>>, <<1>>, <<0:96>>, x, 1];
data(_, _) -> [<<>>, <<7>>, <<7:32/native>>, <<7:64/native>>, 7, true, "abc", x].

without_descriptor({ok, #{ctrl := Controls} = Msg}) ->
    {ok, Msg#{ctrl := [case Control of #{type := rights} -> maps:without([data, value], Control); _ -> Control end || Control <- Controls]}};
without_descriptor(Other) ->
    Other.

%% --- control messages that come --------------------------------------------------------------

to_receive() ->
    [
        {socket, timestamp}, {socket, passcred}, {socket, rxq_ovfl}, {ip, pktinfo}, {ip, recvdstaddr}, {ip, recvif}, {ip, recvopts}, {ip, recvorigdstaddr}, {ip, recvtos},
        {ip, recvttl}, {ip, retopts}, {ip, recverr}, {ipv6, recvpktinfo}, {ipv6, recvtclass}, {ipv6, recvhoplimit}, {ipv6, hopopts}, {ipv6, rthdr}, {ipv6, dstopts},
        {ipv6, flowinfo}, {ipv6, authhdr}, {ipv6, recverr}
    ].

received(#{api := M} = B, Option) ->
    [
        begin
            {A, P} = pair(Kind, B),
            Before = M:getopt(P, Option),
            Set = M:setopt(P, Option, true),
            ok = M:send(A, "abc"),
            Message = known(from(M:recvmsg(P, 100, CtrlSz, 1000))),
            Cleared = M:setopt(P, Option, false),
            ok = M:send(A, "abc"),
            {Kind, CtrlSz, Before, Set, Message, Cleared, known(from(M:recvmsg(P, 100, CtrlSz, 1000)))}
        end
     || Kind <- kinds(), Option =/= {socket, timestamp} orelse is_datagram(Kind), CtrlSz <- [0, 1, 17, 20, 24, 31, 32, 40, 200], Option =/= {ip, recvorigdstaddr} orelse not is_whole_enough(CtrlSz)
    ].

%% From OTP 28 on an address that is cut off behind its bytes is a whole one.
is_whole_enough(CtrlSz) -> CtrlSz >= 24 andalso CtrlSz < 32.

%% Whether the system knows the time of a part of a stream is chance.
is_datagram({_, Type}) -> Type =:= dgram.

%% Times, processes and ports differ by chance; and so does all data that has them.
known({ok, #{ctrl := Controls} = Msg}) ->
    {ok, Msg#{ctrl := [known_control(Control) || Control <- Controls]}};
known(Other) ->
    Other.

known_control(#{type := Type, data := Data} = Control) when Type =:= timestamp; Type =:= credentials; Type =:= origdstaddr ->
    Shape = fun
        (Map) when is_map(Map) -> lists:sort(maps:keys(Map));
        (Binary) when is_binary(Binary) -> byte_size(Binary);
        (Value) -> Value
    end,
    maps:map(fun(value, Value) -> Shape(Value); (_, Value) -> Value end, Control#{data := byte_size(Data)});
%% The flow label.
known_control(#{level := ipv6, type := 11, data := Data} = Control) ->
    Control#{data := byte_size(Data)};
known_control(Control) ->
    Control.

%% --- others ---------------------------------------------------------------------------------

others() ->
    [
        {vectors, "Messages of many and of odd parts arrive whole, on sockets of several kinds.", fun(#{api := M} = B) ->
            [
                begin
                    {A, P} = pair(Kind, B),
                    [
                        begin
                            Sent = xs:attempt(fun() -> M:sendmsg(A, #{iov => IOV}, 0) end),
                            {length(IOV), Sent, [Data || ok <- [Sent], iolist_size(IOV) > 0, {ok, Data} <- [M:recv(P, 0, 1000)]]}
                        end
                     || IOV <- [[], [<<>>], [<<>>, <<>>], [<<"a">>], [<<"a">>, <<>>, <<"b">>], lists:duplicate(16, <<"ab">>), lists:duplicate(1024, <<"c">>),
                            lists:duplicate(1025, <<"d">>), [binary:part(<<"abcdef">>, 2, 3)]]
                    ]
                end
             || Kind <- kinds()
            ]
        end},
        {many_rights, "Several descriptors in one message.", fun(#{api := M} = B) ->
            {A, P} = xs:local_pair(B, stream),
            Rights = fun(N) -> [#{level => socket, type => rights, data => binary:copy(<<0:32/native>>, N)}] end,
            [
                begin
                    Sent = xs:attempt(fun() -> M:sendmsg(A, #{iov => [<<"a">>], ctrl => Rights(N)}, 0) end),
                    {N, Sent, [{maps:get(flags, Msg), [byte_size(Data) || #{data := Data} <- maps:get(ctrl, Msg)]} || ok <- [Sent], {ok, Msg} <- [M:recvmsg(P, 100, Room, 1000)]]}
                end
             || N <- [1, 2, 5, 100], Room <- [0, 20, 500]
            ]
        end},
        {two_messages, "Control messages of several levels in one message.", fun(#{api := M} = B) ->
            {A, P} = xs:local_pair(B, stream),
            One = #{level => socket, type => rights, data => <<0:32/native>>},
            Others = [#{level => ip, type => ttl, value => 1}, #{level => socket, type => 99, data => <<>>}, #{level => 99, type => 1, data => <<"abc">>}],
            [xs:attempt(fun() -> M:sendmsg(A, #{iov => [<<"a">>], ctrl => Controls}, 0) end) || Controls <- [[One, One], [One, hd(Others)], Others, lists:duplicate(50, One)]] ++
                [case M:recvmsg(P, 1, 0, 0) of {ok, Msg} -> length(maps:get(ctrl, Msg)); Other -> Other end || _ <- [1, 2, 3, 4]]
        end},
        {message_buffers, "rcvctrlbuf and sndctrlbuf have room for so much.", fun(#{api := M} = B) ->
            [
                begin
                    {A, P} = pair({inet, dgram}, B),
                    ok = M:setopt(P, {ip, recvttl}, true),
                    Set = [xs:attempt(fun() -> M:setopt(S, {otp, O}, Size) end) || {S, O} <- [{P, rcvctrlbuf}, {A, sndctrlbuf}]],
                    Sent = xs:attempt(fun() -> M:sendmsg(A, #{iov => [<<"a">>], ctrl => [#{level => ip, type => ttl, value => 3}]}, 0) end),
                    _ = M:send(A, "b"),
                    {Size, Set, Sent, from(M:recvmsg(P, 1000)), M:getopt(P, {otp, rcvctrlbuf}), M:getopt(A, {otp, sndctrlbuf})}
                end
             || Size <- [1, 16, 20, 24, 100, default, 0, -1, x]
            ]
        end},
        {error_queue, "A message of the error queue comes before others, and only with errqueue.", fun(#{api := M} = B) ->
            [
                begin
                    {A, P} = pair(Kind, B),
                    ok = M:setopt(A, {element(1, Level), recverr}, true),
                    ok = M:send(P, "def"),
                    {ok, _} = M:recv(A, 0, [peek], 1000),
                    ok = M:close(P),
                    Nothing = M:recvmsg(A, 0, 0, [errqueue], 0),
                    ok = M:send(A, "abc"),
                    true = xc:until(fun() -> M:recv(A, 0, [peek], 0) =:= {error, econnrefused} end),
                    {Kind, Nothing, from(M:recvmsg(A, 0, 0, [errqueue], 0)), M:recvmsg(A, 0, 0, [errqueue], 0), M:recv(A, 0, 0)}
                end
             || {Kind, Level} <- [{{inet, dgram}, {ip}}, {{inet6, dgram}, {ipv6}}]
            ]
        end}
    ].
