%% Multicast on IPv4 and IPv6, over loopback.
-module(xc_multicast).

-export([scenarios/0]).

-define(LOOPBACK, {127, 0, 0, 1}).
%% The number of the loopback interface.
-define(LO, 1).

-spec scenarios() -> [inetpy_xc:scenario()].
scenarios() ->
    [
        {member, "A member of a group receives what is sent to it.", fun(B) ->
            Group = group(),
            {S, Port} = member(B, [{add_membership, {Group, ?LOOPBACK}}]),
            sent_to(Group, Port),
            received(S)
        end},
        {not_member, "Who is no member does not.", fun(B) ->
            {S, Port} = member(B, []),
            sent_to(group(), Port),
            received(S)
        end},
        {joined_later, "Joining and leaving by setopts.", fun(B) ->
            Group = group(),
            {S, Port} = member(B, []),
            Joined = inet:setopts(S, [{add_membership, {Group, ?LOOPBACK}}]),
            sent_to(Group, Port),
            One = received(S),
            Left = inet:setopts(S, [{drop_membership, {Group, ?LOOPBACK}}]),
            sent_to(Group, Port),
            {Joined, One, Left, received(S)}
        end},
        {two_groups, "Two groups in one list of options.", fun(B) ->
            One = group(),
            Two = group(),
            {S, Port} = member(B, [{add_membership, {One, ?LOOPBACK}}, {add_membership, {Two, ?LOOPBACK}}]),
            sent_to(One, Port),
            sent_to(Two, Port),
            {received(S), received(S)}
        end},
        {two_groups_by_index, "Two groups, the longer form: the last counts.", fun(B) ->
            One = group(),
            Two = group(),
            {S, Port} = member(B, [{add_membership, {One, ?LOOPBACK, 0}}, {add_membership, {Two, ?LOOPBACK, 0}}]),
            sent_to(One, Port),
            sent_to(Two, Port),
            {received(S), received(S)}
        end},
        {joined_twice, "Joining twice.", fun(B) ->
            Group = group(),
            {S, Port} = member(B, [{add_membership, {Group, ?LOOPBACK}}]),
            Again = inet:setopts(S, [{add_membership, {Group, ?LOOPBACK}}]),
            sent_to(Group, Port),
            {Again, received(S), received(S)}
        end},
        {left_twice, "Leaving a group that one is not in.", fun(B) ->
            {S, _} = member(B, []),
            inet:setopts(S, [{drop_membership, {group(), ?LOOPBACK}}])
        end},
        {no_group, "Joining what is no group.", fun(B) ->
            {S, _} = member(B, []),
            inet:setopts(S, [{add_membership, {{127, 0, 0, 1}, ?LOOPBACK}}])
        end},
        {sender, "Sending to a group.", fun(B) ->
            Group = group(),
            {ok, M} = gen_udp:open(0, [binary, {active, false}, {add_membership, {Group, ?LOOPBACK}}]),
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{multicast_if, ?LOOPBACK}])),
            Sent = gen_udp:send(S, Group, xc:listener_port(M), "x"),
            {Sent, received(M), inet:getopts(S, [multicast_ttl, multicast_loop])}
        end},
        {loop_off, "Without multicast_loop the own host gets nothing.", fun(B) ->
            Group = group(),
            {ok, M} = gen_udp:open(0, [binary, {active, false}, {add_membership, {Group, ?LOOPBACK}}]),
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{multicast_if, ?LOOPBACK}, {multicast_loop, false}])),
            Sent = gen_udp:send(S, Group, xc:listener_port(M), "x"),
            {Sent, received(M), inet:getopts(S, [multicast_loop])}
        end},
        {ttl, "multicast_ttl shows at the receiver.", fun(B) ->
            Group = group(),
            {ok, M} = gen_udp:open(0, [binary, {active, false}, {add_membership, {Group, ?LOOPBACK}}, {recvttl, true}]),
            {ok, S} = gen_udp:open(0, xc:udp_options(B, [{multicast_if, ?LOOPBACK}, {multicast_ttl, 7}])),
            ok = gen_udp:send(S, Group, xc:listener_port(M), "x"),
            {ok, {_, _, Controls, Data}} = gen_udp:recv(M, 0, 5000),
            {Controls, Data}
        end},
        {bound_to_group, "Bound to the address of the group.", fun(B) ->
            Group = group(),
            {ok, S} = gen_udp:open(
                0,
                xc:udp_options(B, [binary, {active, false}, {ip, Group}, {reuseaddr, true}, {add_membership, {Group, ?LOOPBACK}}])
            ),
            sent_to(Group, xc:listener_port(S)),
            received(S)
        end},
        {several_members, "Several sockets on one port, with reuseaddr.", fun(B) ->
            Group = group(),
            Options = [{reuseaddr, true}, {add_membership, {Group, ?LOOPBACK}}],
            {One, Port} = member(B, Options),
            {ok, Two} = gen_udp:open(Port, xc:udp_options(B, [binary, {active, false} | Options])),
            sent_to(Group, Port),
            {received(One), received(Two)}
        end},
        {member6, "A group of IPv6.", fun(B) ->
            Group = group6(),
            {S, Port} = member6(B, [{add_membership, {Group, ?LO}}]),
            sent_to6(Group, Port),
            received(S)
        end},
        {joined_later6, "Joining and leaving a group of IPv6 by setopts.", fun(B) ->
            Group = group6(),
            {S, Port} = member6(B, []),
            Joined = inet:setopts(S, [{add_membership, {Group, ?LO}}]),
            sent_to6(Group, Port),
            One = received(S),
            Left = inet:setopts(S, [{drop_membership, {Group, ?LO}}]),
            sent_to6(Group, Port),
            {Joined, One, Left, received(S)}
        end},
        {wrong_family, "A group of the other family.", fun(B) ->
            {S, _} = member(B, []),
            {S6, _} = member6(B, []),
            {
                inet:setopts(S, [{add_membership, {group6(), ?LO}}]),
                inet:setopts(S6, [{add_membership, {group(), ?LOOPBACK}}]),
                xc:attempt(fun() -> gen_udp:open(0, xc:udp_options(B, [{add_membership, {group6(), ?LO}}])) end)
            }
        end},
        {getopts, "getopts of a membership.", fun(B) ->
            {S, _} = member(B, []),
            {inet:getopts(S, [add_membership]), inet:getopts(S, [drop_membership])}
        end},
        {active, "A member that is active.", fun(B) ->
            Group = group(),
            {S, Port} = member(B, [{add_membership, {Group, ?LOOPBACK}}, {active, true}]),
            sent_to(Group, Port),
            case xc:next() of
                {udp, S, Ip, _, Data} -> {Ip, Data};
                Other -> Other
            end
        end}
    ].

