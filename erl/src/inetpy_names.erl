%% The names of the network in Python's hands, for OTP's own resolver. Libraries that resolve by themselves (ssl, httpc)
%% call `inet:getaddr/2`. That function never asks Python, but it looks at the hosts of `inet_db` when the lookup
%% methods begin with `file`. For example a server at `db.test` makes this of the configuration of the node:
%%
%%     {host, {198,18,0,0}, ["db.test"]}.
%%     {lookup, [file, native]}.          before: [native]
%%
%% When no name is in play any more, the configuration is what it was. A name that the user has in `inet_db` too is the
%% network's for that time. What the user changes meanwhile stays.
%%
%% Each bridge has names. They are in a table of inetpy_sup, and so outlive this process, with what it has changed.
-module(inetpy_names).
-behaviour(gen_server).

-export([start_link/0, new_table/0, set/2, install/1, is_native/0]).
-export([init/1, handle_call/3, handle_cast/2, terminate/2]).
-export_type([names/0]).

%% In lower case, as Python has them.
-type names() :: [{Name :: binary(), [inet:ip_address()]}].
%% What inet_db has of an address; `none`: nothing.
-type host() :: [string()] | none.

%% Rows: {Bridge, Names}, {is_wanted, Bool}, and {changed, Changed}.
-define(TABLE, ?MODULE).

%% What this process has changed.
-record(changed, {
    %% What an address has now, and what it had.
    hosts = #{} :: #{inet:ip_address() => {Now :: host(), Before :: host()}},
    %% The lookup methods, now and before. The same for the hosts file.
    lookup = none :: none | {[atom()], [atom()]},
    hosts_file = none :: none | {string(), string()}
}).

-spec start_link() -> gen_server:start_ret().
start_link() -> gen_server:start_link({local, ?MODULE}, ?MODULE, [], []).

%% Called by inetpy_sup, whose process has the table.
-spec new_table() -> ok.
new_table() ->
    ?TABLE = ets:new(?TABLE, [named_table, public, {read_concurrency, true}]),
    ok.

%% The names of a bridge are these from now on.
-spec set(pos_integer(), names()) -> ok.
set(Bridge, Names) -> change({Bridge, Names}).

%% Whether OTP's resolver is to know names: not after inetpy:uninstall/0.
-spec install(boolean()) -> ok.
install(IsWanted) -> change({is_wanted, IsWanted}).

%% While this process is not there, nothing is to do: it begins with what the table says.
change(Row) ->
    try
        true = ets:insert(?TABLE, Row),
        gen_server:call(?MODULE, settle, infinity)
    catch
        error:badarg -> ok;
        exit:_ -> ok
    end.

%% Whether the user has left the lookups to the system. Then Python resolves names.
-spec is_native() -> boolean().
is_native() ->
    case inet_db:res_option(lookup) of
        [native] -> true;
        [file, native] = Methods -> is_ours(Methods);
        _ -> false
    end.

is_ours(Methods) ->
    case saved() of
        #changed{lookup = {Methods, _}} -> true;
        _ -> false
    end.

%% --- gen_server ------------------------------------------------------------

