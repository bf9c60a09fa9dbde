%% The supervisor of the keepers, each of which keeps one bridge running, and of the processes that keep the rules,
%% the names and the network files.
-module(inetpy_sup).
-behaviour(supervisor).

-export([start_link/0, ask/2]).
-export([init/1]).

-spec start_link() -> supervisor:startlink_ret().
start_link() ->
    supervisor:start_link({local, ?MODULE}, ?MODULE, []).

%% What one of its processes answers.
-spec ask(module(), term()) -> term().
ask(Server, Request) ->
    try
        gen_server:call(Server, Request, infinity)
    catch
        exit:{noproc, _} -> {error, {inetpy, not_started, "call inetpy:start() first"}};
        exit:{Reason, _} when Reason =:= shutdown; Reason =:= normal; Reason =:= killed ->
            {error, {inetpy, not_started, "inetpy has been stopped"}}
    end.

-spec init([]) -> {ok, {supervisor:sup_flags(), [supervisor:child_spec()]}}.
init([]) ->
    Links = inetpy_bridges:init(),
    ok = inetpy_context:init(length(Links)),
    ok = inetpy_faults:new_table(),
    ok = inetpy_names:new_table(),
    ok = inetpy_network:new_table(),
    Names = #{id => inetpy_names, start => {inetpy_names, start_link, []}},
    Faults = #{id => inetpy_faults, start => {inetpy_faults, start_link, []}},
    Network = #{id => inetpy_network, start => {inetpy_network, start_link, []}},
    Keepers = [
        #{id => {inetpy_keeper, Number}, start => {inetpy_keeper, start_link, [Number, Spec]}}
     || {Number, Spec} <- lists:enumerate(Links)
    ],
    {ok, {#{strategy => one_for_one, intensity => 10, period => 10}, [Names, Faults, Network | Keepers]}}.
