%% A server for names on 127.0.0.1, port 53. The last label but one says what it answers:
%%
%%     NAME.ok.test      127.0.0.1               NAME.fail.test    SERVFAIL
%%     NAME.nx.test      NXDOMAIN                NAME.dead.test    nothing
%%     NAME.none.test    no address
-module(xf_names).

-export([start/0]).

-include_lib("kernel/src/inet_dns.hrl").

-spec start() -> ok.
start() ->
    Self = self(),
    {Pid, Ref} = spawn_monitor(fun() -> serve(Self) end),
    receive
        {Pid, ready} -> demonitor(Ref, [flush]);
        {'DOWN', Ref, process, Pid, _} -> true
    end,
    true = xc:until(fun() -> whereis(?MODULE) =/= undefined end),
    ok.

%% Whoever is second ends.
serve(Starter) ->
    try register(?MODULE, self()) catch error:badarg -> exit(normal) end,
    {ok, S} = gen_udp:open(53, [binary, {active, true}, {ip, {127, 0, 0, 1}}]),
    Starter ! {self(), ready},
    answers(S).

answers(S) ->
    receive
        {udp, S, Address, Port, Question} ->
            {ok, Rec} = inet_dns:decode(Question),
            #dns_rec{header = Header, qdlist = [#dns_query{domain = Name, type = Type}]} = Rec,
            _ = [
                gen_udp:send(S, Address, Port, inet_dns:encode(Rec#dns_rec{
                    header = Header#dns_header{qr = true, ra = true, rcode = Code}, anlist = Records, arlist = []
                }))
             || {Code, Records} <- answer(lists:nth(2, lists:reverse(string:lexemes(Name, "."))), Name, Type)
            ],
            answers(S)
    end.

answer("ok", Name, a) -> [{?NOERROR, [#dns_rr{domain = Name, type = a, class = in, ttl = 1, data = {127, 0, 0, 1}}]}];
answer("nx", _, _) -> [{?NXDOMAIN, []}];
answer("fail", _, _) -> [{?SERVFAIL, []}];
answer("dead", _, _) -> [];
answer(_, _, _) -> [{?NOERROR, []}].