-spec init([]) -> {ok, #changed{}}.
init([]) ->
    process_flag(trap_exit, true),
    {ok, settle(saved(), names())}.

-spec handle_call(settle, gen_server:from(), #changed{}) -> {reply, ok, #changed{}}.
handle_call(settle, _From, Changed) ->
    {reply, ok, settle(Changed, names())}.

-spec handle_cast(term(), #changed{}) -> {noreply, #changed{}}.
handle_cast(_Request, Changed) ->
    {noreply, Changed}.

%% Without inetpy_sup there is no table.
-spec terminate(term(), #changed{}) -> ok.
terminate(_Reason, Changed) ->
    _ = settle(Changed, []),
    ok.

saved() ->
    try ets:lookup_element(?TABLE, changed, 2)
    catch error:badarg -> #changed{}
    end.

save(Changed) ->
    try true = ets:insert(?TABLE, {changed, Changed})
    catch error:badarg -> true
    end,
    Changed.

%% The names of all bridges, each with the addresses of every bridge that has it.
names() ->
    case ets:lookup(?TABLE, is_wanted) of
        [{is_wanted, false}] -> [];
        _ -> union(lists:append([Names || {Bridge, Names} <- lists:sort(ets:tab2list(?TABLE)), is_integer(Bridge)]))
    end.

union(Names) ->
    lists:foldl(
        fun({Name, Addresses}, Union) ->
            Text = unicode:characters_to_list(Name),
            Known = proplists:get_value(Text, Union, []),
            lists:keystore(Text, 1, Union, {Text, Known ++ (Addresses -- Known)})
        end,
        [],
        Names
    ).

%% --- inet_db ---------------------------------------------------------------

%% A lookup that comes meanwhile finds each name that stays in play. So what stays is not taken away.
settle(Before, []) ->
    ok = undo(Before#changed.lookup, fun() -> inet_db:res_option(lookup) end, fun inet_db:set_lookup/1),
    After = settle_hosts([], Before),
    ok = undo(Before#changed.hosts_file, fun hosts_file/0, fun inet_db:set_hosts_file/1),
    save(After#changed{lookup = none, hosts_file = none});
settle(Before, Names) ->
    Hidden = hide_hosts_file(Before),
    settle_lookup(save(settle_hosts(Names, Hidden))).

undo(none, _, _) ->
    ok;
undo({Ours, Former}, Get, Set) ->
    case Get() of
        Ours -> _ = Set(Former), ok;
        _ -> ok
    end.

%% With `file` as a method OTP reads the hosts file by itself. Its answers are not quite those of the system: they have
%% other names as aliases. So a node whose methods had no `file` has no hosts file meanwhile.
hide_hosts_file(#changed{lookup = none} = Changed) ->
    File = hosts_file(),
    case File =:= "" orelse lists:member(file, inet_db:res_option(lookup)) of
        true ->
            Changed;
        false ->
            ok = inet_db:set_hosts_file(""),
            save(Changed#changed{hosts_file = {"", File}})
    end;
hide_hosts_file(Changed) ->
    Changed.

hosts_file() ->
    case inet_db:res_option(hosts_file) of
        undefined -> "";
        File -> File
    end.

settle_lookup(Changed) ->
    case inet_db:res_option(lookup) of
        [file | _] ->
            Changed;
        Methods ->
            Saved = save(Changed#changed{lookup = {[file | Methods], Methods}}),
            ok = inet_db:set_lookup([file | Methods]),
            Saved
    end.

settle_hosts(Names, #changed{hosts = Before} = Changed) ->
    There = maps:from_list([{Address, Hosts} || {host, Address, Hosts} <- inet_db:get_rc()]),
    User = maps:fold(fun restored/3, There, Before),
    Wanted = wanted(Names, User),
    Hosts = maps:from_list([{Address, {Now, maps:get(Address, User, none)}} || {Address, Now} <- Wanted]),
    Saved = save(Changed#changed{hosts = Hosts}),
    Given = [{Address, maps:get(Address, User, none)} || Address <- maps:keys(Before), not is_map_key(Address, Hosts)],
    _ = [put_host(Address, Now) || {Address, Now} <- Wanted ++ Given, maps:get(Address, There, none) =/= Now],
    lists:foreach(fun(Name) -> put_in_order(Name, Wanted) end, Names),
    Saved.

%% What the user has. An address that the user has changed since then is the user's as it is.
restored(Address, {Now, Former}, There) ->
    case {maps:get(Address, There, none), Former} of
        {Now, none} -> maps:remove(Address, There);
        {Now, _} -> There#{Address => Former};
        _ -> There
    end.

%% The hosts of the addresses that are not the user's alone: those of the names, and those that the user gives to one of
%% the names.
wanted(Names, User) ->
    Ours = [Name || {Name, _} <- Names],
    Addresses = lists:uniq(lists:append([Of || {_, Of} <- Names])),
    [{Address, [Name || {Name, Of} <- Names, lists:member(Address, Of)] ++ others(maps:get(Address, User, []), Ours)}
     || Address <- Addresses]
    ++ [
        {Address, some(others(Hosts, Ours))}
     || {Address, Hosts} <- maps:to_list(maps:without(Addresses, User)), others(Hosts, Ours) =/= Hosts
    ].

others(Hosts, Ours) -> [Host || Host <- Hosts, not lists:member(string:lowercase(Host), Ours)].

some([]) -> none;
some(Hosts) -> Hosts.

put_host(Address, none) -> inet_db:del_host(Address);
put_host(Address, Hosts) -> inet_db:add_host(Address, Hosts).

%% inet_db puts another address of a name behind those that it has.
put_in_order({Name, Addresses}, Wanted) ->
    lists:foreach(
        fun(Of) -> put_again(Of, Wanted) end,
        [Of || Family <- [inet, inet6], Of <- [of_family(Family, Addresses)], found(Name, Family) =/= Of]
    ).

put_again(Addresses, Wanted) ->
    lists:foreach(fun inet_db:del_host/1, Addresses),
    lists:foreach(fun(Address) -> put_host(Address, proplists:get_value(Address, Wanted)) end, Addresses).

of_family(inet, Addresses) -> [Address || Address <- Addresses, tuple_size(Address) =:= 4];
of_family(inet6, Addresses) -> [Address || Address <- Addresses, tuple_size(Address) =:= 8].

found(Name, Family) ->
    case inet_hosts:gethostbyname(Name, Family) of
        {ok, {hostent, _, _, _, _, Addresses}} -> Addresses;
        {error, _} -> []
    end.
