%% Families of addresses and types of sockets: the life of a socket of each, and maps of addresses in all functions that
%% take or give one.
-module(xs_families).

-export([scenarios/0]).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {list_to_atom(lists:concat(["address_", Name])), "A map of an address in all functions that take one, on sockets of all families", fun(B) -> addressed(B, kinds(), Address) end}
     || {Name, Address} <- addresses()
    ] ++
        [
            {addresses_of_raw_kinds, "The same on sockets below UDP and TCP, which a host without a kernel has not.", fun(B) ->
                [{Name, addressed(B, raw_kinds(), Address)} || {Name, Address} <- addresses()]
            end}
        ] ++
        [
            {list_to_atom(lists:concat(["open_", Domain])), "A domain with all types and protocols", fun(B) -> opened(B, Domain, types()) end}
         || Domain <- [inet, inet6, local, unspec, packet, netlink, 'INET', link, ax25, 0, 1, 2, 10, 9999]
        ] ++
        [
            {open_raw, "Domains with the types of raw sockets, and domains that have others beside them.", fun(B) ->
                [opened(B, Domain, raw_types()) || Domain <- [inet, inet6, local, 2, 10]] ++ [opened(B, Domain, types() ++ raw_types()) || Domain <- [16, 17]]
            end}
        ] ++ lives().

%% --- addresses -----------------------------------------------------------------------