member(B, Options) ->
    {ok, S} = gen_udp:open(0, xc:udp_options(B, [binary, {active, false} | Options])),
    {S, xc:listener_port(S)}.

member6(B, Options) ->
    {ok, S} = gen_udp:open(0, xc:udp_options(B, [inet6, binary, {active, false} | Options])),
    {S, xc:listener_port(S)}.

sent_to(Group, Port) ->
    {ok, S} = gen_udp:open(0, [{multicast_if, ?LOOPBACK}]),
    ok = gen_udp:send(S, Group, Port, "to the group"),
    gen_udp:close(S).

sent_to6(Group, Port) ->
    {ok, S} = gen_udp:open(0, [inet6]),
    case gen_udp:send(S, #{family => inet6, addr => Group, port => Port, scope_id => ?LO}, "to the group") of
        ok -> gen_udp:close(S);
        {error, enetunreach} -> xc:skip("this host has no route to groups of IPv6")
    end.

received(S) ->
    case gen_udp:recv(S, 0, 100) of
        {ok, {Ip, _, Data}} -> {Ip, Data};
        Other -> Other
    end.

%% A group that no other scenario uses at the same time.
group() ->
    N = erlang:unique_integer([positive]),
    {239, (N bsr 16) band 255, (N bsr 8) band 255, N band 255}.

group6() ->
    N = erlang:unique_integer([positive]),
    {16#FF01, 0, 0, 0, 0, 0, (N bsr 16) band 16#FFFF, N band 16#FFFF}.