addresses() ->
    Six = {0, 0, 0, 0, 0, 0, 0, 1},
    [
        {in_loopback, #{family => inet, addr => loopback, port => 0}},
        {in_any, #{family => inet, addr => any, port => 0}},
        {in_broadcast, #{family => inet, addr => broadcast, port => 9}},
        {in_tuple, #{family => inet, addr => {127, 0, 0, 1}, port => 9}},
        {in_short, #{family => inet}},
        {in_foreign, #{family => inet, addr => {192, 0, 2, 1}, port => 0}},
        {in_net, #{family => inet, addr => {127, 9, 9, 9}, port => 0}},
        {in_multicast, #{family => inet, addr => {224, 0, 0, 251}, port => 0}},
        {in_zero, #{family => inet, addr => {0, 0, 0, 0}, port => 9}},
        {in6_loopback, #{family => inet6, addr => loopback, port => 0}},
        {in6_any, #{family => inet6, addr => any, port => 0}},
        {in6_tuple, #{family => inet6, addr => Six, port => 9}},
        {in6_scoped, #{family => inet6, addr => Six, port => 9, scope_id => 1, flowinfo => 0}},
        {in6_bad_scope, #{family => inet6, addr => {16#fe80, 0, 0, 0, 0, 0, 0, 1}, port => 9, scope_id => 9999}},
        {in6_flow, #{family => inet6, addr => Six, port => 9, flowinfo => 16#12345}},
        {in6_large_flow, #{family => inet6, addr => Six, port => 9, flowinfo => 16#ffffffff}},
        {in6_mapped, #{family => inet6, addr => {0, 0, 0, 0, 0, 16#ffff, 16#7f00, 1}, port => 9}},
        {in6_broadcast, #{family => inet6, addr => broadcast}},
        {in6_short, #{family => inet6}},
        {un_absent, #{family => local, path => "/nonsense/nobody"}},
        {un_directory, #{family => local, path => "/tmp"}},
        {un_file, #{family => local, path => <<"/etc/passwd">>}},
        {un_abstract, #{family => local, path => <<0, "inetpy-nobody">>}},
        {un_empty, #{family => local, path => <<>>}},
        {un_zeros, #{family => local, path => binary:copy(<<0>>, 20)}},
        {un_zero_inside, #{family => local, path => <<"/nonsense/x", 0, "y">>}},
        {un_107, #{family => local, path => long(107)}},
        {un_108, #{family => local, path => long(108)}},
        {un_109, #{family => local, path => long(109)}},
        {un_abstract_108, #{family => local, path => <<0, (binary:copy(<<"x">>, 107))/binary>>}},
        {un_unicode, #{family => local, path => "/nonsense/\x{e9}\x{20ac}"}},
        {ll, #{family => packet, protocol => 16#88b5, ifindex => 1, pkttype => host, hatype => ether, addr => <<0:48>>}},
        {ll_short, #{family => packet, addr => <<>>}},
        {ll_numbers, #{family => packet, protocol => 16#88b5, ifindex => 1, pkttype => 0, hatype => 1, addr => <<0:64>>}},
        {ll_no_interface, #{family => packet, protocol => 3, ifindex => 9999, pkttype => host, hatype => ether, addr => <<0:48>>}},
        {dl, #{family => link, index => 1, type => 1, nlen => 0, alen => 0, slen => 0, data => <<>>}},
        {unspec, #{family => unspec}},
        {unspec_data, #{family => unspec, addr => <<0:96>>}},
        {unspec_large, #{family => unspec, addr => <<0:2000>>}},
        {native_in, #{family => 2, addr => <<9:16, 127, 0, 0, 1, 0:64>>}},
        {native_in_short, #{family => 2, addr => <<9:16>>}},
        {native_un, #{family => 1, addr => <<"/nonsense/x", 0>>}},
        {native_netlink, #{family => 16, addr => <<0:80>>}},
        {native_none, #{family => 9999, addr => <<>>}},
        {native_negative, #{family => -1, addr => <<>>}},
        {native_no_addr, #{family => 2}}
    ].

%% A path of so many bytes, where no file can be made.
long(Size) -> iolist_to_binary(["/nonsense/", binary:copy(<<"x">>, Size - 10)]).

kinds() ->
    [
        {inet, stream, default}, {inet, dgram, default}, {inet6, stream, default}, {inet6, dgram, default}, {local, stream, default}, {local, dgram, default},
        {local, seqpacket, default}
    ].

raw_kinds() -> [{inet, raw, 253}, {17, dgram, default}, {16, raw, 0}].

addressed(#{api := M}, Kinds, Address) ->
    [
        case M:open(Domain, Type, Protocol) of
            {ok, S} ->
                Bound = xs:attempt(fun() -> M:bind(S, to_bind(Address)) end),
                Named = steady(M:sockname(S)),
                _ = M:close(S),
                {Domain, Type, Bound, Named, [
                    begin
                        {ok, Other} = M:open(Domain, Type, Protocol),
                        Result = xs:attempt(fun() -> Call(Other) end),
                        Peer = steady(M:peername(Other)),
                        _ = M:close(Other),
                        {Name, Result, Peer}
                    end
                 || {Name, Call} <- [
                        {connect, fun(X) -> M:connect(X, Address, 5000) end}, {sendto, fun(X) -> M:sendto(X, "abc", Address, 0) end},
                        {sendmsg, fun(X) -> M:sendmsg(X, #{addr => Address, iov => [<<"abc">>]}, 0) end}
                    ], is_quick(Name, Type, Address)
                ]};
            Other ->
                {Domain, Type, Other}
        end
     || {Domain, Type, Protocol} <- Kinds
    ].

%% Without a port or an abstract path that others may have.
to_bind(#{port := 9} = Address) -> Address#{port := 0};
to_bind(#{family := 2, addr := <<9:16, Rest/binary>>} = Native) -> Native#{addr := <<0:16, Rest/binary>>};
to_bind(#{path := <<0, Path/binary>>} = Address) when byte_size(Path) > 10 ->
    Number = io_lib:format("~10..0b", [erlang:unique_integer([positive]) rem 10000000000]),
    Address#{path := iolist_to_binary([0, binary:part(Path, 10, byte_size(Path) - 10), Number])};
to_bind(Address) -> Address.

%% Where nobody answers a connect has no end, and to which host a datagram would go is no business of a test.
is_quick(_, _, #{addr := {192, 0, 2, 1}}) -> false;
is_quick(_, _, #{addr := {224, _, _, _}}) -> false;
is_quick(_, _, #{addr := broadcast}) -> false;
is_quick(_, _, _) -> true.

%% A name without what is the system's choice.
steady({ok, #{port := Port} = Address}) when Port > 9 -> {ok, Address#{port := port}};
steady({ok, #{family := local, path := <<0, Path/binary>>} = Address}) when byte_size(Path) > 2 -> {ok, Address#{path := byte_size(Path)}};
steady({ok, #{family := 16, addr := Data} = Address}) -> {ok, Address#{addr := byte_size(Data)}};
steady(Other) -> Other.

%% --- types -------------------------------------------------------------------------------

types() -> [stream, dgram, rdm, seqpacket, packet, 0, 1, 2, 4, 5, 6, 16#800, 16#801, 16#80001].

raw_types() -> [raw, 3].

opened(#{api := M}, Domain, Types) ->
    [
        case xs:attempt(fun() -> M:open(Domain, Type, Protocol) end) of
            {ok, S} ->
                Seen = {Domain, Type, Protocol, ok, [M:getopt(S, {socket, O}) || O <- [domain, type, protocol]], [M:getopt(S, {otp, O}) || O <- [domain, type, protocol]],
                    maps:with([domain, type, protocol, ctype], M:info(S)), steady(M:sockname(S)), M:close(S)},
                Seen;
            Other ->
                {Domain, Type, Protocol, Other}
        end
     || Type <- Types, Protocol <- [default, tcp, udp, icmp, sctp, ip, ipv6, 0, 6, 17, 132, 255, 256, {raw, 6}]
    ].

%% --- lives --------------------------------------------------------------------------------

lives() ->
    [
        {rdm, "No domain has sockets of type rdm here.", fun(#{api := M}) -> [{D, M:open(D, rdm)} || D <- [inet, inet6, local]] end},
        {raw_icmp, "A raw socket sends a request and gets the answer.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, raw, icmp),
            Id = erlang:unique_integer([positive]) rem 16#ffff,
            Request = echo_request(Id),
            Sent = M:sendto(S, Request, #{family => inet, addr => loopback, port => 0}),
            {Source, Type, Data} = echo_reply(M, S, Id),
            [Sent, maps:remove(port, Source), Type, Data, M:getopt(S, {socket, protocol})]
        end},
        {raw_icmp6, "The same with IPv6.", fun(#{api := M}) ->
            _ = xc:loopback6(),
            {ok, S} = M:open(inet6, raw, 'ipv6-icmp'),
            Sent = M:sendto(S, <<128, 0, 0:16, 7:16, 1:16, "abc">>, #{family => inet6, addr => loopback, port => 0}),
            [Sent, is_tuple(M:recvfrom(S, 0, 5000)), M:getopt(S, {ipv6, unicast_hops})]
        end},
        {raw_header, "With hdrincl the caller writes the header, and always reads it.", fun(#{api := M}) ->
            {ok, S} = M:open(inet, raw, 254),
            ok = M:setopt(S, {ip, hdrincl}, true),
            ok = M:bind(S, #{family => inet, addr => {127, 0, 0, 77}, port => 0}),
            Header = <<16#45, 0, 23:16, 1:16, 0:16, 33, 254, 0:16, 127, 0, 0, 77, 127, 0, 0, 77>>,
            Sent = M:sendto(S, <<Header/binary, "abc">>, #{family => inet, addr => {127, 0, 0, 77}, port => 0}),
            {ok, {Source, <<16#45, _:56, Ttl, 254, _/binary>> = All}} = M:recvfrom(S, 0, 5000),
            <<_:80, _:16, Addresses:8/binary, Data/binary>> = binary:part(All, 0, byte_size(All)),
            [Sent, Source, Ttl >= 0, byte_size(All), Addresses, Data, M:getopt(S, {ip, hdrincl})]
        end},
        {packet_frames, "A socket of the link layer sends and gets frames of the loopback interface.", fun(#{api := M}) ->
            %% A number of local experiments (IEEE 802).
            Protocol = 16#88b5,
            {ok, S} = M:open(17, dgram, (Protocol bsr 8) bor ((Protocol band 255) bsl 8)),
            {ok, P} = M:open(17, raw, 0),
            To = #{family => 17, addr => <<Protocol:16, 1:32/native, 0:16, 0, 6, 0:64>>},
            Text = list_to_binary(xs:path()),
            Bound = M:bind(S, To),
            Sent = M:sendto(P, <<0:96, Protocol:16, Text/binary>>, To),
            {Source, Rest} = frame(M, S, Text),
            [Bound, Sent, Source, Rest, M:sockname(S)]
        end},
        {netlink_dump, "A socket of netlink asks the kernel for its interfaces.", fun(#{api := M}) ->
            {ok, S} = M:open(16, raw, 0),
            Body = <<18:16/native, 16#301:16/native, 7:32/native, 0:32, 0, 0, 0:16, 0:32, 0:32, 0:32>>,
            Request = <<(byte_size(Body) + 4):32/native, Body/binary>>,
            Sent = M:sendto(S, Request, #{family => 16, addr => <<0:80>>}),
            {ok, <<_:32, Type:16/native, Flags:16/native, Sequence:32/native, _/binary>>} = M:recv(S, 65536, 5000),
            [Sent, Type, Flags band 2, Sequence]
        end},
        {netlink_from, "What comes from the kernel has its address.", fun(#{api := M}) ->
            {ok, S} = M:open(16, raw, 0),
            Body = <<18:16/native, 16#301:16/native, 7:32/native, 0:32, 0, 0, 0:16, 0:32, 0:32, 0:32>>,
            ok = M:sendto(S, <<(byte_size(Body) + 4):32/native, Body/binary>>, #{family => 16, addr => <<0:80>>}),
            {ok, {Source, _}} = M:recvfrom(S, 65536, 5000),
            ok = M:sendmsg(S, #{addr => #{family => 16, addr => <<0:80>>}, iov => [<<(byte_size(Body) + 4):32/native, Body/binary>>]}),
            [Source, xs:without([iov], M:recvmsg(S, 65536, 0, [], 5000))]
        end},
        {seqpacket_records, "Records keep their boundaries, and a short read cuts one off.", fun(#{api := M} = B) ->
            {C, S} = xs:local_pair(B, seqpacket),
            Sent = [M:send(C, D) || D <- ["abc", "defgh", "i"]],
            [Sent, M:recv(S, 0, 5000), M:recv(S, 2, 5000), M:recv(S, 0, 5000), M:sendmsg(C, #{iov => [<<"jk">>, <<"l">>]}), M:recvmsg(S, 2, 0, 5000), M:close(C), M:recv(S, 0, 5000)]
        end},
        {abstract, "An address of the unix domain that is in no folder.", fun(#{api := M}) ->
            [
                begin
                    Address = #{family => local, path => list_to_binary([0 | xs:path()])},
                    {ok, L} = M:open(local, Type),
                    Bound = [M:bind(L, Address), M:sockname(L) =:= {ok, Address}],
                    Listens = M:listen(L),
                    {ok, C} = M:open(local, Type),
                    Connected = M:connect(C, Address),
                    {ok, Again} = M:open(local, Type),
                    Twice = M:bind(Again, Address),
                    ok = M:close(L),
                    {Type, Bound, Listens, Connected, Twice, M:bind(Again, Address), M:peername(C) =:= {ok, Address}}
                end
             || Type <- [stream, dgram, seqpacket]
            ]
        end},
        {from_unnamed, "A datagram of a socket without a name.", fun(#{api := M}) ->
            Address = #{family => local, path => list_to_binary([0 | xs:path()])},
            {ok, S} = M:open(local, dgram),
            ok = M:bind(S, Address),
            {ok, C} = M:open(local, dgram),
            _ = [ok = M:sendto(C, D, Address) || D <- ["abc", "def"]],
            [M:recvfrom(S, 0, 5000), M:recvmsg(S, 5000), M:sockname(C), M:peername(C)]
        end},
        {dual_stack, "A socket of IPv6 takes connections of IPv4, unless v6only.", fun(#{api := M}) ->
            _ = xc:loopback6(),
            [
                begin
                    {ok, L} = M:open(inet6, stream),
                    Set = M:setopt(L, {ipv6, v6only}, Only),
                    ok = M:bind(L, #{family => inet6, addr => any, port => 0}),
                    ok = M:listen(L),
                    {ok, #{port := Port}} = M:sockname(L),
                    {ok, C} = M:open(inet, stream),
                    Connected = M:connect(C, #{family => inet, addr => loopback, port => Port}),
                    {Only, Set, Connected, [maps:remove(port, Name) || ok <- [Connected], {ok, S} <- [M:accept(L)], {ok, Name} <- [M:sockname(S)]]}
                end
             || Only <- [false, true]
            ]
        end},
        {other_namespace, "A socket in a network namespace of its own has no connection to this one.", fun(#{api := M} = B) ->
            Path = xs:path(),
            ok = file:write_file(Path, ""),
            case os:cmd("unshare --net=" ++ Path ++ " true 2>&1") of
                "" -> ok;
                _ -> ok = file:delete(Path), xc:skip("a network namespace needs a privilege")
            end,
            {_, To} = xs:listener(B),
            try
                {ok, S} = M:open(inet, stream, #{netns => Path}),
                {ok, Back} = M:open(inet, stream),
                [M:connect(S, To), M:connect(Back, To), M:ioctl(S, gifflags, "lo") =/= M:ioctl(Back, gifflags, "lo"), M:close(S)]
            after
                _ = os:cmd("umount " ++ Path),
                ok = file:delete(Path)
            end
        end}
    ].

echo_request(Id) ->
    Body = <<Id:16, 1:16, "abc ">>,
    Sum = lists:sum([16#0800 | [Word || <<Word:16>> <= Body]]),
    Folded = (Sum band 16#ffff) + (Sum bsr 16),
    <<8, 0, (bnot Folded):16, Body/binary>>.

%% The answer to this request: the socket gets those of others, too.
echo_reply(M, S, Id) ->
    case M:recvfrom(S, 0, 5000) of
        {ok, {Source, <<4:4, Words:4, _/binary>> = All}} ->
            case binary:part(All, Words * 4, byte_size(All) - Words * 4) of
                <<0, Code, _:16, Id:16, _:16, Data/binary>> -> {Source, Code, Data};
                _ -> echo_reply(M, S, Id)
            end
    end.

%% A frame with this text: those of other scenarios come, too.
frame(M, S, Text) ->
    case M:recvfrom(S, 0, 5000) of
        {ok, {Source, <<Text:(byte_size(Text))/binary, Rest/binary>>}} -> {Source, Rest};
        {ok, _} -> frame(M, S, Text)
    end.
